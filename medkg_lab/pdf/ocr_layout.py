"""Lines that OCR found on a page, put into reading order as paragraphs, headings and tables. Pure.

Blanks part a page (the recursive XY cut of Nagy and Seth, "Hierarchical representation of optically scanned documents", ICPR
1984); rows of short texts side by side are a table.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean, median

from medkg_lab.pdf.glyphs import Glyph
from medkg_lab.pdf.grid import read_grid
from medkg_lab.stages.parse.pdf_ir.text import join

_COLUMN_GAP = 0.012
"""Of the page's width: what runs blank between two columns."""
_PARAGRAPH_GAP = 0.75
"""Of a line's height: what runs blank between two paragraphs."""
_HEADING, _TITLE = 1.18, 1.45
"""How much higher than most lines those of headings and titles are."""
_LONGEST_HEADING, _LONGEST_TITLE = 120, 300
_OTHER_SIZE_FACTOR = 1.4
"""How much higher a line must be than its neighbour to be of another size: boxes follow the letters."""
_SECTION = re.compile(
    r"(?:\d+(?:\.\d+)*\.? +)?(?:abstract|summary|background|introduction|aims?|objectives?"
    r"|(?:materials?|patients|subjects) and methods"
    r"|methods?|results|findings|discussion|conclusions?|limitations|references|acknowledge?ments?|funding"
    r"|conflicts? of interests?|case reports?)\W?|(?-i:\d{1,2}(?:\.\d{1,2})*\. ?[A-Z][^.;:,]{2,60})",
    re.IGNORECASE,
)
"""The whole line of a heading that is no higher than others."""
_CELL, _FEWEST_ROWS = 26, 3
_FULL_LINE = 0.85

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text, or a part of one that stands apart; `box` is in fractions of the page, `score` how sure its reader is."""

    text: str
    box: Box
    score: float = 1.0

    @property
    def height(self) -> float:
        """Of its box."""
        return self.box[3] - self.box[1]


def blocks_of(lines: Sequence[Line], is_first: bool = False) -> Iterator[dict[str, object]]:
    """The lines of a page as blocks of the middle JSON in reading order; `is_first` for the page that may have a title."""
    if not lines:
        return
    usual = median(line.height for line in lines)
    begun = is_first
    for number, group in enumerate(_in_order(list(lines), usual)):
        kind, content = _read_group(group, usual, begun)
        begun = begun and kind != "doc_title"
        box = _around(group)
        if kind == "table":
            body = {"type": "table_body", "content": content, "bbox": box, "index": number}
            yield {"type": kind, "bbox": box, "index": number, "content": [body]}
        else:
            yield {
                "type": kind,
                "bbox": box,
                "index": number,
                "level": 1 if kind == "doc_title" else 2,
                "content": [{"type": "text", "content": content}],
            }


def _read_group(group: Sequence[Line], usual: float, begun: bool) -> tuple[str, str]:
    if _is_tabular(_rows(group)) and (table := read_grid(_glyphs(group))):
        return "table", table
    text = group[0].text
    for line in group[1:]:
        text = join(text, line.text)
    height = median(line.height for line in group)
    if begun and height >= _TITLE * usual and len(text) <= _LONGEST_TITLE:
        return "doc_title", text
    if len(text) > _LONGEST_HEADING or (height < _HEADING * usual and not _SECTION.fullmatch(text)):
        return "text", text
    return "paragraph_title", text


def _around(lines: Sequence[Line]) -> list[float]:
    edges = list(zip(*(line.box for line in lines), strict=True))
    return [min(edges[0]), min(edges[1]), max(edges[2]), max(edges[3])]


def _in_order(lines: list[Line], usual: float) -> Iterator[list[Line]]:
    """The lines in groups, each a paragraph, heading or table: cut where blanks run down or across the page, recursively."""
    if _is_tabular(_rows(lines)):
        yield sorted(lines, key=lambda line: (line.box[1], line.box[0]))
        return
    sections = _sections(_cut(lines, 1, _PARAGRAPH_GAP * usual))
    if len(sections) == 1:
        sections = _cut(lines, 0, _COLUMN_GAP)
    if len(sections) == 1:
        yield from _by_size(sorted(lines, key=lambda line: line.box[1]), usual)
        return
    for part in sections:
        yield from _in_order(part, usual)


def _sections(bands: Sequence[list[Line]]) -> list[list[Line]]:
    """Bands one below the other, those together between whose columns the same blank runs down: they are read by columns."""
    found: list[list[Line]] = []
    for band in bands:
        if found and len(_cut(found[-1], 0, _COLUMN_GAP)) > 1 and not _is_tabular(_rows(band)):
            both = [*found[-1], *band]
            if not _is_tabular(_rows(found[-1])) and len(_cut(both, 0, _COLUMN_GAP)) > 1:
                found[-1] = both
                continue
        found.append(band)
    return found


def _cut(lines: Sequence[Line], axis: int, gap: float) -> list[list[Line]]:
    """The lines in parts between which a blank wider than `gap` runs, along x (`axis` 0) or y (1)."""
    parts: list[list[Line]] = []
    reached = 0.0
    for line in sorted(lines, key=lambda line: (line.box[axis], line.box[1 - axis])):
        if not parts or line.box[axis] > reached + gap:
            parts.append([])
        parts[-1].append(line)
        reached = max(reached, line.box[axis + 2]) if len(parts[-1]) > 1 else line.box[axis + 2]
    return parts


def _by_size(lines: Sequence[Line], usual: float) -> Iterator[list[Line]]:
    """Lines one below the other, parted where their size changes or, after a line that ends early, another is set in."""
    group = [lines[0]]
    left, right = min(line.box[0] for line in lines), max(line.box[2] for line in lines)
    for before, line in pairwise(lines):
        is_heading = _SECTION.fullmatch(before.text) or _SECTION.fullmatch(line.text)
        low, high = sorted((before.height, line.height))
        is_other = bool(is_heading) or high >= _OTHER_SIZE_FACTOR * low
        ends_early = before.box[2] - left < _FULL_LINE * (right - left)
        if is_other or (ends_early and line.box[0] > left + _COLUMN_GAP):
            yield group
            group = []
        group.append(line)
    yield group


def _rows(lines: Sequence[Line]) -> list[list[Line]]:
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: line.box[1] + line.box[3]):
        middle = (line.box[1] + line.box[3]) / 2
        if rows and middle < rows[-1][0].box[3]:
            rows[-1].append(line)
        else:
            rows.append([line])
    return rows


def _is_tabular(rows: Sequence[Sequence[Line]]) -> bool:
    """Whether most rows are short texts side by side: two columns of prose have long ones."""
    beside = [row for row in rows if len(row) > 1]
    cells = [len(line.text) for row in beside for line in row]
    return len(beside) >= _FEWEST_ROWS and len(beside) * 4 >= len(rows) * 3 and mean(cells) <= _CELL


def _glyphs(lines: Sequence[Line]) -> list[Glyph]:
    """The characters of lines, as if all of a line's were equally wide; in thousandths of the page."""
    found = []
    for line in lines:
        x0, y0, x1, y1 = (1000 * edge for edge in line.box)
        step = (x1 - x0) / len(line.text)
        spaced = False
        for place, text in enumerate(line.text):
            if text.isspace():
                spaced = True
                continue
            box = (x0 + place * step, y0, x0 + (place + 1) * step, y1)
            found.append(Glyph(text, box, after_space=spaced))
            spaced = False
    return found
