"""The help beside a mode: what it is, what does the same from the shell, and the keys that work now."""

from textual.app import ComposeResult
from textual.widgets import HelpPanel, KeyPanel

from medkg_lab.tui.theme import Line
from medkg_lab.tui.widgets.panel import Lines, wrapped

WIDTH = 46


class ModeHelp(HelpPanel):
    """Textual's help panel, with our own lines in the place of Markdown."""

    DEFAULT_CSS = """
    ModeHelp { width: 52; max-width: 100%; background: $lab-panel; border-left: vkey $lab-accent; padding: 0 1;
        Lines { background: $lab-panel; }
        KeyPanel#keys-help { background: $lab-panel; scrollbar-size-vertical: 1; }
        .bindings-table--key { color: $lab-accent; }
        .bindings-table--description { color: $lab-muted; }
    }
    """

    def __init__(self, title: str, about: str, twins: str) -> None:
        super().__init__()
        lines: list[Line] = [[(f"Help · {title}", "accent bold")], *wrapped(about, WIDTH), []]
        self._lines = [*lines, [("Same from the shell", "accent bold")], *wrapped(twins, WIDTH, "muted")]

    def update_help(self, focused_widget: object) -> None:
        """The help is the mode's, whatever has the focus."""

    def compose(self) -> ComposeResult:
        """What the mode is, over its keys."""
        yield Lines(self._lines)
        yield KeyPanel(id="keys-help")
