"""What stands around every mode: the bar above, the now-line, the footer and the line to type in."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import Screen
from textual.strip import Strip
from textual.suggester import Suggester
from textual.widgets import Footer, Input
from textual.widgets._footer import FooterKey

from medkg_lab.tui.theme import Span, palette_of
from medkg_lab.tui.widgets.panel import Lines, safe, strip_of, width_of

HISTORY = 100
Key = tuple[str, str, str, str]
"""Of a key in the footer: the key itself, how it is written, its word, and its action."""


class Bar(Lines):
    """The first row: the modes with their numbers and badges, and the lab's health at the right. A click goes to a mode."""

    DEFAULT_CSS = "Bar { height: 1; background: $lab-panel; }"

    class Chosen(Message):
        """A mode was clicked."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    def __init__(self) -> None:
        super().__init__(id="bar")
        self._places: list[tuple[int, int, int]] = []
        self._right: Sequence[Span] = ()

    def show_modes(
        self, modes: Sequence[tuple[int, str, str]], active: int | None, right: Sequence[Span], named: bool
    ) -> None:
        """Show modes as (number, title, badge), the active one marked; with `named` there is room for more than that."""
        line: list[Span] = [(" medkg-lab ", "accent bold")] if named else [(" ", "text")]
        self._places = []
        for number, title, badge in modes:
            start = width_of(line)
            token = "accent bold reverse" if number == active else "muted"
            line.append((f" {number} {title} " if named else f" {number} {title}", token))
            line += [(f"{badge} " if named else f" {badge}", "wait bold")] if badge else []
            self._places.append((start, width_of(line), number))
        if right != self._right:
            self._right = right
            self.refresh()
        self.show([line])

    def render_line(self, y: int) -> Strip:
        """The modes at the left, the health at the right as far as there is room: its glyph, its words, the profile."""
        strip = super().render_line(y)
        room = self.size.width - width_of(self.lines[0]) if self.lines else 0
        glyph = [(text[:1], token) for text, token in self._right[:1]]
        every = ([*spans, (" ", "text")] for spans in (self._right, self._right[:1], glyph))
        right = next((spans for spans in every if width_of(spans) < room), None)
        if right is None:
            return strip
        colours = palette_of(self)
        tail = strip_of(right, colours, width_of(right), Style(bgcolor=colours.colour("panel")))
        return Strip([*strip.crop(0, self.size.width - tail.cell_length), *tail])

    def on_click(self, event: events.Click) -> None:
        """Go to the mode under the mouse."""
        for start, end, number in self._places:
            if start <= event.x < end:
                self.post_message(self.Chosen(number))


class NowLine(Lines):
    """The second row: what the lab does now, in a sentence."""

    DEFAULT_CSS = "NowLine { height: 1; padding: 0 1; }"


class KeyFooter(Footer):
    """The last row: the keys that `shown` gives, a word each. A click does what the key does."""

    DEFAULT_CSS = """
    KeyFooter { background: $lab-panel; padding-left: 1; }
    KeyFooter FooterKey {
        background: $lab-panel; margin-right: 2;
        .footer-key--key { color: $lab-accent; background: $lab-panel; padding: 0; }
        .footer-key--description { color: $lab-muted; background: $lab-panel; padding: 0 0 0 1; }
    }
    """

    def __init__(self, shown: Callable[[], Sequence[Key]]) -> None:
        super().__init__(id="footer", show_command_palette=False)
        self._keys_now = shown
        self._shown: Sequence[Key] = ()

    def compose(self) -> ComposeResult:
        """A widget for each key."""
        for key, label, word, action in self._shown:
            yield FooterKey(key, label, safe(word), action)

    def bindings_changed(self, screen: Screen[object]) -> None:
        """Make the row anew, but only where it would look different: that happens far less often than bindings are refreshed."""
        keys = self._keys_now()
        if self.is_attached and screen is self.screen and list(keys) != list(self._shown):
            self._shown = keys
            self.call_after_refresh(self.recompose)


class Completion(Suggester):
    """Completes commands from what can be typed now."""

    def __init__(self, known: Callable[[], Sequence[str]]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._known = known

    async def get_suggestion(self, value: str) -> str | None:
        """The first known command that begins so."""
        return (
            next((each for each in self._known() if each.startswith(value) and each != value), None) if value else None
        )


class TypeLine(Input):
    """The line to type in, in place of the footer: after `:` a command, after `/` a filter that acts as it is typed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "cursor_right", show=False, priority=True),
        Binding("up", "earlier(1)", show=False),
        Binding("down", "earlier(-1)", show=False),
    ]

    class Typed(Message):
        """The filter's text changed, or a command was entered: then `done`."""

        def __init__(self, sign: str, text: str, done: bool) -> None:
            super().__init__()
            self.sign, self.text, self.done = sign, text, done

    class Left(Message):
        """It was left by esc."""

    def __init__(self, known: Callable[[], Sequence[str]], entered: list[str]) -> None:
        """`known` gives what can be typed after `:`; `entered` is what was entered before, and is added to."""
        super().__init__(id="typeline", compact=True)
        self._completion = Completion(known)
        self.sign = ":"
        self._entered = entered
        self._at = 0

    def begin(self, sign: str, text: str = "") -> None:
        """Take the focus for a command (`:`) or a filter (`/`)."""
        self.sign = sign
        self.suggester = self._completion if sign == ":" else None
        self.placeholder = (
            "a command, such as jobs failed" if sign == ":" else "words; state:failed  stage:embed  -kind:timeout"
        )
        self.value = text
        self.cursor_position = len(text)
        self._at = 0
        self.screen.set_focus(self)

    def on_input_changed(self, event: Input.Changed) -> None:
        """A filter acts while it is typed."""
        event.stop()
        if self.sign == "/" and self.has_focus:
            self.post_message(self.Typed("/", self.value, False))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter."""
        event.stop()
        if self.sign == ":" and self.value.strip():
            self._entered.append(self.value)
            del self._entered[:-HISTORY]
        self.post_message(self.Typed(self.sign, self.value, True))

    def action_earlier(self, by: int) -> None:
        """Bring back a command that was entered before."""
        if self.sign != ":" or not self._entered:
            return
        self._at = max(0, min(len(self._entered), self._at + by))
        self.value = self._entered[-self._at] if self._at else ""
        self.cursor_position = len(self.value)

    def key_escape(self, event: events.Key) -> None:
        """Leave."""
        event.stop()
        self.post_message(self.Left())
