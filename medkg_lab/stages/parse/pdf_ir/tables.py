"""Tables written as HTML, read into rows of cell texts."""

from html.parser import HTMLParser

from medkg_lab.models.ir import Table
from medkg_lab.stages.limits import check_cells
from medkg_lab.stages.parse.pdf_ir.text import mend

_MAX_SPAN = 100
_MAX_CELLS = 100_000


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

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "thead":
            self._in_head = True
        elif tag == "tr":
            self._start_row()
        elif tag in ("td", "th") and self._cells < _MAX_CELLS:
            self._start_cell(tag == "th", dict(attrs))
        elif tag == "br" and self._cell is not None:
            self._cell.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag == "thead":
            self._in_head = False
        elif tag in ("td", "th", "tr", "table"):
            self._end_cell()

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)

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
        if self._cell is not None:
            self.rows[-1][self._start] = mend("".join(self._cell))
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
        return Table(rows=rows, header_rows=heads)


def _span(value: str | None) -> int:
    return min(int(value), _MAX_SPAN) if value and value.isdecimal() and int(value) > 0 else 1


def read_table(html: str) -> Table | None:
    """The first table in `html` as rows of equal length, or None when it holds no text."""
    reader = _Rows()
    reader.feed(html)
    reader.close()
    reader.handle_endtag("table")
    return reader.table()


def table_text(table: Table) -> str:
    """The table as text: cells joined by ` | `, rows by newlines."""
    return "\n".join(" | ".join(row) for row in table.rows)
