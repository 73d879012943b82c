"""The characters of a PDF's page with their places, as PDFium gives them.

Places are in points of the page as it is shown: origin at the top left, y downwards, the page's own rotation applied.
"""

import ctypes
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

Box = tuple[float, float, float, float]
_QUARTERS = 4
_ABOVE = 0.75
"""The share of a font's size that stands above the baseline."""
_WORD_GAP = 0.2
"""A gap wider than this share of the usual height of characters parts two words."""
_SPACE_GAP = 0.05
"""The same where PDFium's text has a space; scripts may touch although it has one."""
_NO_SHAPE = "\x00\x02\ufffe"
_SMALL = 0.85
"""What is lower than this share of the usual height may be a script."""
_SCRIPT_REACH = 0.8
"""How far a script's middle may be from that of its line, as a share of the usual height."""
_LINE_SHARE = 0.3
"""Characters whose middles are closer than this share of their height stand on one line."""


@dataclass(frozen=True, slots=True)
class Glyph:
    """A visible character; `angle` is the number of quarter turns clockwise that its line is turned by.

    `after_space` says that PDFium's text has a space right before it.
    """

    text: str
    box: Box
    angle: int = 0
    after_space: bool = False

    @property
    def height(self) -> float:
        """The size of its font."""
        return self.box[3] - self.box[1]

    @property
    def middle(self) -> float:
        """The y of its middle."""
        return (self.box[1] + self.box[3]) / 2


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page's size as shown, and its glyphs in the order of PDFium's text."""

    width: float
    height: float
    glyphs: tuple[Glyph, ...]

    def inside(self, box: Sequence[float]) -> list[Glyph]:
        """The upright glyphs whose middles are within `box`, which is in fractions of the page."""
        x0, y0, x1, y1 = box[0] * self.width, box[1] * self.height, box[2] * self.width, box[3] * self.height
        upright = (one for one in self.glyphs if one.angle == 0)
        return [one for one in upright if x0 <= (one.box[0] + one.box[2]) / 2 <= x1 and y0 <= one.middle <= y1]


def read_sheet(page: Any) -> Sheet:
    """Read a page. Raises PdfiumError when it has no text page."""
    left, bottom, right, top = page.get_cropbox()
    width, height, turned = right - left, top - bottom, page.get_rotation() // 90 % _QUARTERS
    shown = (width, height) if turned % 2 == 0 else (height, width)
    text_page = page.get_textpage()
    glyphs = []
    try:
        rectangle = pdfium.FS_RECTF()
        origin = (ctypes.c_double(), ctypes.c_double())
        high, spaced = 0, False
        for index in range(pdfium.FPDFText_CountChars(text_page)):
            code = pdfium.FPDFText_GetUnicode(text_page, index)
            if 0xD800 <= code < 0xDC00:
                high = code
                continue
            if 0xDC00 <= code < 0xE000:
                code = 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00) if high else 0xFFFD
            high = 0
            text = chr(code)
            after_space, spaced = spaced, text.isspace()
            if spaced or text in _NO_SHAPE or not pdfium.FPDFText_GetLooseCharBox(text_page, index, rectangle):
                continue
            corners = (
                _shown(rectangle.left - left, rectangle.bottom - bottom, width, height, turned),
                _shown(rectangle.right - left, rectangle.top - bottom, width, height, turned),
            )
            (x0, x1), (y0, y1) = sorted(corner[0] for corner in corners), sorted(corner[1] for corner in corners)
            quarters = (round(pdfium.FPDFText_GetCharAngle(text_page, index) / (math.pi / 2)) + turned) % _QUARTERS
            if quarters == 0 and (size := _size(text_page, index)):
                # Fonts say their heights differently; size and baseline are what makes a line, and a script.
                pdfium.FPDFText_GetCharOrigin(text_page, index, *origin)
                _, base = _shown(origin[0].value - left, origin[1].value - bottom, width, height, turned)
                y0, y1 = base - size * _ABOVE, base + size * (1 - _ABOVE)
            glyphs.append(Glyph(text, (x0, y0, x1, y1), quarters, after_space))
    finally:
        text_page.close()
    return Sheet(shown[0], shown[1], tuple(glyphs))


def _size(text_page: Any, index: int) -> float:
    """The size of a character's font as it is drawn, in points; 0 when it is not known."""
    matrix = pdfium.FS_MATRIX()
    if not pdfium.FPDFText_GetMatrix(text_page, index, matrix):
        return 0.0
    return float(pdfium.FPDFText_GetFontSize(text_page, index)) * math.hypot(matrix.c, matrix.d)


def _shown(x: float, y: float, width: float, height: float, turned: int) -> tuple[float, float]:
    """A point of the unturned page (origin at the bottom left) as shown, turned clockwise by quarters."""
    return ((x, height - y), (y, x), (width - x, y), (height - y, width - x))[turned]


@dataclass(frozen=True, slots=True)
class Word:
    """Glyphs without a gap on one line."""

    glyphs: tuple[Glyph, ...]

    @property
    def text(self) -> str:
        """Its characters."""
        return "".join(one.text for one in self.glyphs)

    @property
    def x0(self) -> float:
        """Its left edge."""
        return self.glyphs[0].box[0]

    @property
    def x1(self) -> float:
        """Its right edge."""
        return max(one.box[2] for one in self.glyphs)


def lines_of(glyphs: Sequence[Glyph]) -> list[list[Word]]:
    """The words of the lines from top to bottom, each from left to right; scripts belong to the line that they touch."""
    if not glyphs:
        return []
    usual = median(one.height for one in glyphs) or 1.0
    lines: list[list[Glyph]] = []
    for one in sorted((one for one in glyphs if one.height >= usual * _SMALL), key=lambda one: one.middle):
        if lines and one.middle - median(other.middle for other in lines[-1][-8:]) < usual * _LINE_SHARE:
            lines[-1].append(one)
        else:
            lines.append([one])
    middles = [median(one.middle for one in line) for line in lines]
    apart: list[Glyph] = []
    for one in glyphs:
        if one.height < usual * _SMALL:
            nearest = min(range(len(lines)), key=lambda place: abs(middles[place] - one.middle))
            near = abs(middles[nearest] - one.middle) < usual * _SCRIPT_REACH
            (lines[nearest] if near else apart).append(one)
    words = [_words(sorted(line, key=lambda one: one.box[0]), usual) for line in lines]
    return sorted([*words, *lines_of(apart)], key=lambda line: line[0].glyphs[0].middle)


def _words(line: Sequence[Glyph], usual: float) -> list[Word]:
    words: list[list[Glyph]] = []
    for one in line:
        gap = one.box[0] - max(other.box[2] for other in words[-1]) if words else 0.0
        if words and gap <= usual * (_SPACE_GAP if one.after_space else _WORD_GAP):
            words[-1].append(one)
        else:
            words.append([one])
    return [Word(tuple(word)) for word in words]


def open_pages(document: pypdfium2.PdfDocument) -> list[Sheet | None]:
    """The sheets of all pages; None for one that cannot be read."""
    sheets: list[Sheet | None] = []
    for index in range(len(document)):
        try:
            page = document[index]
        except pypdfium2.PdfiumError:
            sheets.append(None)
            continue
        try:
            sheets.append(read_sheet(page))
        except pypdfium2.PdfiumError:
            sheets.append(None)
        finally:
            page.close()
    return sheets
