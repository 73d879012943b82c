"""A laid-out graph as spans of text: what each row shows, for the states that the stages have now. Pure."""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Literal

from medkg_lab.tui import glyphs
from medkg_lab.tui.glyphs import State, sign
from medkg_lab.tui.theme import Line, Span
from medkg_lab.tui.widgets.dag_layout import Box, Cell, Layout
from medkg_lab.tui.widgets.panel import fit, safe

_NAME, _WORD, _FIGURES, _NOTE = 13, 8, 7, 7
_ROUND, _DOUBLE, _HEAVY = "╭─╮│╰╯┬", "╔═╗║╚╝╤", "┏━┓┃┗┛┯"
_DOTTED = str.maketrans("│─", "┊┄")
QUIET = {"ok", "run", "muted"}
"""Normal states are grey; all others colour the word too."""


@dataclass(frozen=True)
class StageStyle:
    """How a stage is now: its state, such as `32/45`, such as `31 ms`, and what a draft did to it (`+` new, `~` changed)."""

    state: State = glyphs.QUEUED
    figures: str = ""
    note: str = ""
    mark: Literal["", "+", "~"] = ""


@dataclass(frozen=True)
class Scene:
    """Everything that is drawn: the layout, the looks of stages, which are gates, and which one is chosen."""

    layout: Layout
    gates: Set[str] = frozenset()
    looks: Mapping[str, StageStyle] = field(default_factory=dict)
    chosen: str = ""
    focused: bool = False

    def style_of(self, name: str) -> StageStyle:
        """How the stage is now; queued while nothing is known."""
        return self.looks.get(name) or StageStyle()

    def row(self, y: int) -> list[Span]:
        """Row `y` from its first column on, without padding at its end."""
        spans: list[Span] = []
        at = 0
        for x, piece, width in sorted(self._pieces(y), key=lambda one: one[0]):
            spans += [(" " * (x - at), "text")] if x > at else []
            spans += piece
            at = x + width
        return spans

    def _pieces(self, y: int) -> Iterator[tuple[int, Line, int]]:
        for box in self.layout.boxes.values():
            if box.y <= y < box.bottom:
                yield box.x, self._box(box, y - box.y), box.width
        for cell in self.layout.rows.get(y, ()):
            yield cell.x, [self._cell(cell)], 1

    def _cell(self, cell: Cell) -> Span:
        waits = all(self._holds(upper) for upper, _ in cell.edges)
        return (cell.glyph.translate(_DOTTED), "wait") if waits else (cell.glyph, "muted")

    def _holds(self, name: str) -> bool:
        return name in self.gates and self.style_of(name).state is glyphs.AT_GATE

    def _box(self, box: Box, row: int) -> Line:
        if box.height == 1:
            return self._compact(box)
        look, chosen = self.style_of(box.name), box.name == self.chosen
        rim = _DOUBLE if box.name in self.gates else _HEAVY if chosen else _ROUND
        token = "accent" if chosen and self.focused else "wait" if self._holds(box.name) else "muted"
        if row == 0:
            return self._top(box, look, rim, token)
        if row == 2:
            line = rim[1] * (box.width - 2)
            if box.name in self.layout.left:
                line = _set(line, box.port - box.x - 1, rim[6])
            return [(rim[4] + line + rim[5], token)]
        ground = " on cursor" if chosen else ""
        inside: list[Span] = [
            (" ", f"text{ground}"),
            *_state(look, ground),
            (fit(look.figures, _FIGURES, right=True), f"text{ground}"),
            (fit(look.note, _NOTE, right=True), f"muted{ground}"),
            (" ", f"text{ground}"),
        ]
        return [(rim[3], token), *inside, (rim[3], token)]

    def _top(self, box: Box, look: StageStyle, rim: str, token: str) -> Line:
        name = f" {look.mark + ' ' if look.mark else ''}{_cut(box.name, _NAME - 2 * bool(look.mark))} "
        rest = rim[1] * (box.width - 3 - len(name))
        if box.name in self.layout.entered:
            rest = _set(rest, box.port - box.x - 2 - len(name), "▼")
        bold = "accent bold" if box.name == self.chosen and self.focused else "text bold"
        return [(rim[0] + rim[1], token), (name, bold), (rest + rim[2], token)]

    def _compact(self, box: Box) -> Line:
        look = self.style_of(box.name)
        ground = " on cursor" if box.name == self.chosen else ""
        glyph, word = _state(look, ground)
        name = _cut(f"{look.mark}{box.name}", _NAME).ljust(_NAME)
        return [
            glyph,
            (f" {name}", f"{'accent bold' if ground and self.focused else 'text'}{ground}"),
            word,
            (fit(look.figures, _FIGURES, right=True) + " ", f"text{ground}"),
        ]


def _state(look: StageStyle, ground: str) -> list[Span]:
    token = look.state.token
    word = "text" if token in QUIET else token
    return [(sign(look.state), f"{token} bold{ground}"), (" " + fit(look.state.word, _WORD), f"{word}{ground}")]


def _cut(name: str, width: int) -> str:
    shown = safe(name)
    return shown if len(shown) <= width else shown[: width - 1] + "…"


def _set(line: str, place: int, glyph: str) -> str:
    return line[:place] + glyph + line[place + 1 :]
