"""JATS tables (the XHTML table model) as rows of cells."""

from medkg_lab.models.ir import Table
from medkg_lab.stages.limits import check_cells
from medkg_lab.stages.parse.jats_inline import inline_text
from medkg_lab.stages.parse.xml import Element, children, local_name

_MAX_SPAN = 100
_MAX_CELLS = 100_000
"""A table that claims more is not widened by its spans: `colspan` is hostile input."""


def read_table(element: Element) -> Table | None:
    """The table's cells; a cell that spans several rows or columns stands in each. None when it has no text. Raises TooManyCells.

    The first rows are the header: those in `thead`, or leading rows of `th` alone.
    """
    head, body = _rows(element)
    rows = _spread(head + body)
    width = max((len(row) for row in rows), default=0)
    check_cells(width * len(rows))
    if not any(any(row) for row in rows) or not width:
        return None
    header = len(head) or _leading_header_rows(body)
    return Table(
        rows=tuple(tuple(row) + ("",) * (width - len(row)) for row in rows), header_rows=min(header, len(rows))
    )


def _rows(element: Element) -> tuple[list[Element], list[Element]]:
    head: list[Element] = []
    body: list[Element] = []
    for part in element:
        name = local_name(part)
        if name in ("thead", "tbody", "tfoot"):
            (head if name == "thead" else body).extend(children(part, "tr"))
        elif name == "tr":
            body.append(part)
    return head, body


def _leading_header_rows(rows: list[Element]) -> int:
    count = 0
    for row in rows:
        if not len(row) or any(local_name(cell) != "th" for cell in row):
            break
        count += 1
    return count if count < len(rows) else 0


def _spread(elements: list[Element]) -> list[list[str]]:
    """Rows of texts with spans filled in; `below` holds, by column, the text that still reaches down and for how many rows."""
    rows: list[list[str]] = []
    below: dict[int, tuple[str, int]] = {}
    cells = filled = 0
    for element in elements:
        row: list[str] = []
        for cell in children(element, "td", "th"):
            _fill(row, below)
            text = inline_text(cell)
            across, down = (_span(cell, name) if cells < _MAX_CELLS else 1 for name in ("colspan", "rowspan"))
            for _ in range(across):
                if down > 1:
                    below[len(row)] = (text, down - 1)
                row.append(text)
            cells += across
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


def _span(cell: Element, name: str) -> int:
    value = cell.get(name, "1").strip()
    return max(1, min(int(value), _MAX_SPAN)) if value.isdecimal() and len(value) < 6 else 1
