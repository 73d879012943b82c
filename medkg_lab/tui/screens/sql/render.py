"""What the SQL mode shows, as columns and rows: pure functions of an answer."""

import json
from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len

from medkg_lab.ledger.answers import Selected
from medkg_lab.tui.widgets.line_view import Column
from medkg_lab.tui.widgets.panel import safe
from medkg_lab.tui.widgets.table import Cell, Row

WIDEST = 48
MEASURED_ROWS = 200
"""Rows whose cells decide how wide a column is."""


def shown(value: Any) -> str:
    """A value in a cell."""
    if value is None:
        return "NULL"
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def columns(answer: Selected) -> list[Column]:
    """A column for each of the answer, as wide as its widest value; numbers stand at the right."""
    return [
        Column(title, _width(title, values := [row[at] for row in answer.rows[:MEASURED_ROWS]]), right=_numbers(values))
        for at, title in enumerate(answer.columns)
    ]


def _width(title: str, values: Sequence[Any]) -> int:
    return max(1, min(WIDEST, max(cell_len(safe(text)) for text in (title, *map(shown, values)))))


def _numbers(values: Sequence[Any]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(isinstance(value, int | float) and not isinstance(value, bool) for value in known)


def rows(answer: Selected, first: int) -> list[Row]:
    """The rows, from column `first` on."""
    return [
        Row(str(at), tuple(Cell(shown(value), "muted" if value is None else "text") for value in row[first:]))
        for at, row in enumerate(answer.rows)
    ]
