"""A text editor in the screen's colours that shows nothing foreign raw."""

from collections.abc import Mapping
from typing import Any

from rich.style import Style
from rich.text import Text
from textual import events
from textual.message import Message
from textual.widgets import TextArea
from textual.widgets.text_area import TextAreaTheme

from medkg_lab.text import sanitize
from medkg_lab.tui.theme import palette_of

SYNTAX: Mapping[str, str] = {
    "yaml.field": "accent",
    "keyword": "accent",
    "function.call": "run",
    "string": "text",
    "number": "wait",
    "float": "wait",
    "boolean": "wait",
    "constant.builtin": "wait",
    "comment": "muted",
    "punctuation.delimiter": "muted",
    "punctuation.bracket": "muted",
    "punctuation.special": "warn",
    "error": "bad",
}


def visible(line: str) -> str:
    """A line with each control character as one visible one, so that columns stay what they are."""
    if line.isascii() and line.isprintable():
        return line
    return "".join(_visible(each) for each in line)


def _visible(character: str) -> str:
    shown = sanitize(character)
    return shown if len(shown) == 1 else "\N{REPLACEMENT CHARACTER}"


class Editor(TextArea):
    """The editor of text in `language`. It posts `Changed` as it is typed and `Left` on esc."""

    DEFAULT_CSS = """
    Editor { border: round $lab-line; border-title-color: $lab-muted; border-subtitle-color: $lab-muted;
             background: $lab-bg; padding: 0; height: 1fr; scrollbar-size: 0 1; }
    Editor:focus { border: round $lab-accent; border-title-color: $lab-accent; }
    """

    class Left(Message):
        """It was left by esc."""

    def __init__(self, id: str | None, language: str, **options: Any) -> None:
        super().__init__(id=id, language=language, soft_wrap=False, tab_behavior="indent", **options)

    def on_mount(self) -> None:
        """Take the colours, now and when they change."""
        self.watch(self.app, "theme", self._take_colours)

    def _take_colours(self) -> None:
        colour = palette_of(self).colour
        name = f"editor-{palette_of(self).name}"
        self.register_theme(
            TextAreaTheme(
                name,
                base_style=Style(color=colour("text"), bgcolor=colour("bg")),
                gutter_style=Style(color=colour("muted"), bgcolor=colour("bg")),
                cursor_style=Style(color=colour("bg"), bgcolor=colour("accent")),
                cursor_line_style=Style(bgcolor=colour("panel")),
                cursor_line_gutter_style=Style(color=colour("accent"), bgcolor=colour("panel")),
                selection_style=Style(bgcolor=colour("cursor")),
                syntax_styles={part: Style(color=colour(token)) for part, token in SYNTAX.items()},
            )
        )
        self.theme = name

    def get_line(self, line_index: int) -> Text:
        """A line as it is painted: safe."""
        return Text(visible(self.document.get_line(line_index)), end="", no_wrap=True)

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "escape":
            event.stop()
            event.prevent_default()
            self.post_message(self.Left())
        else:
            await super()._on_key(event)
