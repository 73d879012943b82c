"""Tables written as HTML, or set out with spaces, read into rows of cell texts."""

import re
from collections.abc import Sequence
from html.parser import HTMLParser
from itertools import pairwise

from medkg_lab.models.documents import Table
from medkg_lab.stages.limits import check_cells
from medkg_lab.stages.parse.latex import latex_text, with_formulas
from medkg_lab.stages.parse.pdf_ir.text import normalize
from medkg_lab.stages.parse.scripts import subscript, superscript, with_brackets

_MAX_SPAN = 100
_MAX_CELLS = 100_000
_MAX_HEADER_ROWS = 4
_LINE_END = "\n"
"""Stands between the lines of a cell until the cell is whole."""
_VALUE = re.compile(r"[<>≤≥=~≈±+−–-]?\s?\(?[+−–-]?\d")
_YEAR = re.compile(r"(?:19|20)\d\d")
_CAPTION = re.compile(r"(?:Supplementary |Suppl\. )?(?:Table|TABLE|Tab\.)\s+(?:S?\d+|[IVX]+)\b")
_ENDS_WITH_VALUE = re.compile(r"[\d%)\]*†‡]$")
_GUTTER = 2
"""Columns of blanks that part two columns of a table set out with spaces."""


class _Rows(HTMLParser):
    """Collects rows; a cell that spans others leaves these empty, so that every text stands once."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: list[dict[int, str]] = []
        self.header_rows = 0
        self._heads: list[bool] = []
        self._cell: list[str] | None = None
        self._column = 0
        self._taken: dict[int, int] = {}
        self._cells = 0
        self._in_head = False
        self._script = ""
        self._raised: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "thead":
            self._in_head = True
        elif tag == "tr":
            self._start_row()
        elif tag in ("td", "th") and self._cells < _MAX_CELLS:
            self._start_cell(tag == "th", dict(attrs))
        elif tag in ("br", "p", "div", "li") and self._cell is not None:
            self._cell.append(_LINE_END)
        elif tag in ("sup", "sub", "eq"):
            self._script = tag

    def handle_endtag(self, tag: str) -> None:
        if tag == "thead":
            self._in_head = False
        elif tag in ("td", "th", "tr", "table"):
            self._end_cell()
        elif tag == self._script:
            self._end_script()

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            (self._raised if self._script else self._cell).append(data)

    def _end_script(self) -> None:
        text, self._raised = "".join(self._raised), []
        if self._cell is not None and text.strip():
            before = "".join(self._cell)
            match self._script:
                case "sup":
                    text = superscript(before, text)
                case "sub":
                    text = subscript(before, text)
                case _:
                    text = latex_text(text)
            self._cell.append(text)
        self._script = ""

    def _start_row(self) -> None:
        self._end_cell()
        self.rows.append({})
        self._heads.append(self._in_head)
        self._column = 0
        self._taken = {column: left - 1 for column, left in self._taken.items() if left > 1}

    def _start_cell(self, head: bool, attributes: dict[str, str | None]) -> None:
        self._end_cell()
        if not self.rows:
            self._start_row()
        while self._column in self._taken:
            self.rows[-1][self._column] = ""
            self._column += 1
        wide, high = _span(attributes.get("colspan")), _span(attributes.get("rowspan"))
        for column in range(self._column, self._column + wide):
            self.rows[-1][column] = ""
            if high > 1:
                self._taken[column] = high
        self._cells += wide
        self._heads[-1] = self._heads[-1] or (head and self._column == 0)
        self._heads[-1] = self._heads[-1] and (head or self._in_head)
        self._cell = []
        self._start = self._column
        self._column += wide

    def _end_cell(self) -> None:
        if self._script:
            self._end_script()
        if self._cell is not None:
            self.rows[-1][self._start] = cell_text("".join(self._cell).split(_LINE_END))
            self._cell = None

    def table(self) -> Table | None:
        """The table, or None when no cell has text. Raises TooManyCells."""
        width = max((column + 1 for row in self.rows for column in row), default=0)
        check_cells(width * len(self.rows))
        rows = tuple(tuple(row.get(column, "") for column in range(width)) for row in self.rows)
        if not any(cell for row in rows for cell in row):
            return None
        heads = 0
        while heads < len(self._heads) and self._heads[heads]:
            heads += 1
        return Table(rows=rows, header_rows=heads or header_rows(rows))


def _span(value: str | None) -> int:
    return min(int(value), _MAX_SPAN) if value and value.isdecimal() and int(value) > 0 else 1


def cell_text(lines: Sequence[str]) -> str:
    """A cell's lines as one: two values stay two (`39.8 / 50.0`), words go on."""
    made = ""
    for line in (normalize(with_brackets(with_formulas(line))) for line in lines):
        apart = _ENDS_WITH_VALUE.search(made) and _VALUE.match(line) and line[:1] != "("
        made += f"{' / ' if apart else ' ' if made and line else ''}{line}"
    return made


def read_table(html: str) -> Table | None:
    """The first table in `html` as rows of equal length, or None when it holds no text."""
    reader = _Rows()
    reader.feed(html)
    reader.close()
    reader.handle_endtag("table")
    return reader.table()


def header_rows(rows: Sequence[Sequence[str]]) -> int:
    """How many rows at the top of a table that marks none are its header: those that hold no values, while most others do."""
    if len(rows) < 2:
        return 0
    valued = [_has_values(row) for row in rows]
    first = next((number for number, has in enumerate(valued) if has), 1)
    # A row with a label alone, below the first, opens a group of rows.
    first = next((number for number in range(1, first) if rows[number][0] and not any(rows[number][1:])), first)
    if sum(valued) * 2 < len(rows) - first:
        first = min(first, 1)
    return first if first <= _MAX_HEADER_ROWS and first < len(rows) else 0


def _has_values(row: Sequence[str]) -> bool:
    """Whether at least half of the cells behind the first are values; years and counts in brackets head columns."""
    cells = [cell for cell in row[1:] if cell]
    values = [cell for cell in cells if _VALUE.match(cell) and not _YEAR.fullmatch(cell)]
    return bool(values) and len(values) * 2 >= len(cells)


def read_layout(text: str) -> Table | None:
    """A table set out with spaces, as rows of cells; None when no column of blanks parts it."""
    lines = [line for line in text.expandtabs().split("\n") if line.strip()]
    width = max(map(len, lines), default=0)
    check_cells(width and len(lines))
    blank = [all(place >= len(line) or line[place] == " " for line in lines) for place in range(width)]
    cuts = [0]
    start = None
    for place, is_blank in enumerate([*blank, False]):
        if is_blank:
            start = place if start is None else start
        elif start is not None:
            if place - start >= _GUTTER and start > 0:
                cuts.append(place)
            start = None
    if len(cuts) < 2:
        return None
    ends = [*cuts[1:], width]
    rows = tuple(tuple(normalize(line[a:b]) for a, b in zip(cuts, ends, strict=True)) for line in lines)
    return Table(rows=rows, header_rows=header_rows(rows))


def captioned(table: Table) -> list[tuple[str, Table]]:
    """The tables that one region holds, each with the caption in a row of its own above it; "" where there is none."""
    cuts = [
        number
        for number, row in enumerate(table.rows)
        if len(said := [*filter(None, row)]) == 1 and _CAPTION.match(said[0])
    ]
    if not cuts:
        return [("", table)]
    found = [("", table.rows[: cuts[0]])] if cuts[0] else []
    for start, end in pairwise([*cuts, len(table.rows)]):
        found.append((next(filter(None, table.rows[start])), table.rows[start + 1 : end]))
    return [(caption, Table(rows=rows, header_rows=header_rows(rows))) for caption, rows in found if rows or caption]


def continued(begun: Table | None, more: Table) -> Table | None:
    """One table of a beginning and of what goes on after a page's end, whose header is not said twice; None when they differ."""
    if begun is None or len(begun.rows[0]) != len(more.rows[0]):
        return None
    header = begun.rows[: begun.header_rows]
    again = more.rows[: begun.header_rows] == header
    rows = more.rows[begun.header_rows :] if again else more.rows
    if not again and more.header_rows and header:
        return None
    return Table(rows=(*begun.rows, *rows), header_rows=begun.header_rows)


def table_text(table: Table) -> str:
    """The table as text: cells joined by ` | `, rows by newlines."""
    return "\n".join(" | ".join(row) for row in table.rows)
