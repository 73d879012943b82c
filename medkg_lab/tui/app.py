"""The program: its modes, the keys that work in all of them, and what it hands to the screen that is seen."""

import asyncio
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual import events, work
from textual.app import App
from textual.binding import Binding, BindingType
from textual.filter import LineFilter
from textual.widget import AwaitMount
from textual.worker import get_current_worker

from medkg_lab.lab.facade import Lab
from medkg_lab.lab.why import needs_person
from medkg_lab.text import one_line, sanitize
from medkg_lab.tui import commands, keys, theme
from medkg_lab.tui.appearance import USUAL, Appearance, chosen_appearance
from medkg_lab.tui.ascii_filter import PlainFilter
from medkg_lab.tui.driver import TerminalDriver
from medkg_lab.tui.formatting import plural
from medkg_lab.tui.frame import Bar, TypeLine
from medkg_lab.tui.key_order import OrderedKeysApp, takes_text
from medkg_lab.tui.messages import GoTo, Snapshot, SnapshotTaken
from medkg_lab.tui.modes import MODES, Mode
from medkg_lab.tui.poller import Poller
from medkg_lab.tui.screens.base import ModeScreen
from medkg_lab.tui.screens.frame_screen import Session

DEADLINE_S = 3.0
"""Seconds that ledger and knowledge have for an answer: the screen rather says that they are slow."""
TOAST_S = 6.0
AGAIN_S = 2.0
KEPT_MESSAGES = 200
ASKING_THREADS = 16
"""Questions that may be on their way at once: those to a ledger that is away take their deadline each."""


class LabApp(OrderedKeysApp[None]):
    """The screen of one lab. With `start`, a lab that does not run is started."""

    CSS_PATH = Path(__file__).with_name("app.tcss")
    TITLE = "medkg-lab"
    COMMANDS: ClassVar[set[Any]] = {commands.ActionProvider}
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-normal"), (160, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-tall"), (50, "-high")]
    BINDINGS: ClassVar[list[BindingType]] = [
        *keys.bindings("last", "quit", "theme"),
        Binding("ctrl+p", "command_palette", "palette", show=False, priority=True, id="palette"),
    ]

    def __init__(self, lab: Lab, start: bool = True, modes: Sequence[Mode] = MODES, look: Appearance = USUAL) -> None:
        """`look` is how it looks; its theme `auto` stands for the default one. Raises KeysInvalid."""
        self.DEFAULT_MODE = modes[0].word  # type: ignore[misc]
        super().__init__(driver_class=TerminalDriver)
        self.look = look
        self._plain = PlainFilter()
        if look.reduced_motion:
            self.animation_level = "none"
        self.lab = lab
        self.session = Session(lab, modes, start, commands.completions)
        self.poller = Poller(lab, self.post_message)
        self.snapshot = Snapshot()
        self._before = modes[0].word
        self._interrupted = -AGAIN_S
        self._gates_told: frozenset[str] = frozenset()
        self._attached = False
        for mode in modes:
            self.add_mode(mode.word, partial(self._made, mode))
            if mode.number is not None:
                self.bind(str(mode.number), f"mode('{mode.word}')", description=f"Go to {mode.title}", show=False)
        for one in theme.textual_themes():
            self.register_theme(one)
        # Before anything is drawn: a theme that changes later has all styles computed again.
        self.set_reactive(App.theme, f"lab-{look.theme}" if look.theme != "auto" else theme.DEFAULT)
        self.set_keymap(keys.load(lab.locations.config / "keys.toml"))

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """The colours until the theme is set."""
        return theme.variables(theme.PALETTES[theme.DEFAULT])

    def get_line_filters(self) -> Sequence[LineFilter]:
        """What every line passes before it is written."""
        return [*super().get_line_filters(), *([self._plain] if self.look.ascii else [])]

    def get_key_display(self, binding: Binding) -> str:
        """How a key is written: where there is only ASCII, the return key by its name."""
        shown = super().get_key_display(binding)
        return shown.replace("↵", "Enter") if self.look.ascii else shown

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """A cursor that must not blink does not."""
        if self.look.reduced_motion and takes_text(event.widget):
            event.widget.cursor_blink = False  # type: ignore[attr-defined]

    def on_mount(self) -> None:
        """Start looking."""
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(ASKING_THREADS, "ask"))
        self.poller.start()
        if self.session.starts:
            self.mode.start_lab()

    def on_unmount(self) -> None:
        """Stop looking; nothing is waited for."""
        self.poller.stop()

    def watch_theme(self, name: str) -> None:
        """High contrast draws a heavy border around what has the focus."""
        for one in theme.PALETTES:
            self.set_class(one == name, one)
        self.refresh(layout=True)

    # The modes

    def _made(self, mode: Mode) -> ModeScreen:
        screen = mode.load()
        assert issubclass(screen, ModeScreen)
        return screen(self.session)

    @property
    def mode(self) -> ModeScreen:
        """The visible mode, even beneath a dialog."""
        screen = self.screen_stack[0]
        assert isinstance(screen, ModeScreen)
        return screen

    def switch_mode(self, mode: str) -> AwaitMount:
        """Show a mode, with what is known of the lab."""
        if mode != self.current_mode:
            self._before = self.current_mode
        mounted = super().switch_mode(mode)
        self.mode.snapshot = self.snapshot
        return mounted

    async def action_mode(self, word: str) -> None:
        """Show the mode with this word."""
        await self.switch_mode(word)

    async def action_last(self) -> None:
        """Go to the mode before."""
        await self.switch_mode(self._before)

    async def on_bar_chosen(self, message: Bar.Chosen) -> None:
        """A mode's name was clicked."""
        await self.switch_mode(next(mode.word for mode in self.session.modes if mode.number == message.number))

    async def on_go_to(self, message: GoTo) -> None:
        """Show a mode and give it words, or go to the one before."""
        await self.switch_mode(message.mode or self._before)
        if message.words is not None and not self.mode.command(message.words):
            self.notify(f":{message.mode} does not take {' '.join(message.words)}.", severity="warning")
        self.mode.repaint_frame()

    def on_type_line_typed(self, message: TypeLine.Typed) -> None:
        """Perform a command that was entered."""
        if message.done and message.sign == ":":
            commands.perform(self.mode, message.text)

    # What the lab is

    def on_snapshot_taken(self, message: SnapshotTaken) -> None:
        """Hand the snapshot to the mode that is seen; not while the screen is being left."""
        if self.is_running and self.screen_stack:
            if not self.snapshot.at:
                self.call_after_refresh(self._load_modes)
            self.snapshot = self.mode.snapshot = message.snapshot
            self._notify_of_gates(message.snapshot)

    @work(thread=True)
    def _load_modes(self) -> None:
        """Import what the other modes need once the first frame is seen, so that the first look at one is quick too."""
        worker = get_current_worker()
        for mode in self.session.modes:
            if not worker.is_cancelled:
                mode.load()

    def on_poll_now(self) -> None:
        """Something was changed."""
        self.poller.hurry()

    def _notify_of_gates(self, seen: Snapshot) -> None:
        """Say that documents have come to a gate that only a person opens."""
        waiting = frozenset(gate.job_id for gate in seen.gates if needs_person(gate))
        new = waiting - self._gates_told
        if new and self._attached:
            words = f"{plural(len(new), 'document')} {'waits' if len(new) == 1 else 'wait'} for you at a gate. 5 shows them."
            self.notify(f"◇ {words}", severity="warning")
        self._gates_told |= waiting
        self._attached = self._attached or bool(seen.counts)

    # Saying, and leaving

    def notify(self, message: str, *, title: str = "", severity: Any = "information", **options: Any) -> None:
        """A toast of foreign text; `:messages` keeps it."""
        self.session.told[:] = [*self.session.told, (time.time(), message)][-KEPT_MESSAGES:]
        super().notify(sanitize(message), title=title, severity=severity, timeout=TOAST_S, markup=False)

    def action_theme(self) -> None:
        """Change to the next theme."""
        names = list(theme.PALETTES)
        self.theme = names[(names.index(theme.palette(self.theme).name) + 1) % len(names)]

    async def action_quit(self) -> None:
        """Ask before leaving."""
        self.mode.confirm_quit()

    def action_help_quit(self) -> None:
        """Ctrl+C: the second within two seconds leaves, and the lab goes on."""
        if time.monotonic() - self._interrupted < AGAIN_S:
            self.exit()
        self._interrupted = time.monotonic()
        self.notify("Ctrl+C again leaves the screen; the lab goes on. q asks.")

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


def run(home: str | Path | None = None, start: bool = True, theme: str | None = None) -> int:
    """Open the screen of the lab at `home`; returns when it was left. Raises KeysInvalid."""
    lab = Lab.at(home, DEADLINE_S)
    app = LabApp(lab, start=start, look=chosen_appearance(lab, theme))
    try:
        app.run()
    finally:
        if isinstance(app._driver, TerminalDriver):
            app._driver.leave()
    return app.return_code or 0
