"""A PDF made easier to convert: pages set upright, and the line numbers of manuscripts taken away.

Both are decided from the characters' places; the copy is made only when there is something to change.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from medkg_lab.pdf.glyphs import Glyph, Sheet, open_pages, read_sheet

_TURNED_SHARE = 0.6
_FEWEST_GLYPHS = 40
_FEWEST_NUMBERS = 5
_EDGE_SHARE = 0.1
"""Lines that may begin or end further out than the text, such as a header."""
_LONGEST_ASIDE = 200
"""Characters of text in another direction that a turned page may have as header and footer."""
_REGULAR = 0.8
_NUMBERED_LINES = 0.7


@dataclass(slots=True)
class Preparation:
    """What was changed: the quarter turns clockwise by page (from 0), and in words; `sheets` are the pages as changed."""

    turns: dict[int, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    sheets: list[Sheet | None] = field(default_factory=list)


def prepare(path: Path, changed: Path) -> tuple[Path, Preparation]:
    """The PDF to convert, `changed` where a copy was needed. Raises PdfiumError when the file cannot be opened."""
    made = Preparation()
    with pypdfium2.PdfDocument(path) as document:
        made.sheets = open_pages(document)
        numbered = []
        for index, sheet in enumerate(made.sheets):
            if sheet is None:
                continue
            if turn := _turn(sheet.glyphs):
                made.turns[index] = turn
                _set_upright(document, index, turn, made)
            elif (numbers := line_numbers(sheet)) and _remove(document, index, numbers, made):
                numbered.append(index + 1)
        if made.turns:
            pages = ", ".join(str(index + 1) for index in made.turns)
            made.notes.append(f"turned pages were read upright: {pages}")
        if numbered:
            made.notes.append(f"line numbers were taken away from {len(numbered)} pages")
        if not made.turns and not numbered:
            return path, made
        document.save(changed)
    return changed, made


def _turn(glyphs: Sequence[Glyph]) -> int:
    """The quarter turns clockwise that set a page upright whose text mostly runs up or down; 0 for any other."""
    angles = Counter(one.angle for one in glyphs if one.text.isalnum())
    if angles.total() < _FEWEST_GLYPHS:
        return 0
    angle, count = angles.most_common(1)[0]
    return -angle % 4 if angle and count >= _TURNED_SHARE * angles.total() else 0


def _set_upright(document: pypdfium2.PdfDocument, index: int, turn: int, made: Preparation) -> None:
    page = document[index]
    page.set_rotation((page.get_rotation() + 90 * turn) % 360)
    sheet = read_sheet(page)
    aslant = [one for one in sheet.glyphs if one.angle]
    if aslant and len(aslant) <= _LONGEST_ASIDE:
        # A running header that stood upright would be read down the page, letter by letter.
        _remove_aside(page)
        sheet = read_sheet(page)
    made.sheets[index] = sheet
    page.close()


def _remove_aside(page: Any) -> None:
    """Remove the text objects of a page that run in another direction than most of its text."""
    objects = list(page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_TEXT], max_depth=1))
    directions = [round(math.atan2((matrix := item.get_matrix()).b, matrix.a) / (math.pi / 2)) % 4 for item in objects]
    usual = Counter(directions).most_common(1)
    for item, direction in zip(objects, directions, strict=True):
        if usual and direction != usual[0][0]:
            page.remove_obj(item)
    page.gen_content()


def upright_box(box: Sequence[float], turn: int) -> list[float]:
    """A box, in fractions of a page that was turned, on the page as it was."""
    x0, y0, x1, y1 = box
    return {
        1: [y0, 1 - x1, y1, 1 - x0],
        2: [1 - x1, 1 - y1, 1 - x0, 1 - y0],
        3: [1 - y1, x0, 1 - y0, x1],
    }.get(turn, list(box))


def line_numbers(sheet: Sheet) -> list[Glyph]:
    """The digits of a column of numbers beside the text that counts its lines; none when there is no such column."""
    letters = [one for one in sheet.glyphs if one.text.isalpha()]
    if len(letters) < _FEWEST_GLYPHS:
        return []
    lines = _by_line(letters)
    spare = int(len(lines) * _EDGE_SHARE)
    left = sorted(min(one.box[0] for one in line) for line in lines)[spare]
    right = sorted(max(one.box[2] for one in line) for line in lines)[-1 - spare]
    for side in (
        [one for one in sheet.glyphs if one.box[2] <= left + 1],
        [one for one in sheet.glyphs if one.box[0] >= right - 1],
    ):
        numbers = [line for line in _by_line(side) if all(one.text.isdecimal() for one in line)]
        if _counts_lines(numbers, len(lines)):
            return [one for line in numbers for one in line]
    return []


def _by_line(glyphs: Sequence[Glyph]) -> list[list[Glyph]]:
    lines: list[list[Glyph]] = []
    for one in sorted(glyphs, key=lambda glyph: glyph.middle):
        if lines and one.middle - lines[-1][0].middle < one.height * 0.5:
            lines[-1].append(one)
        else:
            lines.append([one])
    return lines


def _counts_lines(lines: Sequence[Sequence[Glyph]], text_lines: int) -> bool:
    """Whether the lines are numbers that rise evenly, for most lines of the text."""
    if len(lines) < _FEWEST_NUMBERS:
        return False
    values = [int("".join(one.text for one in sorted(line, key=lambda glyph: glyph.box[0]))) for line in lines]
    steps = Counter(after - before for before, after in pairwise(values))
    step, regular = steps.most_common(1)[0]
    if step <= 0 or regular < _REGULAR * (len(values) - 1):
        return False
    return len(values) * step >= _NUMBERED_LINES * text_lines


def _remove(document: pypdfium2.PdfDocument, index: int, numbers: Sequence[Glyph], made: Preparation) -> bool:
    """Remove the text objects of line numbers from a page that is not turned; False when they are part of the text's objects."""
    page = document[index]
    sheet = made.sheets[index]
    if sheet is None or page.get_rotation():
        return False
    left, _, _, top = page.get_cropbox()
    x0, x1 = min(one.box[0] for one in numbers), max(one.box[2] for one in numbers)
    objects: list[Any] = []
    for item in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_TEXT], max_depth=1):
        a, bottom, b, upper = item.get_bounds()
        middle = top - (bottom + upper) / 2
        on_line = any(one.box[1] <= middle <= one.box[3] for one in numbers)
        if on_line and a - left >= x0 - 2 and b - left <= x1 + 2:
            objects.append(item)
    if not objects:
        made.notes.append(f"page {index + 1}: line numbers could not be told from the text")
        return False
    for item in objects:
        page.remove_obj(item)
    page.gen_content()
    made.sheets[index] = read_sheet(page)
    page.close()
    return True
