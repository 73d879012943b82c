"""7 Logs: what the processes write, merged by time or one by one."""

import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path

import msgspec
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal

from medkg_lab.lab import job_queries
from medkg_lab.lab.facade import Lab
from medkg_lab.tui import keys
from medkg_lab.tui.dialogs import Answer, Choice, Question, Sheet
from medkg_lab.tui.formatting import clock, number, plural, short_id
from medkg_lab.tui.messages import Subject
from medkg_lab.tui.screens.base import ModeScreen
from medkg_lab.tui.screens.frame_screen import Session
from medkg_lab.tui.screens.logs import render
from medkg_lab.tui.screens.logs.render import LogLine
from medkg_lab.tui.time_parsing import place
from medkg_lab.tui.widgets.line_view import Column
from medkg_lab.tui.widgets.panel import wrapped
from medkg_lab.tui.widgets.table import Cell, Row, Table

KEPT = 10_000
FIRST_BYTES = 256 * 1024
MAX_BYTES = 2 * 1024 * 1024
"""Bytes of each log that are read at first, and at most at once later."""
OF_LINES = frozenset({"open", "narrow", "pause", "follow", "time", "wrap", "earlier", "later"})
Fresh = dict[str, tuple[list[str], int, float]]
"""Of each log what is new, where it ends, and when it was written last (seconds since the epoch)."""


class LogsScreen(ModeScreen):
    """The processes at the left, their lines at the right."""

    word = "logs"
    about = (
        "What the processes write, merged by time. space at the left chooses processes; none chosen means all. / finds text, "
        "n and N go from match to match, [ and ] from error to error. Going up stops following; f follows again. W wraps long "
        "lines, ↵ shows one whole."
    )
    twins = "medkg-lab logs [NAME] --lines 50"
    AUTO_FOCUS = "#lines"
    poll_every_s = 0.4
    BINDINGS = keys.bindings(
        "pause", "follow", "time", "wrap", "next", "previous", "earlier", "later", "mark_all",
        narrow="find", mark="choose", open="whole line", again="restart the process",
    )  # fmt: skip
    footer = ("narrow", "pause", "follow", "time", "mark", "wrap")

    DEFAULT_CSS = """
    LogsScreen #panes { height: 1fr; }
    LogsScreen #names { width: 22; }
    LogsScreen #lines { width: 1fr; }
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._lines: deque[LogLine] = deque(maxlen=KEPT)
        self._places: dict[str, int] = {}
        self._numbers: dict[str, int] = {}
        self._last: dict[str, float] = {}
        self._find = self._only = ""
        self._following = True
        self._paused = False
        self._held_back = 0
        self._shown: list[LogLine] = []
        self._starts: Sequence[int] = ()
        self._wraps = False

    def compose_mode(self) -> ComposeResult:
        """The regions."""
        with Horizontal(id="panes"):
            yield Table((Column("PROCESS", 0),), id="names")
            yield Table(render.COLUMNS, id="lines")

    @property
    def _names(self) -> Table:
        return self.query_one("#names", Table)

    @property
    def _list(self) -> Table:
        return self.query_one("#lines", Table)

    # Reading

    def shown(self) -> None:
        """Read what came since."""
        self.poll_lab()
        self._paint()

    def poll_lab(self) -> None:
        """Read what came since."""
        places = dict(self._places)
        self.poll("logs", lambda lab: _fresh(lab, places), self._append)

    def _append(self, fresh: Fresh) -> None:
        came: list[LogLine] = []
        for name, (texts, end, written) in fresh.items():
            first = self._numbers.get(name, 0)
            read = render.read(name, texts, self._last.get(name, 0.0), first, written)
            self._places[name], self._numbers[name] = end, first + len(texts)
            self._last[name] = read[-1].at if read else self._last.get(name, 0.0)
            came += read
        self._paint_names(sorted(self._places))
        if came:
            self._lines.extend(sorted(came, key=lambda line: line.at))
            self._held_back += len(came)
            if not self._paused:
                self._paint()
        self._head()

    def _paint_names(self, names: Sequence[str]) -> None:
        table = self._names
        table.empty = [[("  none yet", "muted")]]
        table.show([Row(name, (Cell(name),)) for name in names])
        table.head(f"Processes · {len(names)}")

    def _paint(self) -> None:
        chosen = self._names.marks.keys
        self._held_back = 0
        only = self._only
        of_job = [line for line in self._lines if only and only in line.text]
        self._shown = of_job or [line for line in self._lines if not only and (not chosen or line.process in chosen)]
        table = self._list
        nothing = (
            f"  No process has written of {only}. E on the job shows its events."
            if only
            else "  Nothing was written yet."
        )
        table.empty = [[(nothing, "muted")]]
        width = table.room(render.COLUMNS, len(render.COLUMNS) - 1) if self._wraps else 0
        rows = [render.rows(line, self._fits(line), width) for line in self._shown]
        self._starts = [0, *accumulate(map(len, rows))][: len(rows)]
        table.show([row for each in rows for row in each])
        if self._following:
            table.set_cursor(table.total - 1)
        self._head()

    def _fits(self, line: LogLine) -> bool:
        return bool(self._find) and self._find.lower() in f"{line.process} {line.level} {line.text}".lower()

    def _head(self) -> None:
        chosen = self._names.marks.keys
        which = f"job {short_id(self._only)}" if self._only else " ".join(sorted(chosen)) if chosen else "all"
        state = (
            f"paused · {number(self._held_back)} new"
            if self._paused
            else ("following" if self._following else "standing")
        )
        found = f" · /{self._find} · {plural(sum(map(self._fits, self._shown)), 'hit')}" if self._find else ""
        self._list.head(f"Logs · {which} · {state}{found}", f"{number(len(self._shown))} lines")

    def on_table_moved(self, message: Table.Moved) -> None:
        """Going up stops following; coming to the end follows again."""
        if message.table is self._list:
            self._following = self._list.cursor >= self._list.total - 1
            self._head()

    # Hooks

    @property
    def _at(self) -> int:
        """Which of the lines has the cursor; -1 without any."""
        return bisect_right(self._starts, self._list.cursor) - 1

    def _line(self) -> LogLine | None:
        at = self._at
        return self._shown[at] if 0 <= at < len(self._shown) else None

    def subject(self) -> Subject | None:
        """The process that wrote the line under the cursor."""
        row = self._names.row if self._names.has_focus else None
        line = self._line()
        name = row.key if row is not None else (line.process if line is not None else None)
        if name is None:
            return None
        process = self.snapshot.process(name)
        return None if process is None else Subject("process", name, name, name, msgspec.to_builtins(process))

    def narrow(self, text: str) -> None:
        """Find text; the newest match has the cursor."""
        self._find = text
        self._paint()
        if text:
            self._go_to_next(self._fits, -1, len(self._shown))

    def narrowed(self) -> str:
        """What is looked for."""
        return self._find

    def step_back(self) -> bool:
        """The help closes first; then the lines of all jobs are shown again."""
        if super().step_back():
            return True
        had = bool(self._only)
        if had:
            self.command([])
        return had

    def words(self) -> dict[str, str]:
        """What the keys do here."""
        return {
            "pause": "resume" if self._paused else "pause",
            "wrap": "cut lines" if self._wraps else "wrap",
        }

    def can(self, action: str) -> bool:
        """Matches need something to find, lines need lines."""
        if action in {"next", "previous"}:
            return bool(self._find)
        if action in {"mark", "mark_all"}:
            return bool(self._places)
        if action == "again":
            return self.subject() is not None
        return super().can(action) and (action not in OF_LINES or bool(self._shown))

    def completions(self) -> list[str]:
        """The processes."""
        return sorted(self._places)

    def command(self, words: Sequence[str]) -> bool:
        """`:logs pdf bridge` chooses processes; `/text` behind them shows only the lines that have it."""
        self._names.marks.keys = {word for word in words if not word.startswith("/")}
        self._only = next((word[1:] for word in words if word.startswith("/")), "")
        self._following = True
        self._paint()
        return True

    # Actions

    def action_mark(self) -> None:
        """Choose the process at the left, or that of the line."""
        line = self._line()
        if self._names.has_focus:
            self._names.toggle_mark()
        elif line is not None:
            self._names.marks.toggle(line.process)
            self._names.refresh()
        self._paint()

    def action_mark_all(self) -> None:
        """All processes again."""
        self._names.marks.keys.clear()
        self._names.refresh()
        self._paint()

    def action_open(self) -> None:
        """The whole line; at the left, only this process."""
        row, line = self._names.row, self._line()
        if self._names.has_focus and row is not None:
            self.command([row.key])
            self._list.focus()
        elif line is not None:
            title = f"{line.process} · {clock(line.at)} {line.level}"
            self.app.push_screen(Sheet(title, wrapped(line.text, 104), "y copy · esc close", line.text))

    def action_pause(self) -> None:
        """Hold the lines still, or go on."""
        self._paused = not self._paused
        if not self._paused:
            self._paint()
        self._head()

    def action_follow(self) -> None:
        """Follow the newest line."""
        self._paused, self._following = False, True
        self._paint()

    def action_wrap(self) -> None:
        """Let long lines go on below, or cut them."""
        line = self._at
        self._wraps = not self._wraps
        self._paint()
        if not self._following and 0 <= line < len(self._starts):
            self._list.set_cursor(self._starts[line])

    def on_resize(self, event: events.Resize) -> None:
        """Wrap anew."""
        if self._wraps:
            self.call_after_refresh(self._paint)

    def action_again(self) -> None:
        """Ask, then restart the process that wrote the line."""
        if (subject := self.subject()) is not None:
            process = self.snapshot.process(subject.id)
            if process is not None:
                self.confirm_restart(process)

    def action_match(self, step: int) -> None:
        """The next match, or the one before."""
        self._go_to_next(self._fits, step)

    def action_part(self, step: int) -> None:
        """The next error, or the one before."""
        self._go_to_next(lambda line: line.is_loud, step)

    def _go_to_next(self, fits: Callable[[LogLine], bool], step: int, start: int | None = None) -> None:
        at = (self._at if start is None else start) + step
        while 0 <= at < len(self._shown):
            if fits(self._shown[at]):
                self._list.set_cursor(self._starts[at])
                return
            at += step

    def action_time(self) -> None:
        """Ask for a moment and go to the first line from then on."""
        question = Question(
            "Jump to a time",
            [[("05:38, 05:38:10, -2m, or 12 Nov 17:00", "muted")]],
            (Choice("", "Jump", "jump"), Choice("", "Cancel", "")),
            asks="when",
            required="type a time first",
        )
        self.choose(question, self._jump)

    def _jump(self, answer: Answer) -> None:
        found = place(answer.text, time.time())
        if found is None or found.ts is None:
            self.notify(
                f"{answer.text!r} is not a time: write 05:38, 05:38:10, -2m or 12 Nov 17:00.", severity="warning"
            )
            return
        wanted = found.ts
        at = next((at for at, line in enumerate(self._shown) if line.at >= wanted), len(self._shown) - 1)
        self._following = False
        if at >= 0:
            self._list.set_cursor(self._starts[at])


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _fresh(lab: Lab, places: dict[str, int]) -> Fresh:
    """What each log has beyond the given places."""
    folder = lab.locations.state / "logs"
    found: Fresh = {}
    for name in job_queries.log_names(folder):
        known = places.get(name)
        most = FIRST_BYTES if known is None else MAX_BYTES
        path = lab.locations.log(name)
        found[name] = (*job_queries.log_tail(path, known, most), _written(path))
    return found
