"""A list of any length, of which only a window is held: cursor, marks, columns that fold away, a scrollbar of one cell."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from medkg_lab.tui.theme import Line
from medkg_lab.tui.widgets.line_view import Column, LineView, widths
from medkg_lab.tui.widgets.panel import fit, strip_of, titled

LEAD = 3
"""Cells before the first column: the cursor, a mark, a space."""
AHEAD = 50
"""Rows before the edge of the window at which the next one is asked for."""


@dataclass(frozen=True)
class Cell:
    """Text in a token's colour; `lead` is a glyph before it in a colour of its own."""

    text: str
    token: str = "text"
    lead: str = ""
    lead_token: str = "text"


@dataclass(frozen=True)
class Row:
    """A row: what it is known by, and a cell for each column."""

    key: str
    cells: Sequence[Cell]


@dataclass
class Marks:
    """The rows that were marked, by key."""

    keys: set[str] = field(default_factory=set)

    def toggle(self, key: str) -> None:
        """Mark, or unmark."""
        self.keys ^= {key}


class Table(LineView):
    """A virtual table. It asks for rows by `Wanted`; they are handed over by `show`."""

    DEFAULT_CSS = """
    Table {
        border: round $lab-line; border-title-color: $lab-muted; border-subtitle-color: $lab-muted;
        padding: 0 0 0 1; background: $lab-bg; height: 1fr;
    }
    Table:focus { border: round $lab-accent; border-title-color: $lab-accent; }
    """

    class Wanted(Message):
        """The rows around `offset` are needed and not held."""

        def __init__(self, table: "Table", offset: int) -> None:
            super().__init__()
            self.table = table
            self.offset = offset

        @property
        def control(self) -> "Table":
            """The table."""
            return self.table

    class Moved(Message):
        """Another row is under the cursor."""

        def __init__(self, table: "Table", row: Row | None) -> None:
            super().__init__()
            self.table = table
            self.row = row

        @property
        def control(self) -> "Table":
            """The table."""
            return self.table

    class Opened(Moved):
        """The row under the cursor was clicked twice."""

    class HeadClicked(Message):
        """The title of a column was clicked."""

        def __init__(self, table: "Table", title: str) -> None:
            super().__init__()
            self.table, self.title = table, title

    def __init__(self, columns: Sequence[Column], id: str | None = None, page: int = 200) -> None:
        super().__init__(id=id)
        self.columns = columns
        self.page_rows = page
        self.total = 0
        self.held_from = 0
        self.rows: Sequence[Row] = ()
        self.cursor = 0
        self.top = 0
        self.marks = Marks()
        self.empty: Sequence[Line] = ()
        self.greyed = False
        self._painted_as: object = None

    @property
    def row(self) -> Row | None:
        """The row under the cursor, when it is held."""
        return self.row_at(self.cursor)

    @property
    def body_rows(self) -> int:
        """Rows that fit below the head."""
        return max(1, self.size.height - 1)

    def row_at(self, index: int) -> Row | None:
        """Row number `index` of the whole list, when it is held."""
        at = index - self.held_from
        return self.rows[at] if 0 <= at < len(self.rows) else None

    def head(self, title: str, foot: str = "") -> None:
        """Set title and subtitle."""
        titled(self, title, foot)

    def show(self, rows: Sequence[Row], total: int | None = None, offset: int = 0) -> None:
        """Hold these rows, which begin at `offset` of a list of `total`; the cursor stays on its row where it can."""
        before, was = self.row, (self._painted_as, self.held_from, self.rows)
        if before is not None and self.held_from == offset:
            self.cursor = next((offset + at for at, row in enumerate(rows) if row.key == before.key), self.cursor)
        self.rows, self.held_from = tuple(rows), offset
        self.total = len(rows) if total is None else total
        self.cursor = max(0, min(self.cursor, self.total - 1))
        self._scroll_to_cursor()
        if (self.row and self.row.key) != (before and before.key):
            self.post_message(self.Moved(self, self.row))
        self._repaint(*was)

    def _repaint(self, painted_as: object, held_from: int, rows: Sequence[Row]) -> None:
        """Ask for the lines that changed alone: most rows are the same from one look to the next."""
        self._painted_as = (
            tuple(self.columns), self.total, self.cursor, self.top, self.size, frozenset(self.marks.keys), self.greyed,
            tuple(map(tuple, self.empty)),
        )  # fmt: skip
        if self._painted_as != painted_as or held_from != self.held_from or not self.total:
            self.refresh()
            return
        for at in range(self.top, min(self.total, self.top + self.body_rows)):
            before = rows[at - held_from] if 0 <= at - held_from < len(rows) else None
            if before != self.row_at(at):
                self.refresh(Region(0, 1 + at - self.top, self.size.width, 1))

    def set_cursor(self, index: int) -> None:
        """Put the cursor on row `index`."""
        before = self.cursor
        self.cursor = max(0, min(index, self.total - 1))
        self._scroll_to_cursor()
        if self.cursor != before:
            self.post_message(self.Moved(self, self.row))
        self.refresh()

    def _scroll_to_cursor(self) -> None:
        fit_rows = self.body_rows
        self.top = max(0, min(self.top, self.cursor, max(0, self.total - fit_rows)))
        self.top = max(self.top, self.cursor - fit_rows + 1)
        first, last = max(0, self.top - AHEAD), min(self.total, self.top + fit_rows + AHEAD)
        if self.total and (first < self.held_from or last > self.held_from + len(self.rows)):
            self.post_message(self.Wanted(self, max(0, self.top - self.page_rows // 2)))

    def step(self, rows: int) -> None:
        """Move the cursor by rows."""
        self.set_cursor(self.cursor + rows)

    def go_to_edge(self, last: bool) -> None:
        """Move the cursor to the first or the last row."""
        self.set_cursor((self.total - 1) * last)

    def on_resize(self, _: events.Resize) -> None:
        """Keep the cursor in sight."""
        self._scroll_to_cursor()

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the mouse is; a second click opens."""
        at = event.get_content_offset(self)
        if at is not None and at.y == 0 and (title := self._column_at(at.x)) is not None:
            self.post_message(self.HeadClicked(self, title))
        if at is None or at.y < 1 or self.top + at.y - 1 >= self.total:
            return
        self.set_cursor(self.top + at.y - 1)
        if event.chain == 2:
            self.post_message(self.Opened(self, self.row))

    def _column_at(self, x: int) -> str | None:
        """The title of the column over cell `x`."""
        at = LEAD
        for column, wide in zip(self.columns, self._widths, strict=True):
            if wide >= 0:
                if at <= x < at + wide:
                    return column.title
                at += wide + 2
        return None

    def toggle_mark(self) -> None:
        """Mark the row under the cursor and go to the next."""
        if self.row is not None:
            self.marks.toggle(self.row.key)
            self.set_cursor(self.cursor + 1)
            self.refresh()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Head and rows."""
        return 1 + max(self.total, len(self.empty), 1)

    def room(self, columns: Sequence[Column], number: int) -> int:
        """Cells that column `number` of `columns` would have in this table."""
        return widths(columns, self.size.width - LEAD)[number]

    @property
    def _widths(self) -> list[int]:
        return widths(self.columns, self.size.width - LEAD)

    def render_line(self, y: int) -> Strip:
        """Paint the head or a row."""
        width, ground = self.size.width, Style(bgcolor=self.colours.colour("bg"))
        if y == 0:
            shown = ((column, wide) for column, wide in zip(self.columns, self._widths, strict=True) if wide >= 0)
            names = "  ".join(fit(column.title, wide, column.right) for column, wide in shown)
            return strip_of([("   " + names, "muted")], self.colours, width, ground)
        if not self.total:
            return strip_of(self.empty[y - 1] if y <= len(self.empty) else (), self.colours, width, ground)
        index = self.top + y - 1
        bar = self.scrollbar(y - 1, self.top, self.total)
        return Strip([*self._painted(index, width - 1, ground), bar])

    def _painted(self, index: int, width: int, ground: Style) -> Strip:
        row = self.row_at(index)
        if row is None:
            return strip_of([("   …", "muted")] if index < self.total else (), self.colours, width, ground)
        here = index == self.cursor
        if here:
            ground = Style(bgcolor=self.colours.colour("cursor"))
        spans = [("▌" if here else " ", "accent"), ("▪ " if row.key in self.marks.keys else "  ", "accent")]
        for column, cell, wide in zip(self.columns, row.cells, self._widths, strict=True):
            if wide < 0:
                continue
            token = "muted" if self.greyed else cell.token
            lead = f"{cell.lead} " if cell.lead else ""
            spans += [(lead, "muted" if self.greyed else cell.lead_token)] if lead else []
            spans += [(column.cell(cell.text, max(0, wide - cell_len(lead))), token), ("  ", token)]
        spans.pop()
        return strip_of(spans, self.colours, width, ground)
