"""PDFs made easier to convert: turned pages upright, line numbers away, accents found by their places."""

import io
from pathlib import Path

import pytest
from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from medkg_lab.pdf.annotate import detached_accents
from medkg_lab.pdf.decoration import decorative_pages
from medkg_lab.pdf.glyphs import Glyph, lines_of, open_pages
from medkg_lab.pdf.prepare import prepare, upright_box
from tests.pdf_files import pdf

LINES = 24


def drawn(path: Path, *, numbered: bool = False, turn: int = 0, together: bool = False, header: str = "") -> Path:
    """A PDF of one page of lines, with numbers beside them in objects of their own or together with the text, or turned."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, invariant=1)
    canvas.drawString(60, 820, header)
    if turn:
        canvas.translate(300, 400)
        canvas.rotate(turn)
        canvas.translate(-300, -400)
    for line in range(LINES):
        y = 780 - 18 * line
        text = f"Line {line * 7 % 10} tells what the patients of the study were given"
        if numbered and together:
            canvas.drawString(60, y, f"{line + 1} {text}")
        else:
            canvas.drawString(90, y, text)
            if numbered:
                canvas.drawRightString(70, y, str(line + 1))
    canvas.showPage()
    canvas.save()
    path.write_bytes(buffer.getvalue())
    return path


def lines(path: Path) -> list[str]:
    """The lines of the only page, by the places of its characters."""
    import pypdfium2

    with pypdfium2.PdfDocument(path) as document:
        sheet = open_pages(document)[0]
    assert sheet is not None
    return [" ".join(word.text for word in line) for line in lines_of(sheet.glyphs)]


@pytest.mark.parametrize("header", ["", "A preprint with a header that is not numbered"])
def test_line_numbers_are_taken_away(tmp_path: Path, header: str) -> None:
    changed, made = prepare(drawn(tmp_path / "a.pdf", numbered=True, header=header), tmp_path / "b.pdf")
    assert made.notes == ["line numbers were taken away from 1 pages"]
    assert [line.split()[0] for line in lines(changed)] == ["A"] * bool(header) + ["Line"] * LINES


def test_a_page_without_line_numbers_is_not_changed(tmp_path: Path) -> None:
    path = drawn(tmp_path / "a.pdf")
    assert prepare(path, tmp_path / "b.pdf")[0] == path
    references = pdf(
        [
            [
                ("text", f"{number}. Roe A. A paper of {number} words that is as long as a line of it.")
                for number in range(1, 15)
            ]
        ]
    )
    (tmp_path / "r.pdf").write_bytes(references)
    assert prepare(tmp_path / "r.pdf", tmp_path / "b.pdf")[0] == tmp_path / "r.pdf"


@pytest.mark.parametrize("turn", [90, -90, 180])
def test_a_turned_page_is_set_upright(tmp_path: Path, turn: int) -> None:
    changed, made = prepare(drawn(tmp_path / "a.pdf", turn=turn), tmp_path / "b.pdf")
    assert made.notes == ["turned pages were read upright: 1"]
    assert lines(changed)[0].startswith("Line 0 tells what the patients")
    assert len(lines(changed)) == LINES


def test_a_box_on_an_upright_page_is_found_on_the_turned_one() -> None:
    assert upright_box([0.1, 0.2, 0.3, 0.4], 0) == [0.1, 0.2, 0.3, 0.4]
    for turn in (1, 2, 3):
        x0, y0, x1, y1 = upright_box([0.1, 0.2, 0.3, 0.4], turn)
        assert 0 <= x0 < x1 <= 1
        assert 0 <= y0 < y1 <= 1
    assert upright_box(upright_box([0.1, 0.2, 0.3, 0.4], 1), 3) == pytest.approx([0.1, 0.2, 0.3, 0.4])


def word(text: str, x: float) -> list[Glyph]:
    return [Glyph(one, (x + 6 * n, 0, x + 6 * n + 6, 10)) for n, one in enumerate(text)]


def test_an_accent_belongs_to_the_letter_under_it() -> None:
    accent = Glyph("´", (37, 0, 41, 10))
    assert detached_accents([*word("Charite,", 0), accent, *word("Berlin", 60)]) == [["Charite", "Charité"]]
    assert detached_accents([*word("5", 0), Glyph("´", (8, 0, 12, 10)), *word("end", 20)]) == []


def pictures(*sizes: tuple[float, str]) -> bytes:
    """A PDF of a page of text, and one of pictures, each a share of the page's width and a colour."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(400, 600), invariant=1)
    canvas.drawString(60, 500, "A page of text")
    canvas.showPage()
    for place, (share, colour) in enumerate(sizes):
        canvas.drawImage(ImageReader(Image.new("RGB", (20, 30), colour)), 40 * place, 0, 400 * share, 600 * share)
    canvas.showPage()
    canvas.save()
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("sizes", "decorative"),
    [(((1.0, "#2060c0"),), [1]), (((1.0, "#808080"),), []), (((0.2, "#808080"),) * 3, [1]), ((), [])],
)
def test_a_cover_or_an_advertisement_is_told_from_a_scan(
    tmp_path: Path, sizes: tuple[tuple[float, str], ...], decorative: list[int]
) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(pictures(*sizes))
    assert decorative_pages(path, {1}, 2) == decorative
    assert decorative_pages(path, {0, 1}, 2) == []
    assert decorative_pages(path, {1}, 3) == []
