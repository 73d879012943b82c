"""What docvortex's middle JSON lacks, added from the PDF itself: hidden text, ends of lines, accents, and tables that broke."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pypdfium2

from medkg_lab.pdf.glyphs import Glyph, Sheet, lines_of
from medkg_lab.pdf.grid import has_broken_cells, read_grid, with_scripts
from medkg_lab.pdf.middle_json import Middle, Page
from medkg_lab.pdf.prepare import Preparation, upright_box
from medkg_lab.stages.parse.pdf_ir.accents import COMBINING, with_accent
from medkg_lab.stages.parse.pdf_ir.middle import ACCENTS, HIDDEN_TEXT, LINE_ENDS, NOTES
from medkg_lab.stages.parse.pdf_ir.text import inline

# Accents set as characters of their own: which letters they stand on, by their places.
_SAME_LINE = 0.5
_ON_TOP = 0.35
"""How far the middles of an accent and its letter may be apart, as a share of the letter's height."""


def detached_accents(glyphs: Sequence[Glyph]) -> list[list[str]]:
    """The words with such accents: as their letters give them, and composed; one entry for each word."""
    accents = [one for one in glyphs if one.text in COMBINING]
    if not accents:
        return []
    rest = [one for one in glyphs if one.text not in COMBINING]
    on: dict[int, str] = {}
    for accent in accents:
        letter = min((one for one in rest if _carries(one, accent)), key=lambda one: _apart(one, accent), default=None)
        if letter is not None and with_accent(letter.text, accent.text) != letter.text:
            on[id(letter)] = with_accent(letter.text, accent.text)
    if not on:
        return []
    found = []
    for line in lines_of(rest):
        for word in line:
            if any(id(one) in on for one in word.glyphs):
                letters = [(one.text, on.get(id(one), one.text)) for one in word.glyphs]
                first = next(place for place, (plain, _) in enumerate(letters) if plain.isalpha())
                last = next(place for place in range(len(letters), 0, -1) if letters[place - 1][0].isalpha())
                pair = ["".join(one[side] for one in letters[first:last]) for side in (0, 1)]
                found.append(pair)
    return found


def _carries(letter: Glyph, accent: Glyph) -> bool:
    if not letter.text.isalpha() or abs(letter.middle - accent.middle) > _SAME_LINE * letter.height:
        return False
    return _apart(letter, accent) <= _ON_TOP * letter.height


def _apart(letter: Glyph, accent: Glyph) -> float:
    return abs((letter.box[0] + letter.box[2]) - (accent.box[0] + accent.box[2])) / 2


_LINE_END = re.compile(r"([^\W_]+)(?:\ufffe|[-\u2010]\r?\n)([^\W_]+)")
_MAX_LINE_ENDS = 20_000
_ROUNDING = 0.002
"""What boxes are rounded by, in fractions of the page."""
_CELL_TYPES = frozenset({"text", "paragraph_title", "header", "footer", "page_number"})
"""Block types that the converter gives to cells: rows at the edge of pages look like running headers, others like headings."""
_LONGEST_CELL = 80
_FEWEST_CELLS = 6
_SHARE_BESIDE = 0.7


def annotate(middle: Middle, path: Path, preparation: Preparation) -> set[int]:
    """Add extensions to `middle`, which was made from the PDF at `path`, and read its broken tables again.

    Returns the pages (from 0) that have no text at all.
    """
    notes = list(preparation.notes)
    texts: dict[str, str] = {}
    line_ends: list[list[str]] = []
    with pypdfium2.PdfDocument(path) as document:
        silent = {page.index for page in middle.pages if not any(map(_has_text, page.blocks or []))}
        silent |= set(range(len(document))) - {page.index for page in middle.pages}
        for index in range(len(document)):
            text = _plain_text(document, index)
            line_ends += [[found[1], found[2]] for found in _LINE_END.finditer(text)]
            if index in silent and text:
                texts[str(index + 1)] = text
    accents: dict[str, list[list[str]]] = {}
    for page in middle.pages:
        sheet = preparation.sheets[page.index] if page.index < len(preparation.sheets) else None
        if sheet is not None:
            notes += [*_read_tables_again(page, sheet), *_gather_loose_cells(page, sheet)]
            if found := detached_accents(sheet.glyphs):
                accents[str(page.index + 1)] = found
        if turn := preparation.turns.get(page.index):
            for block in _blocks(page.blocks):
                if isinstance(box := block.get("bbox"), list) and len(box) == 4:
                    block["bbox"] = upright_box(box, turn)
    found_all = {HIDDEN_TEXT: texts, LINE_ENDS: line_ends[:_MAX_LINE_ENDS], ACCENTS: accents, NOTES: notes}
    middle.extensions |= {key: value for key, value in found_all.items() if value}
    return {index for index in silent if str(index + 1) not in texts}


def _read_tables_again(page: Page, sheet: Sheet) -> Iterator[str]:
    """Replace tables whose cells ran together, or that have no cells; notes of it."""
    for block in _blocks(page.blocks):
        content, box = block.get("content"), block.get("bbox")
        if block.get("type") != "table_body" or not isinstance(content, str) or not isinstance(box, list):
            continue
        glyphs = sheet.inside(box)
        if "<t" in content and not has_broken_cells(content, glyphs):
            marked = with_scripts(content, glyphs)
            if marked is not None:
                block["content"] = marked
                continue
        if again := read_grid(glyphs):
            block["content"] = again
            if "<t" in content:
                yield f"page {page.index + 1}: a table whose cells ran together was read again line by line"
        elif "<t" in content:
            yield f"page {page.index + 1}: cells of a table may have run together"


def _gather_loose_cells(page: Page, sheet: Sheet) -> Iterator[str]:
    """Make one table of short texts that stand in rows side by side: cells of a table that has no lines."""
    blocks = page.blocks if isinstance(page.blocks, list) else []
    for first, last in reversed(loose_cells(blocks)):
        boxes = [block["bbox"] for block in blocks[first:last]]
        edges = list(zip(*boxes, strict=True))
        around = [
            min(edges[0]) - _ROUNDING,
            min(edges[1]) - _ROUNDING,
            max(edges[2]) + _ROUNDING,
            max(edges[3]) + _ROUNDING,
        ]
        if written := read_grid(sheet.inside(around)):
            place = {"bbox": around, "index": blocks[first].get("index", first)}
            body = {"type": "table_body", "content": written, **place}
            blocks[first:last] = [{"type": "table", **place, "content": [body]}]
            yield f"page {page.index + 1}: a table without lines was put together from its cells"


def loose_cells(blocks: Sequence[Any]) -> list[tuple[int, int]]:
    """The runs of blocks, from the first to the one after the last, that are cells: most stand beside another one of the run."""
    runs: list[tuple[int, int]] = []
    start = 0
    while start < len(blocks):
        end = start
        while end < len(blocks) and _is_short_text(blocks[end]):
            end += 1
        # A caption above the cells stands alone on its line.
        while start < end and not any(_beside(blocks[start], other) for other in blocks[start + 1 : end]):
            start += 1
        while end > start and not any(_beside(blocks[end - 1], other) for other in blocks[start : end - 1]):
            end -= 1
        run = blocks[start:end]
        beside = sum(any(_beside(one, other) for other in run if other is not one) for one in run)
        if len(run) >= _FEWEST_CELLS and beside >= _SHARE_BESIDE * len(run):
            runs.append((start, end))
        start = max(end, start) + 1
    return runs


def _is_short_text(block: Any) -> bool:
    if not isinstance(block, dict) or block.get("type") not in _CELL_TYPES or not isinstance(block.get("bbox"), list):
        return False
    return 0 < len(inline(block.get("content"))) <= _LONGEST_CELL


def _beside(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    a, b = one["bbox"], other["bbox"]
    shared = min(a[3], b[3]) - max(a[1], b[1])
    return bool(shared > min(a[3] - a[1], b[3] - b[1]) / 2 and (a[2] <= b[0] or b[2] <= a[0]))


def _blocks(blocks: Any) -> Iterator[dict[str, object]]:
    for block in blocks if isinstance(blocks, list) else ():
        if isinstance(block, dict):
            yield block
            yield from _blocks(block.get("content"))


def _has_text(block: Any) -> bool:
    content = block.get("content") if isinstance(block, dict) else None
    if isinstance(content, str):
        return bool(content.strip())
    return isinstance(content, list) and any(map(_has_text, content))


def _plain_text(document: Any, index: int) -> str:
    try:
        page = document[index]
        return str(page.get_textpage().get_text_range()).strip()
    except pypdfium2.PdfiumError:
        return ""
