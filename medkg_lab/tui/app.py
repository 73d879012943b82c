"""The program: the frame, the modes in it, and the keys. What a mode shows and does is its own."""

import os
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from rich.text import Text
from textual import events
from textual.app import App, ComposeResult
from textual.containers import Horizontal
from textual.filter import LineFilter
from textual.widgets import ContentSwitcher, Input, Static, TextArea

from medkg_lab.errors import LabError
from medkg_lab.lab.facade import Lab
from medkg_lab.settings import ScreenSettings
from medkg_lab.text import one_line, sanitize
from medkg_lab.tui import alerts, glyphs, keys, theme
from medkg_lab.tui.appearance import USUAL, chosen_look
from medkg_lab.tui.ascii_filter import PlainFilter
from medkg_lab.tui.asker import Asker
from medkg_lab.tui.commands import Palette as ActionProvider
from medkg_lab.tui.commands import completions, perform
from medkg_lab.tui.driver import TerminalDriver
from medkg_lab.tui.frame import Bar, FooterLine, NowLine, TypeLine
from medkg_lab.tui.messages import Snapshot, SnapshotTaken
from medkg_lab.tui.moments import Moments
from medkg_lab.tui.poller import Poller
from medkg_lab.tui.screens import MODES
from medkg_lab.tui.screens.base import Mode
from medkg_lab.tui.things import Things

T = TypeVar("T")
DEADLINE = 3.0
"""Seconds that ledger and knowledge have for an answer: the screen rather says that they are slow."""
SMALLEST = (60, 16)
TOAST_SECONDS = 6.0
KEPT_MESSAGES = 200
AGAIN_SECONDS = 2.0


class LabApp(Things, Moments, App[None]):
    """The screen of one lab. With `start`, a lab that does not run is started."""

    CSS_PATH = Path(__file__).with_name("app.tcss")
    TITLE = "medkg-lab"
    COMMANDS = {ActionProvider}
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-normal"), (160, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-tall"), (50, "-high")]

    def __init__(
        self, lab: Lab, start: bool = True, modes: Sequence[type[Mode]] = MODES, look: ScreenSettings = USUAL
    ) -> None:
        """`look` is how it looks; its theme `auto` stands for the default one. Raises KeysInvalid."""
        super().__init__(driver_class=TerminalDriver)
        self.look = look
        self._plain = PlainFilter()
        if look.reduced_motion:
            self.animation_level = "none"
        self.lab = lab
        self.starting = start
        self.actions = keys.load(lab.locations.config / "keys.toml")
        self.asker = Asker(lab, self)
        self.poller = Poller(lab, self.post_message)
        self.snapshot = Snapshot()
        self.messages: list[tuple[float, str]] = []
        self._seats = [each(id=f"mode-{each.word}") for each in modes]
        self._at = self._before = 0
        self._interrupted = -AGAIN_SECONDS
        for one in theme.textual_themes():
            self.register_theme(one)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """The colours until the theme is set."""
        return theme.variables(theme.PALETTES[theme.DEFAULT])

    def get_line_filters(self) -> Sequence[LineFilter]:
        """What every line passes before it is written."""
        return [*super().get_line_filters(), *([self._plain] if self.look.ascii else [])]

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """A cursor that must not blink does not."""
        if self.look.reduced_motion and isinstance(event.widget, Input | TextArea):
            event.widget.cursor_blink = False

    @property
    def palette(self) -> theme.Palette:
        """The colours now."""
        return theme.palette(self.theme)

    @property
    def mode(self) -> Mode:
        """The mode that is seen."""
        return self._seats[self._at]

    @property
    def modes(self) -> Sequence[Mode]:
        """All modes."""
        return self._seats

    def compose(self) -> ComposeResult:
        """The frame."""
        yield Bar()
        yield NowLine(id="now")
        yield Static(id="gap")
        with ContentSwitcher(id="modes", initial=self.mode.id):
            yield from self._seats
        yield Static(id="small")
        yield FooterLine()
        with Horizontal(id="typing"):
            yield Static(id="sign")
            yield TypeLine(lambda: completions(self))

    def on_mount(self) -> None:
        """Bind the keys, start looking."""
        self.use_theme(theme.DEFAULT if self.look.theme == "auto" else self.look.theme)
        if os.environ.get("TEXTUAL_THEME"):
            # Textual has taken its theme from there before ours were known, and sees no change now.
            self.refresh_css(animate=False)
        for action in self.actions:
            self.bind(action.key, f"do('{action.id}')", description=action.word, show=False)
        for mode in self._seats:
            self.bind(str(mode.number), f"mode({mode.number})", description=mode.title, show=False)
        self.poller.start()
        self.begin()
        self.mode.shown()
        self.repaint_frame()

    def on_unmount(self) -> None:
        """Stop looking; nothing is waited for."""
        self.poller.stop()
        self.asker.close()

    # What the frame shows

    def on_snapshot_taken(self, message: SnapshotTaken) -> None:
        """Hand the snapshot to the modes and repaint the frame; not while the screen is being left."""
        if not self.is_running:
            return
        self.snapshot = message.snapshot
        self.moment(message.snapshot)
        for mode in self._seats:
            if mode.is_mounted:
                mode.on_snapshot(message.snapshot)
        self.repaint_frame()

    def repaint_frame(self) -> None:
        """Show bar, now-line and footer as things are now."""
        if not self.is_mounted_fully:
            return
        seen, width = self.snapshot, self.size.width
        state, words = alerts.health(seen)
        profile = f" · {seen.lab['profile']}" if seen.lab else ""
        right = [(f"{glyphs.sign(state)} {words}", state.token), (profile, "muted")]
        narrow = width < 100
        named = [(m.number, m.short if narrow else m.title, m.badge(seen)) for m in self._seats]
        self.screen_stack[0].query_one(Bar).tell(named, self.mode.number, right, not narrow)
        own = None if alerts.is_stopped(seen) else self.mode.now(seen)
        self.screen_stack[0].query_one(NowLine).show([own or alerts.now(seen)])
        self.repaint_footer()

    def repaint_footer(self) -> None:
        """Show the keys that work now."""
        if not self.is_mounted_fully:
            return
        known = keys.by_id(self.actions)
        words = self.mode.words()
        ids = [each for each in self.mode.footer if self.handler(each)][: keys.FOOTER_LIMIT - 1]
        labels = {each: known[each].shown for each in (*ids, "help")}
        if self.look.ascii:
            labels = {each: label.replace("↵", "Enter") for each, label in labels.items()}
        shown = [(each, label, words.get(each, known[each].word)) for each, label in labels.items()]
        self.screen_stack[0].query_one(FooterLine).tell(shown)

    @property
    def is_mounted_fully(self) -> bool:
        """Whether the frame's widgets are there."""
        return bool(self.screen_stack and self.screen_stack[0].query(FooterLine))

    def on_resize(self, event: events.Resize) -> None:
        """Say when there is too little room."""
        width, height = event.size
        small = width < SMALLEST[0] or height < SMALLEST[1]
        self.screen_stack[0].set_class(small, "-small")
        text = f"medkg-lab needs {SMALLEST[0]}×{SMALLEST[1]}, this is {width}×{height}; the lab's work goes on"
        self.screen_stack[0].query_one("#small", Static).update(text)
        self.call_after_refresh(self.repaint_frame)

    def watch_theme(self, name: str) -> None:
        """High contrast draws a heavy border around what has the focus."""
        for one in theme.PALETTES:
            self.set_class(one == name, one)

    # Keys

    def handler(self, action: str) -> Callable[[], Any] | None:
        """What a key does now, or None when it does nothing; before the first frame no key does."""
        if not self.is_mounted_fully:
            return None
        mode = self.mode
        if (own := getattr(mode, f"do_{action}", None)) is not None:
            return own if mode.can(action) else None
        if action == "narrow" and type(mode).narrow is Mode.narrow:
            return None
        if action in {each.id for each in keys.THINGS} and mode.subject() is None:
            return None
        return getattr(self, f"do_{action}", None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A key without anything to do is no key."""
        return action != "do" or self.handler(str(parameters[0])) is not None

    def action_do(self, action: str) -> None:
        """Do what a key stands for."""
        if (handler := self.handler(action)) is not None:
            handler()
            self.repaint_footer()

    def on_footer_line_clicked(self, message: FooterLine.Clicked) -> None:
        """A key's word was clicked."""
        self.action_do(message.action)

    def on_bar_chosen(self, message: Bar.Chosen) -> None:
        """A mode's name was clicked."""
        self.action_mode(message.number)

    def action_mode(self, number: int) -> None:
        """Show the mode with this number."""
        if not self.is_mounted_fully:
            return
        at = next(at for at, mode in enumerate(self._seats) if mode.number == number)
        if at != self._at:
            self.mode.hidden()
            self._before, self._at = self._at, at
            self.screen_stack[0].query_one("#modes", ContentSwitcher).current = self.mode.id
            mode = self.mode
            if mode.is_mounted:
                mode.shown()
            else:
                self.call_after_refresh(mode.shown)
        self.repaint_frame()

    def mode_called(self, word: str) -> Mode | None:
        """The mode whose command word this is."""
        return next((mode for mode in self._seats if mode.word == word), None)

    def do_last(self) -> None:
        """Go to the mode before."""
        self.action_mode(self._seats[self._before].number)

    def do_back(self) -> None:
        """One step back: out of the depth, then the filter, then the mode before."""
        mode = self.mode
        if self.screen.maximized is not None:
            self.screen.minimize()
        elif mode.back():
            pass
        elif mode.narrowed():
            mode.narrow("")
        elif self._at:
            self.do_last()
        self.repaint_frame()

    async def action_quit(self) -> None:
        """Ask before leaving."""
        self.do_quit()

    def action_help_quit(self) -> None:
        """Ctrl+C: the second within two seconds leaves, and the lab goes on."""
        if time.monotonic() - self._interrupted < AGAIN_SECONDS:
            self.exit()
        self._interrupted = time.monotonic()
        self.tell("Ctrl+C again leaves the screen; the lab goes on. q asks.")

    # The line to type in

    def do_command(self) -> None:
        """Type a command."""
        self._type(":")

    def do_narrow(self) -> None:
        """Type a filter."""
        self._type("/", self.mode.narrowed())

    def _type(self, sign: str, text: str = "") -> None:
        self.screen.add_class("typing")
        self.query_one("#sign", Static).update(sign)
        self.query_one(TypeLine).begin(sign, text)

    def on_type_line_typed(self, message: TypeLine.Typed) -> None:
        """Narrow as it is typed; perform a command when it was entered."""
        if message.sign == "/":
            self.mode.narrow(message.text)
        if message.done:
            self._stop_typing()
            if message.sign == ":":
                perform(self, message.text)
        self.repaint_frame()

    def on_type_line_left(self) -> None:
        """Leave the line; a filter that was typed is cleared."""
        if self.query_one(TypeLine).sign == "/":
            self.mode.narrow("")
        self._stop_typing()
        self.repaint_frame()

    def _stop_typing(self) -> None:
        self.screen.remove_class("typing")
        self.mode.take_focus()

    # Saying and doing

    def tell(self, text: str, severity: str = "information") -> None:
        """A toast; `:messages` keeps it."""
        self.messages = [*self.messages, (time.time(), text)][-KEPT_MESSAGES:]
        level: Any = severity
        self.notify(sanitize(text), severity=level, timeout=TOAST_SECONDS, markup=False)

    def toast_error(self, error: LabError) -> None:
        """An error as a toast: its sentence names the remedy."""
        self.tell(f"✗ {error}", "error")

    def _fatal_error(self) -> None:
        """Leave with a sentence instead of Textual's page of values: those may be anybody's text."""
        error = self._exception
        report = self.lab.locations.state / "screen-stopped.txt"
        text = "".join(traceback.format_exception(error)) if error is not None else ""
        try:
            report.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            report.write_text(sanitize(text), encoding="utf-8")
            where = f"Report: {report}"
        except OSError as problem:
            where = f"No report could be written: {problem}"
        words = one_line(f"{type(error).__name__}: {error}", 200)
        self._exit_renderables.append(
            Text(f"The screen stopped: {words}\nThe lab goes on; medkg-lab opens it again. {where}")
        )
        self._close_messages_no_wait()

    def act(self, work: Callable[[Lab], T], then: Callable[[T], Any] | None, done: str) -> None:
        """Do something to the lab in a thread, say that it is done, and look at once."""

        def finished(answer: T) -> None:
            if done:
                self.tell(done)
            if then is not None:
                then(answer)
            self.poller.hurry()

        self.asker.act(work, finished, self.toast_error)


def run(home: str | Path | None = None, start: bool = True, theme: str | None = None) -> int:
    """Open the screen of the lab at `home`; returns when it was left. Raises KeysInvalid."""
    lab = Lab.at(home, DEADLINE)
    app = LabApp(lab, start=start, look=chosen_look(lab, theme))
    try:
        app.run()
    finally:
        if isinstance(app._driver, TerminalDriver):
            app._driver.leave()
    return app.return_code or 0
