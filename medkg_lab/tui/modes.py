"""The modes of the screen, by their number keys: what is known of each before its own modules are loaded."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from textual.screen import Screen

from medkg_lab.tui import glyphs
from medkg_lab.tui.messages import Snapshot


@dataclass(frozen=True)
class Mode:
    """A mode: its number key (None where the ten digits are taken), its `:` command (`:jobs`), its names in the bar of a wide
    and of a narrow terminal.

    `load` imports the mode's screen, which takes longer than the first frame may; `badge` is what stands behind its name.
    """

    number: int | None
    word: str
    title: str
    short: str
    load: Callable[[], type[Screen[None]]]
    badge: Callable[[Snapshot], str] = lambda _: ""


def _mode(number: int | None, title: str, short: str = "", badge: Callable[[Snapshot], str] = lambda _: "") -> Mode:
    """A mode whose folder and command are called as it is."""
    word = title.lower()

    def load() -> type[Screen[None]]:
        screen: type[Screen[None]] = getattr(import_module(f"medkg_lab.tui.screens.{word}.screen"), f"{title}Screen")
        return screen

    return Mode(number, word, title, short or title, load, badge)


def _at_gates(seen: Snapshot) -> str:
    return f"{glyphs.AT_GATE.glyph}{len(seen.gates)}" if seen.gates else ""


MODES = (
    _mode(1, "Lab"),
    _mode(2, "Jobs"),
    _mode(3, "Events"),
    _mode(4, "Pipelines", "Pipes"),
    _mode(5, "Gate", badge=_at_gates),
    _mode(6, "Search", "Find"),
    _mode(7, "Logs"),
    _mode(8, "Replay", "Rep"),
    _mode(9, "Graph"),
    _mode(0, "SQL"),
)
