"""The screen of a mode as far as it is the same everywhere: the frame around it, the line to type in, questions to the lab."""

import errno
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.reactive import var
from textual.screen import Screen
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Static
from textual.worker import get_current_worker

from medkg_lab.errors import LabError
from medkg_lab.lab.facade import Lab
from medkg_lab.tui import alerts, glyphs, keys
from medkg_lab.tui.frame import Bar, Key, KeyFooter, NowLine, TypeLine
from medkg_lab.tui.key_order import takes_text
from medkg_lab.tui.messages import PollNow, Snapshot
from medkg_lab.tui.modes import Mode
from medkg_lab.tui.theme import Line

T = TypeVar("T")
SMALLEST = (60, 16)
NARROW = 100
IN_TEXT = ("run", "save", "back", "jump", "palette")
"""What is offered where letters are text."""


class ScreenFault(LabError):
    """The screen could not use the lab's answer: {detail}. The lab itself goes on; `medkg-lab status` shows how it is."""


class NoRoom(LabError):
    """The disk is full, so this was not done: {detail}. Make room and do it again; what was taken before is safe."""


@dataclass
class Session:
    """What the program hands to each of its screens: the lab, all modes, whether it starts the lab,
    what can be typed after `:`, and what was typed and told."""

    lab: Lab
    modes: Sequence[Mode] = ()
    starts: bool = False
    completions: "Callable[[FrameScreen], Sequence[str]]" = lambda _: ()
    entered: list[str] = field(default_factory=list)
    told: list[tuple[float, str]] = field(default_factory=list)


class FrameScreen(Screen[None]):
    """A mode; its regions are what `compose_mode` yields.

    Class variables: `word` is its `:` command (`:jobs`), by which it is listed in `modes.py`, `about` what the help says,
    `footer` at most six action ids of `keys.py` for the last row (`?` is always the seventh), `twins` the commands of the
    command line that do the same.

    `poll_every_s` is how often `poll_lab` is called while the mode is seen, 0 for never.

    Hooks, all called in the event loop and none of them may block: `on_snapshot`, `shown`, `poll_lab`, `now`, `narrow`,
    `narrowed`, `words`, `can`, `completions`, `command`. The lab is asked by `query_lab`, `poll` and `act`, never directly.
    """

    word: ClassVar[str] = ""
    about: ClassVar[str] = ""
    footer: ClassVar[tuple[str, ...]] = ()
    twins: ClassVar[str] = ""
    poll_every_s: ClassVar[float] = 0.0
    BINDINGS: ClassVar[list[BindingType]] = keys.bindings("command", "back")

    snapshot: var[Snapshot] = var(Snapshot(), init=False)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self._focus_before: Widget | None = None
        self._resting: Timer | None = None
        self._polling: Timer | None = None

    def compose(self) -> ComposeResult:
        """The frame, and the mode in it."""
        yield Bar()
        yield NowLine(id="now")
        yield Static(id="gap")
        with Vertical(id="mode"):
            yield from self.compose_mode()
        yield Static(id="small")
        yield KeyFooter(self.footer_keys)
        with Horizontal(id="typing"):
            yield Static(id="sign")
            yield TypeLine(partial(self.session.completions, self), self.session.entered)

    def compose_mode(self) -> ComposeResult:
        """The regions of the mode."""
        raise NotImplementedError

    # Hooks

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Take in a new snapshot; called about once a second while the mode is seen, and when it comes to be seen."""

    def shown(self) -> None:
        """The mode came to be seen, or what was over it has closed."""

    def poll_lab(self) -> None:
        """Look at the lab for what snapshots do not hold; while something is over the mode, nobody looks."""

    def now(self, snapshot: Snapshot) -> Line | None:
        """The mode's own sentence for the now-line, most important clause first; None leaves the lab's own."""
        return None

    def narrow(self, text: str) -> None:
        """Narrow the list to what matches `text`, as typed after `/`; an empty text shows all again."""

    def narrowed(self) -> str:
        """What the list is narrowed to now; esc clears it."""
        return ""

    def step_back(self) -> bool:
        """Undo one step of depth, such as closing a detail; False when there is none."""
        return False

    def words(self) -> dict[str, str]:
        """What actions are called now where that changes, such as {"pause": "resume"}."""
        return {}

    def can(self, action: str) -> bool:
        """Whether an action of the mode has something to act on now; while it has not, its key is none."""
        return True

    def completions(self) -> list[str]:
        """What may stand behind the mode's word after `:`, for tab."""
        return []

    def command(self, words: Sequence[str]) -> bool:
        """Take what stands behind the mode's word after `:`, such as `["failed"]` of `:jobs failed`; False refuses it."""
        return not words

    # The frame

    @property
    def lab(self) -> Lab:
        """The lab."""
        return self.session.lab

    @property
    def mode(self) -> Mode:
        """Its line in the list of modes."""
        return next(one for one in self.session.modes if one.word == self.word)

    def watch_snapshot(self, snapshot: Snapshot) -> None:
        """Take in what was seen of the lab; before the regions are there, it waits until the mode comes to be seen."""
        if self.is_mounted:
            self.on_snapshot(snapshot)
            self.repaint_frame()

    def on_screen_resume(self) -> None:
        """The mode comes to be seen."""
        self.on_snapshot(self.snapshot)
        self.shown()
        if self._polling is not None:
            self._polling.resume()
        elif self.poll_every_s:
            self._polling = self.set_interval(self.poll_every_s, self.poll_lab)
        self.repaint_frame()

    def on_screen_suspend(self) -> None:
        """Something else comes to be seen: a line that was being typed is left."""
        if self._polling is not None:
            self._polling.pause()
        if self.has_class("typing"):
            self._stop_typing()

    def repaint_frame(self) -> None:
        """Show bar, now-line and footer as things are now."""
        if not self.is_mounted:
            return
        seen, narrow = self.snapshot, self.size.width < NARROW
        state, words = alerts.health(seen)
        profile = f" · {seen.lab.profile}" if seen.lab else ""
        right = [(f"{glyphs.sign(state)} {words}", state.token), (profile, "muted")]
        numbered = [(m.number, m) for m in self.session.modes if m.number is not None]
        named = [(number, m.short if narrow else m.title, m.badge(seen)) for number, m in numbered]
        self.query_one(Bar).show_modes(named, self.mode.number, right, not narrow)
        own = None if alerts.is_stopped(seen) else self.now(seen)
        self.query_one(NowLine).show([own or alerts.now(seen)])
        self.refresh_bindings()

    def on_resize(self, event: events.Resize) -> None:
        """Say when there is too little room."""
        width, height = event.size
        self.set_class(width < SMALLEST[0] or height < SMALLEST[1], "-small")
        text = f"medkg-lab needs {SMALLEST[0]}×{SMALLEST[1]}, this is {width}×{height}; the lab's work goes on"
        self.query_one("#small", Static).update(text)
        self.call_after_refresh(self.repaint_frame)

    def bound(self) -> dict[str, str]:
        """The actions of `keys.py` that work now, by id, with their keys."""
        found: dict[str, str] = {}
        for key, active in self.active_bindings.items():
            if active.enabled and active.binding.id:
                found.setdefault(active.binding.id, key)
        return found

    def label_of(self, action: str) -> str:
        """How the key of an action is written now."""
        bound = next((one.binding for one in self.active_bindings.values() if one.binding.id == action), None)
        return self.app.get_key_display(bound) if bound is not None else ""

    def footer_keys(self) -> list[Key]:
        """The keys of the last row: those of `footer` that work now, and help; where letters are text, those that are not."""
        is_text = takes_text(self.focused)
        now: dict[str | None, Binding] = {}
        for key, active in self.active_bindings.items():
            letter = keys.shown(key)
            if active.enabled and not (is_text and len(letter) == 1):
                now.setdefault(active.binding.id, active.binding)
        words = self.words()
        footer = IN_TEXT if is_text else self.footer
        ids = [*[each for each in footer if each in now][: keys.FOOTER_LIMIT - 1], "help"]
        return [
            (one.key, self.app.get_key_display(one), words.get(each, one.description), one.action)
            for each in ids
            if (one := now.get(each)) is not None
        ]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A key without anything to do is not a key."""
        id = keys.id_of(action, parameters)
        return self.can(id) if id in keys.BY_ID else super().check_action(action, parameters)

    def action_back(self) -> None:
        """One step back: out of the depth, then the filter; the program then goes to the mode before."""
        if self.maximized is not None:
            self.minimize()
        elif self.close_help() or self.step_back():
            pass
        elif self.narrowed():
            self.narrow("")
        else:
            self.leave_mode()
        self.repaint_frame()

    def close_help(self) -> bool:
        """Close the help; False when it is not open."""
        found = self.query("ModeHelp")
        found.remove()
        return bool(found)

    def leave_mode(self) -> None:
        """Nothing is left to step back from."""

    # The line to type in

    def action_command(self) -> None:
        """Type a command."""
        self._type(":")

    def action_narrow(self) -> None:
        """Type a filter."""
        self._type("/", self.narrowed())

    def _type(self, sign: str, text: str = "") -> None:
        self._focus_before = self.focused
        self.add_class("typing")
        self.query_one("#sign", Static).update(sign)
        self.query_one(TypeLine).begin(sign, text)

    def on_type_line_typed(self, message: TypeLine.Typed) -> None:
        """Narrow as it is typed; a command that was entered is the program's to perform."""
        if message.sign == "/":
            message.stop()
            self.narrow(message.text)
        if message.done:
            self._stop_typing()
        self.repaint_frame()

    def on_type_line_left(self) -> None:
        """Leave the line; a filter that was typed is cleared."""
        if self.query_one(TypeLine).sign == "/":
            self.narrow("")
        self._stop_typing()
        self.repaint_frame()

    def _stop_typing(self) -> None:
        self.remove_class("typing")
        self.set_focus(self._focus_before)

    # Asking the lab

    def after_rest(self, seconds: float, then: Callable[[], Any]) -> None:
        """Do this once the cursor, or who types, has rested for so long; the last wins."""
        self.stop_resting()
        self._resting = self.set_timer(seconds, then)

    def stop_resting(self) -> None:
        """What waits for a rest is not done."""
        if self._resting is not None:
            self._resting.stop()

    def show_error(self, error: LabError) -> None:
        """An error as a toast: its sentence names the remedy."""
        self.notify(f"✗ {error}", severity="error")

    def query_lab(
        self,
        group: str,
        work: Callable[[Lab], T],
        then: Callable[[T], Any],
        failed: Callable[[LabError], Any] | None = None,
    ) -> None:
        """Run `work(lab)` in a thread, then `then(answer)` in the event loop; a newer question of the group takes its place.

        A LabError goes to `failed`, or becomes a toast with its remedy. For what must not be dropped use `act`.
        """
        question = partial(self._query_lab_in_thread, work, then, failed or self.show_error)
        self.run_worker(question, group=group, thread=True, exclusive=True, exit_on_error=False)

    def poll(self, group: str, work: Callable[[Lab], T], then: Callable[[T], Any]) -> None:
        """As `query_lab`, but skipped while a question of the group is on its way, and silent when it fails."""
        if not any(True for _ in self._query_running(group)):
            self.query_lab(group, work, then, lambda _: None)

    def _query_running(self, group: str) -> Iterator[object]:
        return (one for one in self.workers if one.node is self and one.group == group and not one.is_finished)

    def act(
        self,
        work: Callable[[Lab], T],
        then: Callable[[T], Any] | None = None,
        done: str = "",
        failed: Callable[[LabError], Any] | None = None,
    ) -> None:
        """Run `work(lab)`, which changes something, in a thread; then toast `done`, call `then`, and look at the lab. Never
        dropped."""

        def finished(answer: T) -> None:
            if done:
                self.notify(done)
            if then is not None:
                then(answer)
            self.post_message(PollNow())

        question = partial(self._query_lab_in_thread, work, finished, failed or self.show_error)
        self.run_worker(question, group="act", thread=True, exit_on_error=False)

    def _query_lab_in_thread(
        self, work: Callable[[Lab], T], then: Callable[[T], Any], failed: Callable[[LabError], Any]
    ) -> None:
        worker, lab = get_current_worker(), self.session.lab
        try:
            answer = work(lab)
        except LabError as error:
            callback: Callable[[], Any] = partial(failed, error)
        except Exception as error:  # noqa: BLE001 - thread boundary: a bug or a full disk becomes a sentence on the screen
            callback = partial(failed, _described(error))
        else:
            callback = partial(then, answer)
        if not worker.is_cancelled:
            self.call_later(self._deliver, callback)

    def _deliver(self, callback: Callable[[], Any]) -> None:
        """In the event loop: an answer that comes while the screen is being left has no widget to go to."""
        if self.is_running and self.app.is_running:
            callback()


def _described(error: Exception) -> LabError:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoRoom(detail=str(error))
    return ScreenFault(detail=f"{type(error).__name__}: {error}")
