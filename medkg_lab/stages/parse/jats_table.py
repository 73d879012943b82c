"""JATS tables, in the XHTML model or that of OASIS, as rows of cells."""

import re
from dataclasses import dataclass

from medkg_lab.models.documents import Table
from medkg_lab.stages.limits import check_cells
from medkg_lab.stages.parse.jats_inline import inline_text
from medkg_lab.stages.parse.xml import Element, children, local_name

_MAX_SPAN = 100
_MAX_CELLS = 100_000
"""A table that claims more is not widened by its spans: `colspan` is hostile input."""


@dataclass(frozen=True, slots=True)
class _Cell:
    """A cell's text, how many columns and rows it spans, and the column where it starts, if the table says so."""

    text: str
    across: int = 1
    down: int = 1
    column: int | None = None


_Row = list[_Cell]


def read_table(element: Element) -> Table | None:
    """The table's cells; a cell that spans several rows or columns stands in each. None when it has no text. Raises TooManyCells.

    XHTML's model and that of OASIS (CALS): https://www.oasis-open.org/specs/tm9901.html. The first rows are the header: those in
    `thead`, or leading rows of `th` alone.
    """
    head, body, leading = _oasis_rows(element) if children(element, "tgroup") else _rows(element)
    rows = _spread(head + body)
    width = max((len(row) for row in rows), default=0)
    check_cells(width * len(rows))
    if not any(any(row) for row in rows) or not width:
        return None
    return Table(
        rows=tuple(tuple(row) + ("",) * (width - len(row)) for row in rows),
        header_rows=min(len(head) or leading, len(rows)),
    )


def _rows(element: Element) -> tuple[list[_Row], list[_Row], int]:
    """The rows of the head and of the body, and how many of the body's are a header nevertheless."""
    head: list[Element] = []
    body: list[Element] = []
    for part in element:
        name = local_name(part)
        if name in ("thead", "tbody", "tfoot"):
            (head if name == "thead" else body).extend(children(part, "tr"))
        elif name == "tr":
            body.append(part)
    return [_cells(row) for row in head], [_cells(row) for row in body], _leading_header_rows(body)


def _cells(row: Element) -> _Row:
    return [
        _Cell(inline_text(cell), _count(cell, "colspan"), _count(cell, "rowspan")) for cell in children(row, "td", "th")
    ]


def _oasis_rows(element: Element) -> tuple[list[_Row], list[_Row], int]:
    head: list[_Row] = []
    body: list[_Row] = []
    for group in children(element, "tgroup"):
        columns = _oasis_columns(group)
        spans = {item.get("spanname", ""): item for item in children(group, "spanspec")}
        for part in children(group, "thead", "tbody", "tfoot"):
            into = head if local_name(part) == "thead" and not body else body
            for row in children(part, "row"):
                into.append([_entry(entry, columns, spans) for entry in children(row, "entry", "entrytbl")])
    return head, body, 0


def _oasis_columns(group: Element) -> dict[str, int]:
    """The columns' places by their names."""
    places: dict[str, int] = {}
    for number, spec in enumerate(children(group, "colspec")):
        given = spec.get("colnum", "")
        places[spec.get("colname", "")] = (
            min(int(given) - 1, _MAX_SPAN) if re.fullmatch("[1-9][0-9]{0,4}", given) else number
        )
    return places


def _entry(entry: Element, columns: dict[str, int], spans: dict[str, Element]) -> _Cell:
    named = spans.get(entry.get("spanname", ""), entry)
    first = columns.get(named.get("namest", entry.get("colname", "")))
    last = columns.get(named.get("nameend", ""))
    across = last - first + 1 if first is not None and last is not None and last >= first else 1
    more = entry.get("morerows", "0").strip()
    down = 1 + min(int(more), _MAX_SPAN) if more.isdecimal() and len(more) < 6 else 1
    return _Cell(inline_text(entry), across, down, first)


def _leading_header_rows(rows: list[Element]) -> int:
    count = 0
    for row in rows:
        if not len(row) or any(local_name(cell) != "th" for cell in row):
            break
        count += 1
    return count if count < len(rows) else 0


def _spread(cells: list[_Row]) -> list[list[str]]:
    """Rows of texts with spans filled in; `below` holds, by column, the text that still reaches down and for how many rows."""
    rows: list[list[str]] = []
    below: dict[int, tuple[str, int]] = {}
    count = filled = 0
    for each in cells:
        row: list[str] = []
        for cell in each:
            _fill(row, below)
            while cell.column is not None and len(row) < cell.column:
                row.append("")
                _fill(row, below)
            across, down = (cell.across, cell.down) if count < _MAX_CELLS else (1, 1)
            for _ in range(across):
                if down > 1:
                    below[len(row)] = (cell.text, down - 1)
                row.append(cell.text)
            count += across
        _fill(row, below)
        rows.append(row)
        filled += len(row)
        check_cells(filled)
    return rows


def _fill(row: list[str], below: dict[int, tuple[str, int]]) -> None:
    while (column := len(row)) in below:
        text, left = below.pop(column)
        row.append(text)
        if left > 1:
            below[column] = (text, left - 1)


def _count(cell: Element, name: str) -> int:
    value = cell.get(name, "1").strip()
    return max(1, min(int(value), _MAX_SPAN)) if value.isdecimal() and len(value) < 6 else 1
