"""A list of any length, of which only a window is held: cursor, marks, columns that fold away, a scrollbar of one cell."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, cast

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.app import RenderResult
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from medkg_lab.tui.theme import Line, Palette
from medkg_lab.tui.widgets.panel import fit, safe, strip_of

if TYPE_CHECKING:
    from medkg_lab.tui.app import LabApp

AHEAD = 50
"""Rows before the edge of the window at which the next one is asked for."""


@dataclass(frozen=True)
class Column:
    """A column: `width` cells, or with 0 an equal share of what is left; shown in tables of at least `wide` cells."""

    title: str
    width: int
    right: bool = False
    wide: int = 0


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


class Table(Widget):
    """A virtual table. It asks for rows by `Wanted`; they are handed over by `show`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", show=False),
        Binding("up,k", "move(-1)", show=False),
        Binding("pagedown,ctrl+f", "page(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("home,g", "edge(0)", show=False),
        Binding("end,G", "edge(1)", show=False),
    ]
    DEFAULT_CSS = """
    Table {
        border: round $lab-line; border-title-color: $lab-muted; border-subtitle-color: $lab-muted;
        padding: 0 0 0 1; background: $lab-bg; height: 1fr;
    }
    Table:focus { border: round $lab-accent; border-title-color: $lab-accent; }
    """
    can_focus = True

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

    @property
    def palette(self) -> Palette:
        """The colours now."""
        return cast("LabApp", self.app).palette

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
        self.border_title = Text(safe(title))
        self.border_subtitle = Text(safe(foot)) if foot else None

    def show(self, rows: Sequence[Row], total: int | None = None, offset: int = 0) -> None:
        """Hold these rows, which begin at `offset` of a list of `total`; the cursor stays on its row where it can."""
        before = self.row
        if before is not None and self.held_from == offset:
            self.cursor = next((offset + at for at, row in enumerate(rows) if row.key == before.key), self.cursor)
        self.rows, self.held_from = tuple(rows), offset
        self.total = len(rows) if total is None else total
        self.cursor = max(0, min(self.cursor, self.total - 1))
        self._keep_in_sight()
        if (self.row and self.row.key) != (before and before.key):
            self.post_message(self.Moved(self, self.row))
        self.refresh()

    def go(self, index: int) -> None:
        """Put the cursor on row `index`."""
        before = self.cursor
        self.cursor = max(0, min(index, self.total - 1))
        self._keep_in_sight()
        if self.cursor != before:
            self.post_message(self.Moved(self, self.row))
        self.refresh()

    def _keep_in_sight(self) -> None:
        fit_rows = self.body_rows
        self.top = max(0, min(self.top, self.cursor, max(0, self.total - fit_rows)))
        self.top = max(self.top, self.cursor - fit_rows + 1)
        first, last = max(0, self.top - AHEAD), min(self.total, self.top + fit_rows + AHEAD)
        if self.total and (first < self.held_from or last > self.held_from + len(self.rows)):
            self.post_message(self.Wanted(self, max(0, self.top - self.page_rows // 2)))

    def action_move(self, by: int) -> None:
        """Move the cursor by rows."""
        self.go(self.cursor + by)

    def action_page(self, by: int) -> None:
        """Move the cursor by pages."""
        self.go(self.cursor + by * self.body_rows)

    def action_edge(self, end: int) -> None:
        """Move the cursor to the first or the last row."""
        self.go((self.total - 1) * end)

    def on_resize(self, _: events.Resize) -> None:
        """Keep the cursor in sight."""
        self._keep_in_sight()

    def on_mouse_scroll_down(self, _: events.MouseScrollDown) -> None:
        """Move on."""
        self.go(self.cursor + 3)

    def on_mouse_scroll_up(self, _: events.MouseScrollUp) -> None:
        """Move back."""
        self.go(self.cursor - 3)

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the mouse is; a second click opens."""
        at = event.get_content_offset(self)
        if at is None or at.y < 1 or self.top + at.y - 1 >= self.total:
            return
        self.go(self.top + at.y - 1)
        if event.chain == 2:
            self.post_message(self.Opened(self, self.row))

    def toggle_mark(self) -> None:
        """Mark the row under the cursor and go to the next."""
        if self.row is not None:
            self.marks.toggle(self.row.key)
            self.go(self.cursor + 1)
            self.refresh()

    def toggle_all(self) -> None:
        """Mark every row that is held, or none when all of them are marked."""
        held = {row.key for row in self.rows}
        self.marks.keys = set() if held <= self.marks.keys else held
        self.refresh()

    def chosen(self) -> list[str]:
        """The keys of the marked rows, else of the row under the cursor."""
        marked = [row.key for row in self.rows if row.key in self.marks.keys]
        return marked or ([self.row.key] if self.row is not None else [])

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Head and rows."""
        return 1 + max(self.total, len(self.empty), 1)

    def render(self) -> RenderResult:
        """Only asked for by Textual's own tools; painting is by line."""
        return Text("\n".join(" ".join(safe(cell.text) for cell in row.cells) for row in self.rows))

    def room(self, columns: Sequence[Column], number: int) -> int:
        """Cells that column `number` of `columns` would have in this table."""
        return self._widths(self.size.width, columns)[number]

    def _widths(self, width: int, columns: Sequence[Column] | None = None) -> list[int]:
        shown = [column.width if width >= column.wide else -1 for column in columns or self.columns]
        used = sum(each + 2 for each in shown if each >= 0)
        rest = (width - used - 2) // max(1, shown.count(0))
        return [max(4, rest) if each == 0 else each for each in shown]

    def render_line(self, y: int) -> Strip:
        """Paint the head or a row."""
        width, ground = self.size.width, Style(bgcolor=self.palette.colour("bg"))
        if y == 0:
            names = "  ".join(
                fit(column.title, wide, column.right)
                for column, wide in zip(self.columns, self._widths(width), strict=True)
                if wide >= 0
            )
            return strip_of([("   " + names, "muted")], self.palette, width, ground)
        if not self.total:
            return strip_of(self.empty[y - 1] if y <= len(self.empty) else (), self.palette, width, ground)
        index = self.top + y - 1
        bar = self._bar(y - 1)
        return Strip([*self._painted(index, width - 1, ground), bar])

    def _bar(self, y: int) -> Segment:
        fit_rows = self.body_rows
        if self.total <= fit_rows:
            return Segment(" ", self.palette.style("line on bg"))
        length = max(1, fit_rows * fit_rows // self.total)
        start = round((fit_rows - length) * self.top / max(1, self.total - fit_rows))
        return Segment("┃" if start <= y < start + length else "│", self.palette.style("line on bg"))

    def _painted(self, index: int, width: int, ground: Style) -> Strip:
        row = self.row_at(index)
        if row is None:
            return strip_of([("   …", "muted")] if index < self.total else (), self.palette, width, ground)
        here = index == self.cursor
        if here:
            ground = Style(bgcolor=self.palette.colour("cursor"))
        spans = [("▌" if here else " ", "accent"), ("▪ " if row.key in self.marks.keys else "  ", "accent")]
        for column, cell, wide in zip(self.columns, row.cells, self._widths(width + 1), strict=True):
            if wide < 0:
                continue
            token = "muted" if self.greyed else cell.token
            lead = f"{cell.lead} " if cell.lead else ""
            spans += [(lead, "muted" if self.greyed else cell.lead_token)] if lead else []
            spans += [(fit(cell.text, max(0, wide - cell_len(lead)), column.right), token), ("  ", token)]
        spans.pop()
        return strip_of(spans, self.palette, width, ground)
