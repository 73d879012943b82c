"""The screen in ASCII alone: for terminals and fonts without more. The one place that turns what is drawn into it."""

import locale
import os
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from medkg_lab.tui import glyphs

VARIABLE = "MEDKG_LAB_ASCII"
_KEPT = 20_000


def wanted() -> bool:
    """Whether MEDKG_LAB_ASCII is set, or the locale's encoding has nothing but ASCII to be sure of."""
    if os.environ.get(VARIABLE):
        return True
    return "utf" not in locale.getencoding().lower()


def _lines() -> Iterator[tuple[str, str]]:
    """Box-drawing characters (U+2500 to U+257F) by their names: what lies is `-`, what stands is `|`, what joins is `+`."""
    for code in range(0x2500, 0x2580):
        words = set(unicodedata.name(chr(code)).split())
        lies, stands = words & {"HORIZONTAL", "LEFT", "RIGHT"}, words & {"VERTICAL", "UP", "DOWN"}
        joins = bool(lies and stands)
        yield chr(code), "+" if joins else "=" if lies and "DOUBLE" in words else "-" if lies else "|"


_SIGNS = {
    **dict(_lines()),
    "━": "=",
    "╌": ".",
    "┄": ".",
    "┊": ":",
    **dict(zip("▁▂▃▄▅▆▇█", "__.:-=##", strict=True)),
    **dict.fromkeys("▀▔", "-"),
    **dict.fromkeys("▏▎▍▊▋▉▐▕▖▗▘▝▟▙▛▜", "|"),
    "▌": ">",
    "▪": "*",
    "▸": ">",
    "◂": "<",
    "▼": "v",
    "·": ".",
    "…": "~",
    "‖": "=",
    "×": "x",
    "−": "-",
    "—": "-",
    "→": ">",
    "←": "<",
    "↑": "^",
    "↓": "v",
    "↵": "<",
    "≥": ">",
    "≤": "<",
    "°": "o",
    "›": ">",
    "‹": "<",
    "µ": "u",
    "„": '"',
    "“": '"',
    "”": '"',
    "‘": "'",
    "’": "'",
    **{state.glyph: state.plain for state in glyphs.ALL},
}


@lru_cache(_KEPT)
def plain(text: str) -> str:
    """`text` in ASCII, as many cells wide: what has no sign of its own is the letter without its accent, or `?`."""
    return text if text.isascii() else "".join(map(_plain, text))


def _plain(each: str) -> str:
    if each.isascii():
        return each
    width = cell_len(each)
    bare = _SIGNS.get(each) or unicodedata.normalize("NFKD", each).encode("ascii", "ignore").decode()
    return bare[:width].ljust(width, "?")


class PlainFilter(LineFilter):
    """Turns every line of the screen into ASCII just before it is written."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments with their text in ASCII; their widths stay."""
        return [Segment(plain(text), style, control) for text, style, control in segments]
