"""A bordered region of lines; and the one place where text becomes cells, so that what is foreign is made safe there."""

import re
from collections.abc import Sequence

from rich.cells import cell_len, chop_cells, set_cell_size
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.app import RenderResult
from textual.content import Content
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from medkg_lab.text import one_line
from medkg_lab.tui.theme import Line, Palette, Span, palette_of

MIDDLE_FROM = 8
"""Cells from which on text is shortened in its middle: less would leave nothing of either end."""
LONGEST = 1000
"""Characters of one piece of text that are shown at most."""


def safe(text: object) -> str:
    """Foreign text for one cell or line: control characters visible, no line breaks, runs of spaces kept as typed."""
    plain = str(text)[:LONGEST]
    return plain if plain.isascii() and plain.isprintable() else _made_safe(plain)


def _made_safe(text: str) -> str:
    lead = len(text) - len(text.lstrip(" "))
    trail = len(text) - len(text.rstrip(" "))
    if not text.strip(" "):
        return text
    return " " * lead + one_line_raw(text.strip(" ")) + " " * trail


def one_line_raw(text: str) -> str:
    """`text` sanitized on one line, with its runs of spaces."""
    return " ".join(one_line(piece) for piece in text.split(" "))


def fit(text: object, width: int, right: bool = False, middle: bool = False) -> str:
    """Safe text of exactly `width` cells: cut with `…` at its end or in its middle, or padded (to the left when `right`)."""
    shown = safe(text)
    size = cell_len(shown)
    if size > width:
        tail = set_cell_size(shown[::-1], (width - 1) // 2)[::-1] if middle and width > MIDDLE_FROM else ""
        return set_cell_size(shown, max(0, width - 1 - cell_len(tail))) + "…" + tail if width > 0 else ""
    pad = " " * (width - size)
    return pad + shown if right else shown + pad


def width_of(line: Line) -> int:
    """Cells that a line takes."""
    return sum(cell_len(safe(text)) for text, _ in line)


def strip_of(line: Line, palette: Palette, width: int, ground: Style | None = None) -> Strip:
    """A line painted: exactly `width` cells, cut with `…` where it is longer."""
    base = ground or Style.null()
    segments = [Segment(safe(text), base + palette.style(token)) for text, token in line]
    strip = Strip(segments)
    if strip.cell_length > width:
        strip = Strip([*strip.crop(0, max(0, width - 1)), Segment("…", base + palette.style("muted"))])
    return strip.extend_cell_length(width, base) if strip.cell_length < width else strip


def wrapped(text: str, width: int, token: str = "text") -> list[list[Span]]:
    """Foreign text broken into lines at spaces."""
    rows: list[list[Span]] = []
    row = ""
    for word in safe(text).split():
        while cell_len(word) > width > 0:
            if row:
                rows.append([(row, token)])
                row = ""
            first, *rest = chop_cells(word, width)
            rows.append([(first, token)])
            word = "".join(rest)
        if row and cell_len(row) + 1 + cell_len(word) > width:
            rows.append([(row, token)])
            row = word
        else:
            row = f"{row} {word}".strip()
    return [*rows, [(row, token)]] if row or not rows else rows


def marked(text: str, words: Sequence[str], width: int) -> list[Line]:
    """Text in lines of `width` cells, with these words in brackets and bold."""
    known = {word.lower() for word in words if word.strip()}
    if known:
        pattern = re.compile(
            r"\b(" + "|".join(map(re.escape, sorted(known, key=len, reverse=True))) + r")\b", re.IGNORECASE
        )
        text = pattern.sub(r"[\1]", text)
    return [_emphasised(row[0][0], known) for row in wrapped(text, width) if row]


def _emphasised(row: str, known: set[str]) -> list[Span]:
    spans: list[Span] = []
    for piece in re.split(r"(\[[^\[\]]+\])", row):
        is_mark = piece.startswith("[") and piece[1:-1].lower() in known
        spans += [(piece, "accent bold" if is_mark else "text")] if piece else []
    return spans


def titled(widget: Widget, title: str, foot: str = "") -> None:
    """Set a border's title and subtitle; they are foreign text like any other. What is there already costs no repaint."""
    above, below = Content(safe(title)), Content(safe(foot))
    if (widget.border_title or "") != above.markup:
        widget.border_title = above if title else None
    if (widget.border_subtitle or "") != below.markup:
        widget.border_subtitle = below if foot else None


class Lines(Widget):
    """Lines of spans, painted when they are shown; what does not fit the width is cut with `…`."""

    DEFAULT_CSS = """
    Lines { height: auto; width: 1fr; }
    """

    def __init__(self, lines: Sequence[Line] = (), id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.lines: Sequence[Line] = lines
        self._wide = 0

    class Rewidened(Message):
        """The region is wider or narrower than before: what was broken into lines for it has to be broken anew."""

    class Clicked(Message):
        """A line was clicked."""

        def __init__(self, row: int) -> None:
            super().__init__()
            self.row = row

    def on_resize(self, event: events.Resize) -> None:
        """Tell of another width."""
        if event.size.width != self._wide:
            self._wide = event.size.width
            self.post_message(self.Rewidened())

    def show(self, lines: Sequence[Line]) -> None:
        """Show these lines from now on."""
        before, self.lines = self.lines, lines
        if len(lines) != len(before):
            self.refresh(layout=True)
            return
        for at, (old, new) in enumerate(zip(before, lines, strict=True)):
            if list(old) != list(new):
                self.refresh(Region(0, at, self.size.width, 1))

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        """As many rows as there are lines."""
        return max(1, len(self.lines))

    def render(self) -> RenderResult:
        """Only asked for by Textual's own tools; painting is by line."""
        return Text("\n".join("".join(safe(text) for text, _ in line) for line in self.lines))

    def render_line(self, y: int) -> Strip:
        """Paint one line."""
        ground = self.rich_style
        line = self.lines[y] if y < len(self.lines) else ()
        return strip_of(line, palette_of(self), self.size.width, Style(bgcolor=ground.bgcolor))


class Panel(Lines):
    """Lines with a border, a title and a subtitle in it. Focusable unless told otherwise."""

    DEFAULT_CSS = """
    Panel {
        border: round $lab-line; border-title-color: $lab-muted; border-subtitle-color: $lab-muted;
        padding: 0 1; height: auto; background: $lab-bg;
    }
    Panel:focus { border: round $lab-accent; border-title-color: $lab-accent; }
    """
    can_focus = True

    def __init__(
        self, title: str = "", lines: Sequence[Line] = (), id: str | None = None, clicks: bool = False
    ) -> None:
        """With `clicks` it tells of the line that was clicked."""
        super().__init__(lines, id=id)
        self._clicks = clicks
        self.head(title)

    def head(self, title: str, foot: str = "") -> None:
        """Set title and subtitle; they are foreign text like any other."""
        titled(self, title, foot)

    def on_click(self, event: events.Click) -> None:
        """Tell which line was clicked."""
        at = event.get_content_offset(self)
        if self._clicks and at is not None:
            self.post_message(self.Clicked(at.y))
