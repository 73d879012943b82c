"""Lines of the processes' logs: read apart, merged by time, as rows. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from rich.cells import chop_cells

from medkg_lab.tui.formatting import clock
from medkg_lab.tui.widgets.line_view import Column
from medkg_lab.tui.widgets.panel import safe
from medkg_lab.tui.widgets.table import Cell, Row

COLUMNS = (Column("TIME", 8), Column("PROCESS", 14), Column("LEVEL", 7, wide=70), Column("TEXT", 0))
FOUND_CELLS = 2
"""Cells of the sign before a line that was looked for."""
MIN_CELLS = 20
LOUD = frozenset({"error", "critical"})
_LINE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),(\d{3}) ([A-Z]+) ([^ :]+): (.*)", re.DOTALL)
_TOKENS = {"debug": "muted", "info": "muted", "warning": "warn", "error": "bad", "critical": "bad"}
_PACKAGE = "medkg_lab."


@dataclass(frozen=True)
class LogLine:
    """A line: seconds since the epoch (those of the line before, where it has none), process, level in words, text."""

    at: float
    process: str
    level: str
    text: str
    number: int

    @property
    def is_loud(self) -> bool:
        """Whether it tells of an error."""
        return self.level in LOUD


def read(process: str, lines: Sequence[str], last: float, first_number: int, now: float) -> list[LogLine]:
    """Lines of one process's log, written last at `now`; `last` is the moment of the line before the first, 0 for none."""
    found = []
    for number, line in enumerate(lines, first_number):
        fits = _LINE.fullmatch(line)
        if fits is None:
            found.append(LogLine(last, process, "", line, number))
            continue
        moment, millis, level, name, text = fits.groups()
        last = datetime.strptime(moment, "%Y-%m-%d %H:%M:%S").timestamp() + int(millis) / 1000
        found.append(LogLine(last, process, level.lower(), f"{name.removeprefix(_PACKAGE)}: {text}", number))
    first = next((line.at for line in found if line.at), now)
    return [line if line.at else replace(line, at=first) for line in found]


def rows(line: LogLine, found: bool, width: int = 0) -> list[Row]:
    """A line as a row; one that was looked for stands out. With a `width` its text goes on below in rows of so many cells."""
    token = _TOKENS.get(line.level, "muted")
    text_token = "accent bold" if found else ("bad" if line.is_loud else "text")
    first, *rest = _pieces(line.text, width - FOUND_CELLS) if width else [line.text]
    key = f"{line.process}:{line.number}"
    head = (Cell(clock(line.at) if line.at else "", "muted"), Cell(line.process, "text"), Cell(line.level, token))
    below = (Cell(""), Cell(""), Cell(""))
    return [
        Row(key, (*head, Cell(first, text_token, "▪" if found else "", "accent"))),
        *(Row(f"{key}+{at}", (*below, Cell(piece, text_token))) for at, piece in enumerate(rest)),
    ]


def _pieces(text: str, width: int) -> list[str]:
    """Text cut into pieces of at most `width` cells; what is shorter stays whole."""
    if text.isascii() and text.isprintable() and len(text) <= width:
        return [text]
    return chop_cells(safe(text), max(MIN_CELLS, width)) or [""]
