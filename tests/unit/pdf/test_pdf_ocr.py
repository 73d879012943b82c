"""Lines that OCR gives, put into reading order."""

import pytest

from medkg_lab.pdf.ocr_layout import Line, blocks_of
from medkg_lab.pdf.scans import ReadPage, was_read, with_pages
from medkg_lab.stages.parse.pdf_ir.middle import OCR_PAGES, PdfSource, read_pages


def line(text: str, x: float, y: float, width: float = 0.0, height: float = 0.014) -> Line:
    return Line(text, (x, y, x + (width or 0.007 * len(text)), y + height))


def column(x: float, *paragraphs: int) -> list[Line]:
    """Paragraphs of that many lines each, one below the other."""
    lines, y = [], 0.2
    for number, count in enumerate(paragraphs):
        lines += [line(f"Column {x} paragraph {number} line {at}", x, y + 0.018 * at, 0.38) for at in range(count)]
        y += 0.018 * count + 0.02
    return lines


def read(lines: list[Line]) -> list[tuple[str, str]]:
    return [
        (block["type"], block["content"][0]["content"])
        for block in blocks_of(sorted(lines, key=lambda one: one.box[1]), True)
    ]


def test_columns_are_read_one_after_the_other_below_what_spans_them() -> None:
    title = line("Colchicine for gout", 0.1, 0.05, 0.7, 0.03)
    found = read([*column(0.1, 4, 3), *column(0.53, 4, 3), title])
    assert [text.partition(" line")[0] for _, text in found] == [
        "Colchicine for gout",
        *(f"Column {x} paragraph {number}" for x in (0.1, 0.53) for number in (0, 1)),
    ]
    assert [kind for kind, _ in found] == ["doc_title", *["text"] * 4]


def test_words_cut_at_line_ends_and_headings_of_sections() -> None:
    texts = ["2. Methods", "We gave colchicine to pa-", "tients with gout.", "Results", "Pain fell."]
    blocks = list(blocks_of([line(text, 0.1, 0.1 + 0.018 * at, 0.6) for at, text in enumerate(texts)]))
    document = read_pages([{"page_idx": 0, "blocks": blocks}], PdfSource("d:1", "n", 1, frozenset(), "t", "1")).document
    assert [block.text for block in document.blocks] == [
        "2. Methods",
        "We gave colchicine to patients with gout.",
        "Results",
        "Pain fell.",
    ]
    assert document.blocks[1].section == ("2. Methods",)


def test_short_texts_side_by_side_are_a_table() -> None:
    cells = [
        ["Drug", "Dose", "Pain"],
        ["Aspirin", "100 mg", "3.4"],
        ["Colchicine", "0.5 mg", "2.1"],
        ["Placebo", "0 mg", "6.4"],
    ]
    lines = [line(text, 0.1 + 0.25 * x, 0.3 + 0.03 * y) for y, row in enumerate(cells) for x, text in enumerate(row)]
    (found,) = blocks_of(lines)
    assert found["type"] == "table"
    document = read_pages(
        [{"page_idx": 0, "blocks": [found]}], PdfSource("d:1", "n", 1, frozenset(), "t", "1")
    ).document
    assert document.blocks[0].text == "\n".join(" | ".join(row) for row in cells)


def test_what_was_recognised_takes_the_place_of_a_stamp_and_is_marked() -> None:
    stamp = {"page_idx": 0, "blocks": [{"type": "text", "content": "Downloaded"}]}
    middle = {"pages": [stamp], "extensions": {}}
    made = with_pages(middle, {"0": ReadPage(list(blocks_of([line("Gout hurts.", 0.1, 0.1)])), "n")})
    document = read_pages(made["pages"], PdfSource("d:1", "n", 1, frozenset(), "t", "1"), made["extensions"]).document
    assert [block.text for block in document.blocks] == ["Gout hurts."]
    assert document.metadata["ocr_pages"] == ["1"]
    assert document.warnings == ("n",)
    assert OCR_PAGES not in middle["extensions"]


@pytest.mark.parametrize(("version", "expected"), [("0.6.4+rapidocr-3.10.0", True), ("0.6.4", False), (None, False)])
def test_a_converter_s_version_tells_whether_it_used_ocr(version: str | None, expected: bool) -> None:
    assert was_read(version) is expected
