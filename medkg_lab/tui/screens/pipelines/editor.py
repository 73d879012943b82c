"""A text editor for definitions: coloured YAML, marks at the lines that are wrong, completion, and nothing foreign shown raw."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.message import Message
from textual.strip import Strip

from medkg_lab.topology.errors import Problem
from medkg_lab.tui.screens.pipelines.yaml_help import Offer, Words, fixed, offer
from medkg_lab.tui.theme import palette_of
from medkg_lab.tui.widgets.editor import Editor


class YamlEditor(Editor):
    """The editor. It posts `Offered` when there is something to complete."""

    @dataclass
    class Offered(Message):
        """What can be completed, and which of it is chosen; None when nothing is."""

        offer: Offer | None
        at: int = 0

    def __init__(self, words: Callable[[], Words], id: str | None = None) -> None:
        super().__init__(id, "yaml", show_line_numbers=True)
        self.indent_width = 2
        self.problems: Sequence[Problem] = ()
        self._words = words
        self._offer: Offer | None = None
        self._at = 0

    @property
    def lines(self) -> Sequence[str]:
        """The text by line."""
        return self.document.lines

    # What is shown

    def mark(self, problems: Sequence[Problem]) -> None:
        """Mark the lines of these problems."""
        self.problems = problems
        self._line_cache.clear()
        self.refresh()

    def get_line(self, line_index: int) -> Text:
        """A line as it is painted: safe, and underlined where it is wrong."""
        text = super().get_line(line_index)
        for problem in self.problems:
            if problem.line == line_index + 1:
                text.stylize(Style(underline=True, color=palette_of(self).colour("bad")), max(0, problem.column - 1))
        return text

    def render_line(self, y: int) -> Strip:
        """Paint a line, with `✗` in the gutter where it is wrong."""
        strip = super().render_line(y)
        line = y + self.scroll_offset.y + 1
        if not any(problem.line == line for problem in self.problems):
            return strip
        sign = Segment("✗", palette_of(self).style("bad bold on bg"))
        return Strip([sign, *strip.crop(1, strip.cell_length)])

    # Keys

    async def _on_key(self, event: events.Key) -> None:
        if self._offer is not None and event.key in ("down", "up", "tab", "enter", "escape"):
            event.stop()
            event.prevent_default()
            self._choose(event.key)
            return
        if event.key == "ctrl+@" or event.key == "ctrl+space":
            event.stop()
            event.prevent_default()
            self._refresh(asked=True)
        elif event.key == "tab" and self.fix():
            event.stop()
            event.prevent_default()
        elif event.key == "enter":
            event.stop()
            event.prevent_default()
            self._new_line()
        else:
            await super()._on_key(event)
            if event.is_printable or event.key == "backspace":
                self.call_later(self._refresh)

    def _choose(self, key: str) -> None:
        assert self._offer is not None
        if key in ("down", "up"):
            self._at = (self._at + (1 if key == "down" else -1)) % len(self._offer.choices)
            self.post_message(self.Offered(self._offer, self._at))
            return
        chosen = self._offer
        self._show(None)
        if key in ("tab", "enter"):
            row = self.cursor_location[0]
            self.replace(chosen.choices[self._at][0], (row, chosen.start), (row, chosen.end))
            self.move_cursor((row, chosen.start + len(chosen.choices[self._at][0])))

    def _refresh(self, asked: bool = False) -> None:
        row, column = self.cursor_location
        self._at = 0
        self._show(offer(self.lines, row, column, self._words(), asked))

    def _show(self, found: Offer | None) -> None:
        if found is not None or self._offer is not None:
            self._offer = found
            self.post_message(self.Offered(found))

    def _new_line(self) -> None:
        """Begin a line that is indented as the one before, deeper behind a colon."""
        row, column = self.cursor_location
        line = self.lines[row][:column]
        indent = len(line) - len(line.lstrip(" "))
        indent += 2 if line.lstrip().startswith("- ") or line.rstrip().endswith(":") else 0
        self.insert("\n" + " " * indent)

    def fix(self) -> bool:
        """Put the suggested name in, where the line of the cursor has a problem with one."""
        row = self.cursor_location[0]
        for problem in self.problems:
            if problem.line == row + 1:
                line = self.lines[row]
                better = fixed(line, problem.message, problem.suggestion)
                if better is not None:
                    self.replace(better, (row, 0), (row, len(line)))
                    return True
        return False

    def go_to(self, line: int, column: int = 1) -> None:
        """Put the cursor on a place, counted from 1, once the editor is laid out."""
        row = max(0, min(line - 1, self.document.line_count - 1))
        place = (row, min(column - 1, len(self.lines[row])))
        self.call_after_refresh(self.move_cursor, place)

    def on_blur(self) -> None:
        """Nothing is completed where nobody types."""
        self._show(None)
