"""A stream of rows that costs by the frame, not by the row.

Rows land in a bounded ring as plain tuples; whoever feeds it asks for at most one repaint of all that came, and a row becomes
text when its line is painted. A widget with a position of its own and no scrolling container: a virtual size that grows
would cost a layout and a second paint for every flush, and rows would slide under the reader whenever the oldest are dropped.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.segment import Segment
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.timer import Timer

from medkg_lab.tui.formatting import milliseconds, short_id
from medkg_lab.tui.glyphs import sign
from medkg_lab.tui.screens.events.filter import EventFilter
from medkg_lab.tui.screens.events.rows import LOUD, EventRow
from medkg_lab.tui.theme import Line, Palette
from medkg_lab.tui.widgets.line_view import Column, LineView
from medkg_lab.tui.widgets.panel import fit, strip_of

KEPT = 100_000
FLUSHES_PER_SECOND = 20
TESTED_PER_FLUSH = 8_000
"""Rows that are held against the filter between two frames: a few milliseconds of work."""
NARROW, WIDE = 100, 160
_QUIET = frozenset({"ok", "run", "muted"})


def columns(width: int) -> tuple[Column, ...]:
    """The columns that a line of so many cells has: ids have their room first."""
    document = Column("DOCUMENT", 18 if width < NARROW else 36, middle=True)
    head = (Column("TIME", 13), Column("WHAT", 14), Column("STAGE", 13), document)
    job = (Column("JOB", 9), Column("TRY", 4)) if width >= WIDE else ()
    return (*head, *job, Column("TOOK", 9, right=True), Column("NOTE", 0))


def cells(row: EventRow) -> dict[str, str]:
    """A row's text for each column but the state's."""
    return {
        "TIME": datetime.fromtimestamp(row.ts).strftime("%H:%M:%S.%f")[:-3],
        "STAGE": row.stage,
        "DOCUMENT": row.document,
        "JOB": short_id(row.job),
        "TRY": str(row.attempt) if row.attempt > 1 else "",
        "TOOK": milliseconds(row.ms),
        "NOTE": row.note,
    }


class View:
    """Rows by ordinal: the number that a row had when it came; the oldest are dropped."""

    def __init__(self, kept: int) -> None:
        self._rows: deque[EventRow] = deque(maxlen=kept)
        self.end = 0

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def start(self) -> int:
        """The ordinal of the oldest row that is kept."""
        return self.end - len(self._rows)

    def extend(self, rows: Sequence[EventRow]) -> None:
        """Add the newest rows."""
        self._rows.extend(rows)
        self.end += len(rows)

    def at(self, ordinal: int) -> EventRow | None:
        """The row with this ordinal, if it is kept."""
        place = ordinal - self.start
        return self._rows[place] if 0 <= place < len(self._rows) else None

    def all(self) -> Iterable[EventRow]:
        """Every row, oldest first."""
        return tuple(self._rows)

    def first(self, reached: Callable[[EventRow], bool]) -> int:
        """The ordinal of the first row for which `reached` holds, `end` if there is none; it must hold from one row on."""
        low, high = 0, len(self._rows)
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if reached(self._rows[middle]) else (middle + 1, high)
        return self.start + low


class EventRing(LineView):
    """The live list of events: follows, pauses, is narrowed, and has a cursor."""

    DEFAULT_CSS = """
    EventRing { height: 1fr; background: $lab-bg; }
    """

    @dataclass
    class Moved(Message):
        """The cursor came to another row, by a person's hand; `opened` when it was clicked twice."""

        row: EventRow
        opened: bool = False

    def __init__(self, kept: int = KEPT, id: str | None = None) -> None:
        super().__init__(id=id)
        self.kept = kept
        self.live = View(kept)
        self.follows = True
        self.filter = EventFilter()
        self.history: View | None = None
        self.held_at = 0
        self._narrowed: View | None = None
        self._untested: deque[EventRow] = deque()
        self._cursor = -1
        self._top = 0
        self._changed = False
        self._flushing: Timer | None = None
        self._columns: tuple[Column, ...] = ()
        self._empty: Line = ()
        self.painted: EventRow | None = None
        self.painted_at = 0.0

    # Rows

    def feed(self, rows: Sequence[EventRow]) -> None:
        """Take in new rows; so cheap that 50,000 at once are no burden."""
        self.live.extend(rows)
        if self._narrowed is not None:
            self._untested.extend(rows)
        self._changed = True

    def flush(self) -> None:
        """Test what waits for the filter, and ask for one repaint if there is something new to see."""
        if self._narrowed is not None and self._untested:
            number = min(TESTED_PER_FLUSH, len(self._untested))
            tested = [self._untested.popleft() for _ in range(number)]
            self._narrowed.extend([row for row in tested if self.filter.fits(row)])
            self._changed = True
            if self._untested and self._flushing is None:
                self._flushing = self.set_timer(1 / FLUSHES_PER_SECOND, self._flush_on)
        if self._changed:
            self._changed = False
            self.refresh()

    def _flush_on(self) -> None:
        self._flushing = None
        self.flush()

    def narrow(self, wanted: EventFilter) -> None:
        """Show only the rows that fit, of those that are kept and of those to come."""
        if wanted == self.filter:
            return
        self.filter = wanted
        self._narrowed = View(self.kept) if wanted else None
        self._untested = deque(self.live.all() if wanted else ())
        self.history = None
        self.flush()
        self.follow()

    @property
    def view(self) -> View:
        """The rows that are looked at: of the past, narrowed, or all."""
        return self.history or (self.live if self._narrowed is None else self._narrowed)

    @property
    def painted_age(self) -> float:
        """Seconds from the newest row's event to its first frame; negative while none was painted."""
        return self.painted_at - self.painted.ts if self.painted is not None else -1.0

    def show_empty(self, line: Line) -> None:
        """Say this while there is no row."""
        if line != self._empty:
            self._empty = line
            if not len(self.view):
                self.refresh()

    # Where the reader is

    @property
    def cursor(self) -> int:
        """The ordinal of the row under the cursor; the newest one while following."""
        newest = self.view.end - 1
        return newest if self.follows else min(newest, max(self.view.start, self._cursor))

    @property
    def row(self) -> EventRow | None:
        """The row under the cursor."""
        return self.view.at(self.cursor)

    @property
    def new(self) -> int:
        """Rows that came since following stopped."""
        return 0 if self.follows else self.live.end - self.held_at

    def pause(self) -> None:
        """Hold the view still; rows go on coming behind it."""
        if self.follows:
            self._cursor, self._top = self.cursor, self._first_shown()
            self.held_at = self.live.end
            self.follows = False
            self.refresh()

    def follow(self) -> None:
        """Show the newest rows from now on."""
        self.history = None
        self.follows = True
        self.refresh()

    def show_history(self, rows: Sequence[EventRow]) -> None:
        """Show rows of the past that are not kept; following leaves them."""
        past = View(max(1, len(rows)))
        past.extend([row for row in rows if self.filter.fits(row)])
        self.pause()
        self.history = past
        self.go_to(0)

    def go_to(self, ordinal: int) -> None:
        """Put the cursor on a row and stop following."""
        self.pause()
        self._cursor = ordinal
        self._cursor = self.cursor
        height = max(1, self.size.height)
        if not self._top <= self._cursor < self._top + height:
            self._top = self._cursor - height // 2
        self.refresh()
        if (row := self.row) is not None:
            self.post_message(self.Moved(row))

    def go_to_time(self, ts: float) -> bool:
        """Go to the first row at or after a moment; False when that is older than what is kept."""
        oldest = self.live.at(self.live.start)
        if oldest is None or ts < oldest.ts:
            return False
        self.history = None
        self.go_to(self.view.first(lambda row: row.ts >= ts))
        return True

    def go_to_seq(self, seq: int) -> bool:
        """Go to the row with this number or the next one; False when that is older than what is kept."""
        oldest = self.live.at(self.live.start)
        if oldest is None or seq < oldest.seq:
            return False
        self.history = None
        self.go_to(self.view.first(lambda row: row.seq >= seq))
        return True

    def go_to_failure(self, step: int) -> bool:
        """Go to the next failure in one direction; False when there is none."""
        return self._go_to(step, lambda row: row.type in LOUD)

    def go_to_match(self, step: int, wanted: EventFilter) -> bool:
        """Go to the next row in one direction that fits `wanted`; False when there is none."""
        return self._go_to(step, lambda row: bool(row.seq) and wanted.fits(row))

    def _go_to(self, step: int, reached: Callable[[EventRow], bool]) -> bool:
        place = self.cursor + step
        while (row := self.view.at(place)) is not None:
            if reached(row):
                self.go_to(place)
                return True
            place += step
        return False

    def step(self, rows: int) -> None:
        """Move the cursor; beyond the newest row it follows again."""
        if rows > 0 and self.cursor + rows >= self.view.end and self.history is None:
            self.follow()
        elif len(self.view):
            wanted = self.cursor + rows
            self.pause()
            self._top = min(self._top, max(wanted, self.view.start))
            self._top = max(self._top, min(wanted, self.view.end - 1) - self.size.height + 1)
            self.go_to(wanted)

    def go_to_edge(self, last: bool) -> None:
        """Go to the oldest row that is kept, or follow the newest."""
        if last:
            self.follow()
        else:
            self.go_to(self.view.start)

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on a row; a second click opens it."""
        clicked = self.view.at(self._first_shown() + event.y)
        if clicked is not None:
            self.go_to(self._first_shown() + event.y)
            if event.chain == 2:
                self.post_message(self.Moved(clicked, opened=True))

    # Painting

    def _first_shown(self) -> int:
        end, start, height = self.view.end, self.view.start, self.size.height
        newest = max(start, end - height)
        return newest if self.follows else max(start, min(self._top, newest))

    def render_lines(self, crop: Region) -> list[Strip]:
        """Decide once per frame which rows are shown."""
        self._top = self._first_shown()
        self._columns = columns(self.size.width)
        newest = self.view.at(self.view.end - 1)
        if self.follows and newest is not self.painted:
            self.painted, self.painted_at = newest, time.time()
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """Paint the row at line `y`."""
        palette = self.colours
        ordinal = self._top + y
        row = self.view.at(ordinal)
        width = self.size.width - 1
        if row is None:
            said = self._empty if y == 0 and not len(self.view) else ()
            line = strip_of(said, palette, width, palette.style("text on bg"))
        else:
            line = self._painted(row, palette, ordinal == self.cursor and not self.follows, width)
        return Strip([*line, self.scrollbar(y, self._top - self.view.start, len(self.view))])

    def _painted(self, row: EventRow, palette: Palette, at_cursor: bool, width: int) -> Strip:
        ground = "on cursor" if at_cursor else "on bg"
        state, text = row.state, cells(row)
        loud = state.token not in _QUIET
        parts = [Segment("▌" if at_cursor else " ", palette.style(f"accent {ground}"))]
        left = width - 1
        for column in self._columns:
            size = column.width or left
            if column.title == "WHAT":
                word = palette.style(f"{state.token if loud else 'muted'} {'bold ' if loud else ''}{ground}")
                parts.append(Segment(f"{sign(state)} ", palette.style(f"{state.token} bold {ground}")))
                parts.append(Segment(_padded(state.word, size - 2, False), word))
            else:
                plain = column.title in ("STAGE", "DOCUMENT") or (loud and column.title == "NOTE")
                style = palette.style(f"{'text' if plain else 'muted'} {ground}")
                parts.append(Segment(_padded(text[column.title], size, column.right, column.middle), style))
            left -= size
        return Strip(parts, width)


def _padded(text: str, width: int, right: bool, middle: bool = False) -> str:
    """Exactly `width` cells, the last of them empty; a column on the right has two empty ones at its end."""
    room = width - (2 if right else 1)
    if len(text) <= room and text.isascii():
        return (text.rjust(room) + "  ") if right else text.ljust(width)
    return fit(text, max(0, room), right, middle) + " " * (width - max(0, room))


def heading(width: int) -> str:
    """The line above the rows."""
    line = " "
    for column in columns(width):
        line += _padded(column.title, column.width, column.right) if column.width else column.title
    return line.ljust(width)
