"""8 Replay: an imported incident, run again stage by stage under a person's eyes, with its time below it."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll

from medkg_lab.errors import LabError
from medkg_lab.models.events import Event
from medkg_lab.repro.runs import Run, Step
from medkg_lab.tui import keys
from medkg_lab.tui.dialogs import Sheet
from medkg_lab.tui.messages import Snapshot
from medkg_lab.tui.screens.base import ModeScreen
from medkg_lab.tui.screens.frame_screen import Session
from medkg_lab.tui.screens.replay import incident, render
from medkg_lab.tui.screens.replay.incident import Opened, Order, ReplayRun, ReplayState, StepData
from medkg_lab.tui.screens.replay.render import Key
from medkg_lab.tui.theme import Line
from medkg_lab.tui.widgets.panel import Panel
from medkg_lab.tui.widgets.table import Table

OF_INCIDENT = frozenset({"next", "go_on", "breakpoint", "again", "open", "later", "earlier", "diff"})


class ReplayScreen(ModeScreen):
    """The incident and its verdict, its steps, what the present one takes and gives, and the line of time."""

    word = "replay"
    about = (
        "An incident that was imported into this home, run again on its own: what its stages need of the outside comes from the "
        "recording, and time is virtual. n goes on by a stage, R to the next breakpoint, B sets one before or after the stage "
        "under the cursor, r starts again. ← → move along the incident's events, [ ] to what went wrong. Another topology or "
        "another input for a stage is given in `medkg-lab repro step`, by its commands topology and set."
    )
    twins = "medkg-lab repro import FILE · repro run · repro diff · repro step"
    footer = ("next", "go_on", "breakpoint", "again", "later", "open")

    AUTO_FOCUS = "#steps"
    BINDINGS: ClassVar[list[BindingType]] = [
        *keys.bindings(
            "go_on",
            "breakpoint",
            "again",
            next="step",
            open="values",
            later="next trouble",
            earlier="trouble before",
            diff="divergences",
        ),
        Binding("left", "scrub(-1)", show=False),
        Binding("right", "scrub(1)", show=False),
    ]
    DEFAULT_CSS = """
    ReplayScreen #middle { height: 1fr; }
    ReplayScreen #steps { width: 5fr; }
    ReplayScreen #values { width: 3fr; scrollbar-size-vertical: 1; }
    ReplayScreen.nothing #incident, ReplayScreen.nothing #values, ReplayScreen.nothing #time { display: none; }
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._opened: Opened | None = None
        self._moment = ReplayState()
        self._run: ReplayRun | None = None
        self._stops: set[str] = set()
        self._event = 0
        self._kept = 0
        self._fault = ""
        self._reading = False
        self._looked: tuple[StepData, str] | None = None

    def compose_mode(self) -> ComposeResult:
        """The regions."""
        yield Panel("Incident", id="incident")
        with Horizontal(id="middle"):
            yield Table(render.STEPS, id="steps")
            with VerticalScroll(id="values", can_focus=False):
                yield Panel("Input", id="taken")
                yield Panel("Output", id="given")
        yield Panel("Time", id="time")

    @property
    def _table(self) -> Table:
        return self.query_one("#steps", Table)

    @property
    def _recorded(self) -> Run:
        return self._opened.recorded if self._opened else Run("recorded")

    @property
    def _events(self) -> Sequence[Event]:
        return self._opened.events if self._opened else ()

    def on_mount(self) -> None:
        """Nothing is known of an incident until the mode is seen."""
        self._paint()

    def on_unmount(self) -> None:
        """Let a run that is held end."""
        self._leave()

    def shown(self) -> None:
        """Read the incident, unless one is being looked at."""
        if self._opened is None and not self._reading:
            self._open(self.lab.locations.home)

    def command(self, words: Sequence[str]) -> bool:
        """`:replay FOLDER STAGE` reads the incident that was imported into a home, and runs it up to that stage."""
        if words:
            self._open(Path(words[0]), words[1] if len(words) > 1 else "")
        return True

    def _open(self, home: Path, stage: str = "") -> None:
        self._leave()
        self._opened, self._moment, self._reading = None, ReplayState(), True
        self._paint()

        def show(opened: Opened | None) -> None:
            self._show_opened(opened)
            if opened is not None and stage:
                # Nothing announces a gate, so that a run can only be held behind one.
                self._stops.add(f"{render.following('', stage in opened.types)} {stage}")
                self._begin("go")

        self.query_lab("open", lambda _: incident.opened(home), show, self._unread)

    def _unread(self, error: LabError) -> None:
        self._reading = False
        self._paint()
        self.show_error(error)

    def _show_opened(self, opened: Opened | None) -> None:
        self._opened, self._reading = opened, False
        if opened is not None:
            self._moment = opened.newest
            self._kept = int(opened.newest.run or 0)
        self._event = 0
        self._paint()
        self._refresh_data()
        # Only then is it known how long the line of time is.
        self.call_after_refresh(self._paint_time)

    # Running

    def _begin(self, first: Order) -> None:
        if self._opened is None:
            return
        before = self._run
        self._leave()
        run = ReplayRun(self._opened.bench, self._stops, self._on_state, first, before)
        self._run, self._fault = run, ""
        self._moment = ReplayState("starting")
        self._paint()

        def failed(error: LabError) -> None:
            if self._run is run:
                self._moment, self._fault = ReplayState(), str(error)
                self._paint()

        def ended(moment: ReplayState | None) -> None:
            if moment is not None:
                self._apply_state(run, moment)

        self.act(lambda _: run.play(), ended, failed=failed)

    def _leave(self) -> None:
        if self._run is not None:
            self._run.order("leave")

    def _on_state(self, run: ReplayRun, moment: ReplayState) -> None:
        """Called from the run's thread."""
        self.call_later(self._apply_state, run, moment)

    def _apply_state(self, run: ReplayRun, moment: ReplayState) -> None:
        if run is not self._run:
            return
        self._moment = moment
        self._kept = int(moment.run) if moment.where == "ended" else self._kept
        self._event = render.last_before(self._events, moment.now)
        self._paint()
        if (at := render.present(self._recorded, moment)) is not None:
            self._table.set_cursor(at)
        self._refresh_data()

    def _order(self, order: Order) -> None:
        if self._run is None or self._moment.where in ("not run", "ended"):
            self._begin(order)
        elif self._moment.is_held:
            # Said at once, so that a key held down is not a second order.
            self._moment = ReplayState(**{**vars(self._moment), "where": "running", "report": None})
            self._run.order(order)
            self._paint()

    # Painting

    def _paint(self) -> None:
        opened, moment = self._opened, self._moment
        self.set_class(opened is None, "nothing")
        table = self._table
        table.empty = render.nothing(self._reading) if opened is None else [[("  The incident has no steps.", "muted")]]
        rows = render.step_rows(self._recorded, moment, frozenset(self._stops)) if opened else []
        table.show(rows)
        table.head(
            f"Steps · {len(rows)}" if opened else "Replay", f"breakpoints {len(self._stops)}" if self._stops else ""
        )
        if opened is not None:
            fault: list[Line] = [[("✗ ", "bad"), (self._fault, "text")]] if self._fault else []
            head = render.head(opened.manifest, opened.events, self._kept)
            self.query_one("#incident", Panel).show([*head, *(fault or render.verdict(moment))])
        self._paint_time()
        self.refresh_bindings()

    def _paint_time(self) -> None:
        panel = self.query_one("#time", Panel)
        now = self._moment.now if self._moment.now else None
        line = render.time_line(self._events, self._event, max(10, panel.content_size.width), now)
        panel.show([line, *render.event_lines(self._events, self._event)])
        panel.head("Time", "← → event · [ ] gates, retries, breakers, failures")

    def on_resize(self, event: events.Resize) -> None:
        """The line of time is as long as there is room."""
        self.call_after_refresh(self._paint_time)

    # Input and output

    def on_table_moved(self) -> None:
        """Another step is under the cursor."""
        self._refresh_data()

    def _key(self) -> Key | None:
        row = self._table.row
        known = render.keys(self._recorded, self._moment.steps)
        return next((key for key in known if row is not None and render.row_key(key) == row.key), None)

    def _shown_steps(self) -> Sequence[Step]:
        """The steps whose input and output are shown: this run's, else the recorded ones."""
        return self._recorded.steps if self._moment.where == "not run" else self._moment.steps

    def _refresh_data(self) -> None:
        key, opened, steps = self._key(), self._opened, self._shown_steps()
        if key is None or opened is None or self._moment.is_busy:
            return
        source = "recorded" if self._moment.where == "not run" else f"run {self._moment.run}"

        def show(looked: StepData) -> None:
            self._looked = (looked, f"{key[1]} · {source}")
            self._paint_values()
            self.query_one("#values").scroll_home(animate=False)

        self.query_lab("look", lambda _: incident.step_data(opened, steps, key), show)

    def _paint_values(self) -> None:
        if self._looked is None:
            return
        looked, of = self._looked
        for name, title, texts in (("#taken", "Input", looked.taken), ("#given", "Output", looked.given)):
            panel = self.query_one(name, Panel)
            panel.show(render.value_lines(texts, max(20, panel.content_size.width)))
            panel.head(f"{title} of {of}", f"{render.STEP} changes it" if title == "Input" else "")

    def on_lines_rewidened(self) -> None:
        """Values are as wide as there is room."""
        self._paint_values()

    # Hooks

    def step_back(self) -> bool:
        """From the values to the steps."""
        if self.has_class("deep"):
            self.remove_class("deep")
            self._table.focus()
            return True
        return False

    def now(self, snapshot: Snapshot) -> Line | None:
        """Where the run is."""
        return render.verdict(self._moment)[0] if self._opened else None

    def can(self, action: str) -> bool:
        """Everything needs an incident; going on needs a run that does not run by itself."""
        if self._opened is None:
            return action not in OF_INCIDENT and super().can(action)
        if action in ("next", "go_on"):
            return not self._moment.is_busy
        return self._moment.report is not None if action == "diff" else super().can(action)

    # Actions

    def action_match(self, _: int) -> None:
        """Go on by a stage."""
        self._order("step")

    def action_go_on(self) -> None:
        """Go on to the next breakpoint."""
        self._order("go")

    def action_again(self) -> None:
        """Start again, held before the first stage."""
        self._begin("step")

    def action_breakpoint(self) -> None:
        """Hold before the stage under the cursor, then after it, then no longer."""
        if (key := self._key()) is None or self._opened is None:
            return
        stage = key[1]
        now = render.breakpoint_of(stage, frozenset(self._stops))
        wanted = render.following(now, stage in self._opened.types)
        self._stops.discard(f"{now} {stage}")
        if wanted:
            self._stops.add(f"{wanted} {stage}")
        self._paint()

    def action_open(self) -> None:
        """To the input and output."""
        self.add_class("deep")
        self.query_one("#taken").focus()

    def action_diff(self) -> None:
        """All that differs."""
        title = f"Run {self._moment.run} against what was recorded"
        self.app.push_screen(Sheet(title, render.divergences(self._moment), "medkg-lab repro diff · esc close"))

    def action_part(self, step: int) -> None:
        """To the next gate, retry, breaker or failure, or to the one before."""
        self._scrub(render.next_notable(self._events, self._event, step))

    def action_scrub(self, by: int) -> None:
        """Move along the events."""
        self._scrub(self._event + by)

    def _scrub(self, to: int) -> None:
        self._event = max(0, min(to, len(self._events) - 1))
        self._paint_time()
