"""A list that paints a line at a time, with a cursor and a scrollbar of one cell: what tables and the stream of events share.

No scrolling container: a virtual size that grows would cost a layout and a second paint for every row that comes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.app import RenderResult
from textual.binding import Binding, BindingType
from textual.widget import Widget

from medkg_lab.tui.theme import Palette, palette_of
from medkg_lab.tui.widgets.panel import fit

SCROLLED = 3
"""Rows that one turn of the mouse wheel moves."""


@dataclass(frozen=True)
class Column:
    """A column: `width` cells, or with 0 a `share` of what is left; shown in lists of at least `wide` cells.

    With `middle`, text that is too long is shortened in its middle: ids differ at their end.
    """

    title: str
    width: int
    right: bool = False
    wide: int = 0
    share: int = 1
    middle: bool = False

    def cell(self, text: object, width: int) -> str:
        """Text as this column shows it."""
        return fit(text, width, self.right, self.middle)


def widths(columns: Sequence[Column], room: int, gap: int = 2, least: int = 4) -> list[int]:
    """The cells of each column in `room` cells, with `gap` cells between two; -1 for one that is not shown."""
    shown = [column.width if room >= column.wide else -1 for column in columns]
    left = room - sum(each + gap for each in shown if each >= 0)
    shares = sum(column.share for column, width in zip(columns, shown, strict=True) if width == 0)
    return [
        max(least, left * column.share // shares) if width == 0 else width
        for column, width in zip(columns, shown, strict=True)
    ]


class LineView(Widget, can_focus=True):
    """The keys, the mouse wheel and the scrollbar of a list whose lines its subclass paints."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "next row", show=False),
        Binding("up,k", "move(-1)", "row before", show=False),
        Binding("pagedown,ctrl+f", "page(1)", "next page", show=False),
        Binding("pageup", "page(-1)", "page before", show=False),
        Binding("home,g", "edge(False)", "first row", show=False),
        Binding("end,G", "edge(True)", "last row", show=False),
    ]

    @property
    def colours(self) -> Palette:
        """The colours now."""
        return palette_of(self)

    @property
    def body_rows(self) -> int:
        """Rows that are seen at once."""
        return max(1, self.size.height)

    def step(self, rows: int) -> None:
        """Move the cursor by rows."""
        raise NotImplementedError

    def go_to_edge(self, last: bool) -> None:
        """Move the cursor to the first or the last row."""
        raise NotImplementedError

    def action_move(self, by: int) -> None:
        """Move the cursor by rows."""
        self.step(by)

    def action_page(self, by: int) -> None:
        """Move the cursor by what is seen."""
        self.step(by * self.body_rows)

    def action_edge(self, last: bool) -> None:
        """Move the cursor to the first or the last row."""
        self.go_to_edge(last)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Move on."""
        event.stop()
        self.step(SCROLLED)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Move back."""
        event.stop()
        self.step(-SCROLLED)

    def scrollbar(self, y: int, top: int, total: int) -> Segment:
        """The cell of the scrollbar at row `y`, of a list of `total` rows that is seen from row `top` on."""
        rows = self.body_rows
        if total <= rows:
            return Segment(" ", self.colours.style("line on bg"))
        length = max(1, rows * rows // total)
        start = round((rows - length) * top / max(1, total - rows))
        return Segment("┃" if start <= y < start + length else "│", self.colours.style("line on bg"))

    def render(self) -> RenderResult:
        """Nothing: lines are painted one by one."""
        return ""
