"""3 Events: the ledger's log as it grows, narrowed, held still, searched by time, and each event told in full."""

import time
from collections.abc import Mapping, Sequence

from msgspec.structs import asdict, replace
from textual import events
from textual.app import ComposeResult
from textual.timer import Timer

from medkg_lab.lab import event_history
from medkg_lab.lab.facade import Lab
from medkg_lab.lab.lookup import person
from medkg_lab.models.events import Event
from medkg_lab.tui import keys
from medkg_lab.tui.dialogs import Answer, Choice, Question
from medkg_lab.tui.formatting import number, short_id
from medkg_lab.tui.messages import Snapshot, Subject
from medkg_lab.tui.screens.base import ModeScreen
from medkg_lab.tui.screens.events import render
from medkg_lab.tui.screens.events.feed import EventFeed, NewEvents
from medkg_lab.tui.screens.events.filter import EventFilter
from medkg_lab.tui.screens.events.ring import FLUSHES_PER_SECOND, KEPT, EventRing, heading
from medkg_lab.tui.screens.events.rows import Decoder, EventRow
from medkg_lab.tui.screens.frame_screen import Session
from medkg_lab.tui.theme import Line
from medkg_lab.tui.time_parsing import FORMS, Place, place
from medkg_lab.tui.widgets.panel import Lines, Panel

READ_BACK = 1000
"""Events of the past that are shown at once."""
HEAD_INTERVAL_S = 0.25
MINUTE = 60


class EventsScreen(ModeScreen):
    """The stream over what is said of one event."""

    word = "events"
    about = (
        "What happens, as it happens: a line for each document and step. / narrows it as you type: type:, stage:, job: and "
        "doc: look at one field, other words at all of them, - before a word excludes it. Going up pauses; f follows "
        "again. t goes to a time or a number, [ and ] to failures, n and N to matches of the last filter, also when esc has "
        "cleared it, enter tells all of one event."
    )
    twins = "medkg-lab events --follow · events --after SEQ · events --job ID --json"
    AUTO_FOCUS = "#ring"
    BINDINGS = keys.bindings(
        "narrow", "pause", "follow", "time", "next", "previous",
        open="inspect", again="retry the job", earlier="the failure before", later="the next failure",
    )  # fmt: skip
    footer = ("open", "narrow", "pause", "follow", "time", "why")

    DEFAULT_CSS = """
    EventsScreen #chips, EventsScreen #positions, EventsScreen #columns { height: 1; }
    EventsScreen #told { height: 13; display: none; }
    EventsScreen.told #told { display: block; }
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.feed = EventFeed(
            lambda: session.lab.ledger, KEPT, event_history.documents, lambda: self.call_later(self._come)
        )
        self._taken_at = 0.0
        self._head_due: Timer | None = None
        self._taken = NewEvents((), 0, 0, 0.0, 0)
        self._asked: EventRow | None = None
        self._told: Mapping[str, object] | None = None
        self._filter = self._sought = ""
        self._topic: int | None = None
        self.ring = EventRing(id="ring")
        self._chips, self._positions, self._heading = Lines(id="chips"), Lines(id="positions"), Lines(id="columns")
        self._panel = Panel(id="told")

    def compose_mode(self) -> ComposeResult:
        """The regions."""
        yield from (self._chips, self._positions, self._heading, self.ring, self._panel)

    def on_unmount(self) -> None:
        """Stop following."""
        self.feed.stop()

    # Taking and painting

    def shown(self) -> None:
        """Follow from now on, also while another mode is seen."""
        self.feed.start()
        self.call_after_refresh(self._paint_head)

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """The topic's position."""
        self._topic = int(snapshot.positions["outbox"]) if "outbox" in snapshot.positions else None
        self._paint_head()

    def _come(self) -> None:
        """Something came: it is taken at once, or when the time of the next frame has come."""
        early = self._taken_at + 1 / FLUSHES_PER_SECOND - time.monotonic()
        if early > 0:
            self.set_timer(early, self._drain)
        else:
            self._drain()

    def _drain(self) -> None:
        self._taken_at = time.monotonic()
        gone = self._taken.gone
        self._taken = self.feed.pop()
        if self._taken.rows:
            self.ring.feed(self._taken.rows)
            self.ring.flush()
        if self._head_due is None:
            self._head_due = self.set_timer(HEAD_INTERVAL_S, self._head_is_due)
        if bool(gone) != bool(self._taken.gone) and self.is_current:
            self.repaint_frame()

    def _head_is_due(self) -> None:
        self._head_due = None
        self._paint_head()

    def _paint_head(self) -> None:
        if not self.is_current or not self.ring.size.width:
            return
        ring, taken, width = self.ring, self._taken, self.size.width
        rates = self.feed.per_second(time.time(), render.SPARKS)
        self._chips.show([render.chips(ring.filter, rates, width)])
        age = render.age(ring.painted_age)
        shown: Line = [(age, "muted")] if ring.follows else [(f"held, {number(ring.new)} new", "wait bold")]
        self._positions.show([render.positions(taken, self._topic, shown, len(ring.live), width)])
        self._heading.show([[(heading(width - 1), "muted")]])
        ring.show_empty(render.empty(ring.filter, taken))

    def now(self, snapshot: Snapshot) -> Line | None:
        """The stream in a sentence."""
        if not self.feed.started:
            return None
        ring, moment = self.ring, time.time()
        failed, retried = (sum(self.feed.per_second(moment, MINUTE, kind)) for kind in ("failed", "retrying"))
        rate = self.feed.per_second(moment)[0]
        past = ring.history is not None
        return render.sentence(
            self._taken, rate, failed, retried, ring.follows, ring.new, past, EventFilter.parse(self._filter)
        )

    # Narrowing

    def narrow(self, text: str) -> None:
        """Show only what fits."""
        self._filter = text
        self._sought = text or self._sought
        self.ring.narrow(EventFilter.parse(text))
        self._paint_head()

    def narrowed(self) -> str:
        """What is asked for."""
        return self._filter

    def completions(self) -> list[str]:
        """Terms of a filter."""
        return ["type:failed", "type:retrying", "type:gate", "stage:", "job:", "doc:"]

    def command(self, words: Sequence[str]) -> bool:
        """A filter; with a whole job's id, what the ledger has of it."""
        self.narrow(" ".join(words))
        if len(words) == 1 and words[0].startswith("job:"):
            self._read_job(words[0].removeprefix("job:"))
        return True

    # The thing under the cursor

    def subject(self) -> Subject | None:
        """The job that the event is about."""
        row = self.ring.row
        if row is None or not row.job:
            return None
        return Subject("job", row.job, row.document or short_id(row.job), raw=asdict(row))

    def can(self, action: str) -> bool:
        """What acts on a row needs one."""
        row = self.ring.row
        if action in ("open", "raw"):
            return row is not None and bool(row.seq)
        if action in ("next", "previous"):
            return bool(self._sought)
        return bool(row is not None and row.job) if action == "again" else super().can(action)

    def words(self) -> dict[str, str]:
        """What the keys do here."""
        return {} if self.ring.follows else {"pause": "resume"}

    def step_back(self) -> bool:
        """Close what is told of an event."""
        if not self.has_class("told"):
            return False
        self.remove_class("told")
        self.ring.focus()
        return True

    def action_open(self) -> None:
        """Tell all of the event under the cursor; once more closes it."""
        if self.has_class("told") and self._asked == self.ring.row:
            self.step_back()
            return
        self.ring.pause()
        self.add_class("told")
        self._update_head()

    def on_event_ring_moved(self, message: EventRing.Moved) -> None:
        """What is told follows the cursor."""
        if self.has_class("told"):
            self._update_head()
        if message.opened:
            self.action_open()
        self.refresh_bindings()

    def _update_head(self) -> None:
        row = self.ring.row
        if row is None or not row.seq:
            return
        self._asked, self._told = row, None
        self._paint_summary()

        def show(told: Mapping[str, object]) -> None:
            if self._asked == row:
                self._told = told
                self._paint_summary()

        self.query_lab("told", lambda lab: event_history.event_as_json(lab.ledger, row.seq, row.job), show)

    def _paint_summary(self) -> None:
        panel, row = self._panel, self._asked
        if row is None:
            return
        panel.head(f"{row.type} · seq {number(row.seq)}", "y all of it as JSON · esc close")
        size = panel.size if panel.size.width else self.size
        panel.show(render.inspected(row, self._told, size.width, max(4, size.height)))

    def on_resize(self, event: events.Resize) -> None:
        """Lay the head out anew."""
        self.call_after_refresh(self._paint_head)
        self.call_after_refresh(self._paint_summary)

    def action_raw(self) -> None:
        """The event as JSON, to read and copy."""
        row = self.ring.row
        if row is None:
            return

        def show(told: Mapping[str, object]) -> None:
            self.show_raw(f"{row.type} · seq {number(row.seq)}", told)

        self.query_lab("raw", lambda lab: event_history.event_as_json(lab.ledger, row.seq, row.job), show)

    def action_again(self) -> None:
        """Ask, then retry the job that the event is about."""
        row = self.ring.row
        if row is None or not row.job:
            return
        question = Question(
            f"Retry {row.document or short_id(row.job)}",
            ["It runs again from the first stage that is not completed; what is done stays."],
            (Choice("r", "Retry the job", "retry"), Choice("", "esc Cancel", "")),
            f"medkg-lab jobs retry {row.job}",
        )

        def then(answer: Answer) -> None:
            self.act(lambda lab: lab.ledger.retry(row.job, by=person()), done="The job is on the queue again.")

        self.choose(question, then)

    # Where the reader is

    def action_pause(self) -> None:
        """Hold the list still, or go on."""
        if self.ring.follows:
            self.ring.pause()
        else:
            self.action_follow()
        self._moved()

    def action_follow(self) -> None:
        """Follow the newest event again."""
        self.ring.follow()
        self._moved()

    def action_match(self, step: int) -> None:
        """The next match of what was typed after / last, also when all rows are shown again; or the one before."""
        if not self.ring.go_to_match(step, EventFilter.parse(self._sought)):
            side = "later" if step > 0 else "earlier"
            self.notify(f"There is no {side} match of /{self._sought} among the rows that are kept.")
        self._moved()

    def action_part(self, step: int) -> None:
        """The next failure, or the one before."""
        if not self.ring.go_to_failure(step):
            self.notify(f"There is no {'next' if step > 0 else 'earlier'} failure among the rows that are kept.")
        self._moved()

    def _moved(self) -> None:
        self._paint_head()
        self.repaint_frame()

    def action_time(self) -> None:
        """Ask for a time or a number, and go there."""
        question = Question(
            "Go to a time",
            [[(FORMS, "muted")]],
            (Choice("", "Go there", "go"), Choice("", "Stay", "")),
            "medkg-lab events --after SEQ",
            asks="time or number",
            required="type a time or a number first",
        )

        def then(answer: Answer) -> None:
            wanted = place(answer.text, time.time())
            if wanted is None:
                self.notify(f"{answer.text} is not a time: {FORMS}.", severity="warning")
            else:
                self.go_to(wanted)

        self.choose(question, then)

    def go_to(self, wanted: Place) -> None:
        """Go to a moment or a number; what is older than the rows that are kept is read from the ledger."""
        ring = self.ring
        if (wanted.seq is not None and ring.go_to_seq(wanted.seq)) or (
            wanted.ts is not None and ring.go_to_time(wanted.ts)
        ):
            self._moved()
        else:
            self.query_lab("past", lambda lab: _past(lab, wanted), self._show_past)

    def _read_job(self, job_id: str) -> None:
        def read(lab: Lab) -> Sequence[EventRow]:
            events = lab.ledger.events(0, limit=READ_BACK, job_id=job_id).events
            return [row for row in _rows(lab, events) if row.job == job_id]

        def show(rows: Sequence[EventRow]) -> None:
            if rows and self._filter == f"job:{job_id}":
                self._show_past(rows)

        self.query_lab("past", read, show)

    def _show_past(self, rows: Sequence[EventRow]) -> None:
        if not rows:
            self.notify("The ledger has no event there.")
            return
        self.ring.show_history(rows)
        self._moved()


def _past(lab: Lab, wanted: Place) -> Sequence[EventRow]:
    seq = wanted.seq if wanted.seq is not None else event_history.seq_at(lab.ledger, wanted.ts or 0.0)
    return _rows(lab, lab.ledger.events(max(0, seq - 1), limit=READ_BACK).events)


def _rows(lab: Lab, events: Sequence[Event]) -> Sequence[EventRow]:
    decoder = Decoder()
    rows = decoder.rows(events)
    decoder.learn(event_history.documents(lab.ledger, dict.fromkeys(row.job for row in rows if row.job)))
    return [replace(row, document=row.document or decoder.document(row.job)) for row in rows]
