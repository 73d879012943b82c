"""Tables of PDFs: cells apart, headers found, continuations joined, and what a converter broke read again."""

from typing import Any

import pytest

from medkg_lab.models.documents import BlockKind, Document, Table
from medkg_lab.pdf.annotate import loose_cells
from medkg_lab.pdf.glyphs import Glyph
from medkg_lab.pdf.grid import has_broken_cells, read_grid, with_scripts
from medkg_lab.stages.parse.pdf_ir.middle import PdfSource, read_pages
from medkg_lab.stages.parse.pdf_ir.tables import captioned, cell_text, continued, header_rows, read_layout, read_table


def glyphs(*lines: tuple[float, list[tuple[float, str]]]) -> list[Glyph]:
    """Characters six points wide and ten high: lines by their y, each of texts by their x; `^` raises the next character."""
    made = []
    for y, texts in lines:
        for start, text in texts:
            x = start
            raised = False
            for character in text:
                if character == "^":
                    raised = True
                elif character == " ":
                    x += 4
                else:
                    box = (x, y - 3, x + 4, y + 3) if raised else (x, y, x + 6, y + 10)
                    made.append(Glyph(character, box))
                    x, raised = box[2], False
    return made


CELLS = glyphs(
    (0, [(100, "All"), (200, "Poor")]),
    (20, [(0, "Age"), (100, "39.8"), (200, "40.8")]),
    (32, [(100, "50.0"), (200, "52.3")]),
    (52, [(0, "10^6 cells"), (100, "5.1"), (200, "6.0")]),
    (64, [(0, "per millilitre")]),
)


def test_the_lines_of_cells_become_rows_of_their_own() -> None:
    table = read_table(read_grid(CELLS))
    assert table is not None
    assert table.rows == (
        ("", "All", "Poor"),
        ("Age", "39.8", "40.8"),
        ("", "50.0", "52.3"),
        ("10^6 cells per millilitre", "5.1", "6.0"),
    )
    assert table.header_rows == 1


def test_a_label_of_two_lines_beside_values_of_one_is_one_row() -> None:
    lines = glyphs(
        (0, [(100, "Mean"), (200, "SD")]),
        (20, [(0, "Disease duration")]),
        (26, [(100, "5.0"), (200, "4.8")]),
        (32, [(0, "(years)")]),
        (50, [(100, "8"), (200, "5")]),
        (56, [(0, "Disorder")]),
        (62, [(100, "23"), (200, "16")]),
    )
    table = read_table(read_grid(lines))
    assert table is not None
    assert table.rows[1:] == (("Disease duration (years)", "5.0", "4.8"), ("Disorder", "8", "5"), ("", "23", "16"))


def test_a_label_that_goes_on_below_has_its_values_in_its_row() -> None:
    lines = glyphs(
        (0, [(0, "Outcome"), (150, "A"), (200, "B")]),
        (20, [(0, "Exacerbations per")]),
        (34, [(0, "year"), (150, "1.94"), (200, "3.12")]),
        (54, [(0, "Sex")]),
        (68, [(0, "Women"), (150, "12"), (200, "14")]),
    )
    table = read_table(read_grid(lines))
    assert table is not None
    assert table.rows[1:] == (("Exacerbations per year", "1.94", "3.12"), ("Sex", "", ""), ("Women", "12", "14"))


def test_lines_without_columns_are_no_table() -> None:
    assert read_grid(glyphs((0, [(0, "one line of text")]), (12, [(0, "and another one")]))) == ""


@pytest.mark.parametrize(
    ("cells", "broken"),
    [
        ("39.850.0", True),
        ("39.8", False),
        ("perlitre", False),
        ("Poor40.8", True),
        ("milli", True),
        ("milli5", True),
        ("Age 39.8", False),
        ("10<sup>6</sup>", False),
    ],
)
def test_cells_that_ran_together_are_noticed(cells: str, broken: bool) -> None:
    assert has_broken_cells(f"<table><tr><td>{cells}</td></tr></table>", CELLS) is broken


def test_scripts_that_cells_lack_are_put_in() -> None:
    there = glyphs((0, [(0, "10^9/L^a"), (100, "58^b"), (200, "109/L")]))
    table = "<table><tr><td>109/La</td><td>58b</td><td>109/L</td></tr></table>"
    marked = "<table><tr><td>10<sup>9</sup>/L<sup>a</sup></td><td>58<sup>b</sup></td><td>109/L</td></tr></table>"
    assert with_scripts(table, there) == marked
    assert with_scripts(marked, there) == marked
    assert with_scripts("<table><tr><td>x109/Lay</td></tr></table>", there) is None


def test_texts_in_rows_side_by_side_are_cells() -> None:
    def text(content: str, x: float, y: float) -> dict[str, Any]:
        return {"type": "text", "content": content, "bbox": [x, y, x + 0.1, y + 0.02]}

    rows = [text(f"{x} {y}", x / 5, y / 20) for y in range(3, 7) for x in range(1, 4)]
    assert loose_cells([text("Table 2. Doses", 0.2, 0.05), *rows, text("After it.", 0.2, 0.6)]) == [(1, 13)]
    headings = [{**row, "type": "paragraph_title"} if number % 3 else row for number, row in enumerate(rows)]
    assert loose_cells(headings) == [(0, 12)]
    assert not loose_cells([text(f"Short paragraph {y}", 0.2, y / 20) for y in range(12)])


def test_two_values_in_a_cell_stay_two() -> None:
    assert cell_text(["39.8", "50.0"]) == "39.8 / 50.0"
    assert cell_text(["44.6", "(10.0)"]) == "44.6 (10.0)"
    assert cell_text(["Knee", "Society"]) == "Knee Society"
    table = read_table(
        "<table><tr><td>10<sup>6</sup></td><td>5.1<sup>a</sup></td><td>CO<sub>2</sub><br>7</td></tr></table>"
    )
    assert table is not None
    assert table.rows == (("10^6", "5.1 [a]", "CO2 / 7"),)


def test_header_rows_are_found_where_none_is_marked() -> None:
    values = [("Event 1", "3 (1.1%)", "0.01"), ("Event 2", "6 (2.2%)", "<0.01")]
    assert header_rows([("Drug", "Arm A (n=120)", "P"), *values]) == 1
    assert header_rows([("", "Week 0", "Week 12"), ("", "mean", "SD"), *values]) == 2
    assert header_rows([("Trial", "2019", "2020"), *values]) == 1
    assert header_rows([("Variable", "All", "Cases"), ("Age, years", "", ""), *values]) == 1
    assert header_rows(values) == 0
    assert header_rows([("Drug", "Use"), ("Aspirin", "pain"), ("Statin", "lipids")]) == 1


def test_a_table_set_out_with_spaces_has_columns() -> None:
    table = read_layout("              All    Poor\nAge   25%     37.0   38.8\n      75%     50.8   54.3")
    assert table is not None
    assert table.rows == (("", "", "All", "Poor"), ("Age", "25%", "37.0", "38.8"), ("", "75%", "50.8", "54.3"))
    assert read_layout("One line of words\nand another line of it") is None


def test_a_continuation_is_joined_with_its_header_said_once() -> None:
    begun = Table(rows=(("Drug", "N"), ("A", "1")), header_rows=1)
    assert continued(begun, Table(rows=(("B", "2"),))) == Table(rows=(*begun.rows, ("B", "2")), header_rows=1)
    again = continued(begun, Table(rows=(("Drug", "N"), ("B", "2")), header_rows=1))
    assert again is not None
    assert again.rows == (*begun.rows, ("B", "2"))
    assert continued(begun, Table(rows=(("Dose", "N"), ("B", "2")), header_rows=1)) is None
    assert continued(begun, Table(rows=(("B", "2", "3"),))) is None


def test_captions_within_a_table_part_it() -> None:
    rows = (("Table 1. Counts", ""), ("Drug", "N"), ("A", "1"), ("Table 2: Doses", ""), ("Drug", "mg"), ("A", "5"))
    assert captioned(Table(rows=rows)) == [
        ("Table 1. Counts", Table(rows=rows[1:3], header_rows=1)),
        ("Table 2: Doses", Table(rows=rows[4:], header_rows=1)),
    ]
    assert captioned(Table(rows=rows[1:3])) == [("", Table(rows=rows[1:3]))]


def read(*pages: list[dict[str, Any]]) -> Document:
    """The document of pages of blocks."""
    numbered = [{"page_idx": number, "blocks": blocks} for number, blocks in enumerate(pages)]
    return read_pages(numbered, PdfSource("d:1", "n", len(pages), frozenset(), "t", "1")).document


def table_block(rows: str, caption: str = "") -> dict[str, Any]:
    captions = [{"type": "table_caption", "content": caption}] if caption else []
    return {"type": "table", "content": [*captions, {"type": "table_body", "content": f"<table>{rows}</table>"}]}


HEAD = "<tr><td>Drug</td><td>N</td></tr><tr><td>A</td><td>1</td></tr>"


@pytest.mark.parametrize("caption", ["", "Table 1: Continued."])
def test_a_table_goes_on_over_the_page(caption: str) -> None:
    document = read([table_block(HEAD, "Table 1. Counts")], [table_block("<tr><td>B</td><td>2</td></tr>", caption)])
    assert [(block.kind, block.text) for block in document.blocks] == [
        (BlockKind.CAPTION, "Table 1. Counts"),
        (BlockKind.TABLE, "Drug | N\nA | 1\nB | 2"),
    ]


def test_another_table_on_the_next_page_stays_another() -> None:
    document = read([table_block(HEAD, "Table 1")], [table_block("<tr><td>B</td><td>2</td></tr>", "Table 2. Doses")])
    assert [block.kind for block in document.blocks].count(BlockKind.TABLE) == 2
