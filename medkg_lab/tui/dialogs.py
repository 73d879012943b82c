"""What opens over a mode: a dialog that acts (and shows its twin), a sheet to read, the answer to why, the jump letters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, OptionList, Static
from textual.widgets.option_list import Option

from medkg_lab.tui.theme import Line
from medkg_lab.tui.widgets.panel import Lines, safe, wrapped

TEXT_WIDTH = 76
"""Cells of a line of text: what a box has in a terminal of 80 columns."""


@dataclass(frozen=True)
class Choice:
    """A button: its letter (empty while a reason is typed), what it does in words, and the value it stands for."""

    key: str
    label: str
    value: str


@dataclass(frozen=True)
class Answer:
    """What a dialog was left with."""

    value: str
    text: str = ""
    option: str = ""


@dataclass(frozen=True)
class Question:
    """A dialog: what, on how many, what it costs, an optional line to type in, options, choices, and the twin. A line that is
    a text is a sentence.

    The first choice is the safe one and is chosen at first, unless there is something to type. `asks` is the prompt of the line
    to type in, empty for none; `required` says what is missing while it is empty, and nothing but cancelling works then.
    """

    title: str
    lines: Sequence[Line | str]
    choices: Sequence[Choice]
    twin: str = ""
    asks: str = ""
    required: str = ""
    options: Sequence[tuple[str, str]] = ()


WHY_ASKED = "a reason is needed: it is recorded with your name"


class Dialog(ModalScreen[Answer | None]):
    """Asks a Question; the answer is None after esc."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False),
        Binding("left", "app.focus_previous", show=False),
        Binding("right", "app.focus_next", show=False),
    ]

    def __init__(self, question: Question) -> None:
        super().__init__()
        self.question = question

    def compose(self) -> ComposeResult:
        """The box."""
        asked = self.question
        with Vertical(id="dialog") as box:
            box.border_title = Text(safe(asked.title))
            box.border_subtitle = Text(safe(asked.twin)) if asked.twin else None
            yield Lines([row for line in asked.lines for row in _broken(line)])
            if asked.options:
                yield OptionList(*(Option(Content(safe(label)), id=value) for value, label in asked.options))
            if asked.asks:
                yield Input(placeholder=asked.asks, id="reason")
            with Horizontal(id="choices"):
                for at, choice in enumerate(asked.choices):
                    letter = f"{choice.key} " if choice.key and not asked.asks else ""
                    yield Button(Content(safe(f"{letter}{choice.label}")), id=f"choice-{at}", compact=True)

    def on_mount(self) -> None:
        """Focus what is typed or chosen first."""
        first: OptionList | Input | Button
        if self.question.options:
            first = self.query_one(OptionList)
            first.highlighted = 0
        elif self.question.asks:
            first = self.query_one(Input)
        else:
            first = self.query_one("#choice-0", Button)
        self.set_focus(first)

    def on_key(self, event: events.Key) -> None:
        """A choice's letter chooses it, unless letters are text now."""
        if isinstance(self.focused, Input):
            return
        for choice in self.question.choices:
            if choice.key and event.key == choice.key and not self.question.asks:
                event.stop()
                self._choose(choice)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """A button was pressed."""
        self._choose(self.question.choices[int((event.button.id or "").removeprefix("choice-"))])

    def on_input_submitted(self) -> None:
        """Enter in the line to type in takes the first choice."""
        self._choose(self.question.choices[0])

    def on_option_list_option_selected(self) -> None:
        """Enter on an option takes the first choice."""
        self._choose(self.question.choices[0])

    def _choose(self, choice: Choice) -> None:
        if not choice.value:
            self.dismiss(None)
            return
        text = self.query_one(Input).value.strip() if self.question.asks else ""
        if self.question.required and not text:
            self.query_one(Input).placeholder = self.question.required
            return
        option = ""
        if self.question.options:
            listed = self.query_one(OptionList)
            option = self.question.options[listed.highlighted or 0][0]
        self.dismiss(Answer(choice.value, text, option))

    def action_leave(self) -> None:
        """Leave without doing anything."""
        self.dismiss(None)


def _broken(line: Line | str) -> Sequence[Line]:
    """A sentence in as many lines as it needs; what has columns stays a line."""
    if isinstance(line, str):
        return wrapped(line, TEXT_WIDTH)
    return wrapped(line[0][0], TEXT_WIDTH, line[0][1]) if len(line) == 1 else [line]


class Sheet(ModalScreen[None]):
    """Lines to read: help, a process, a thing's raw form. Scrolls; y copies what it was given to copy."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1", "leave", show=False),
        Binding("y,c", "copy", show=False),
        Binding("down,j", "scroll(1)", show=False),
        Binding("up,k", "scroll(-1)", show=False),
        Binding("pagedown,space", "scroll(10)", show=False),
        Binding("pageup", "scroll(-10)", show=False),
    ]

    def __init__(
        self, title: str, lines: Sequence[Line], foot: str = "esc close", copied: str = "", side: bool = False
    ) -> None:
        super().__init__(classes="side" if side else "")
        self._title, self._lines, self._foot, self._copied = title, lines, foot, copied

    def compose(self) -> ComposeResult:
        """The box."""
        with VerticalScroll(id="sheet", can_focus=True) as box:
            box.border_title = Text(safe(self._title))
            box.border_subtitle = Text(safe(self._foot))
            yield Lines(self._lines)

    def action_leave(self) -> None:
        """Close."""
        self.dismiss(None)

    def action_scroll(self, by: int) -> None:
        """Scroll by rows."""
        self.query_one("#sheet").scroll_relative(y=by, animate=False)

    def action_copy(self) -> None:
        """Copy what is shown."""
        if self._copied:
            self.app.copy_to_clipboard(self._copied)
            self.app.notify("Copied.", markup=False)


class Why(ModalScreen[str | None]):
    """The answer to why, above the footer, once there is one; a key of an action that it offers closes it and does that."""

    def __init__(self, title: str, offers: Line, keys: Mapping[str, str], twin: str) -> None:
        """`offers` is the line that names the actions, `keys` gives them by their keys."""
        super().__init__()
        self._title, self._offers, self._keys, self._twin = title, offers, keys, twin
        self._answer = Lines([[("Reading…", "muted")]])

    def show_answer(self, sentences: Sequence[str]) -> None:
        """Say this, a sentence each, and what can be done."""
        rows: list[Line] = [row for sentence in sentences for row in wrapped(sentence, TEXT_WIDTH)]
        self._answer.show([*rows, self._offers] if self._offers else rows)

    def compose(self) -> ComposeResult:
        """The box."""
        with Vertical(id="why") as box:
            box.border_title = Text(safe(self._title))
            box.border_subtitle = Text(safe(self._twin))
            yield self._answer

    def on_key(self, event: events.Key) -> None:
        """Any key closes; one that is offered is done."""
        event.stop()
        self.dismiss(self._keys.get(event.key))

    def on_click(self) -> None:
        """A click closes."""
        self.dismiss(None)


class Jump(ModalScreen[str | None]):
    """Waits for the letter of a region."""

    def compose(self) -> ComposeResult:
        """Nothing of its own: the letters stand in the regions' titles."""
        yield Static(Content("a letter takes the focus to its region · any other key leaves"), id="jump")

    def on_key(self, event: events.Key) -> None:
        """Answer with the letter."""
        event.stop()
        self.dismiss(event.character)
