"""Types into the screen as a person does who is faster than it, and knows what must come of it; run as a child in a terminal."""

import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from medkg_lab.lab.facade import Lab
from medkg_lab.tui import frame
from medkg_lab.tui.app import LabApp
from medkg_lab.tui.frame import TypeLine

BLOCKED_S, FREE_S = 0.004, 0.004
"""How long the event loop is kept busy, and how long it is left alone after that."""
LEFT, RIGHT, HOME, END, DELETE, BACKSPACE = "\x1b[D", "\x1b[C", "\x1b[H", "\x1b[F", "\x1b[3~", "\x7f"
LETTERS = "abcdefghijklmnopqrstuvwxyzWERTS159 -_"


class Line:
    """A line of text and its cursor, as any editor has it."""

    def __init__(self) -> None:
        self.text, self.at = "", 0

    def type(self, key: str) -> None:
        """Press a key."""
        edits: dict[str, Callable[[], tuple[str, int]]] = {
            LEFT: lambda: (self.text, max(0, self.at - 1)),
            RIGHT: lambda: (self.text, min(len(self.text), self.at + 1)),
            HOME: lambda: (self.text, 0),
            END: lambda: (self.text, len(self.text)),
            DELETE: lambda: (self.text[: self.at] + self.text[self.at + 1 :], self.at),
            BACKSPACE: lambda: (self.text[: max(0, self.at - 1)] + self.text[self.at :], max(0, self.at - 1)),
        }
        usual = (self.text[: self.at] + key + self.text[self.at :], self.at + 1)
        self.text, self.at = edits[key]() if key in edits else usual


def bursts(seed: int, number: int) -> list[tuple[str, str]]:
    """What is typed at once, and what it enters: a mode's key, a colon, letters and edits in any order, and return."""
    chosen = random.Random(seed)
    found = []
    for _ in range(number):
        line = Line()
        keys = [chosen.choice("zy")]
        for _ in range(chosen.randint(4, 14)):
            edit = chosen.random() < 0.4
            keys.append(chosen.choice((LEFT, RIGHT, HOME, END, DELETE, BACKSPACE) if edit else LETTERS))
        keys.append("q")
        for key in keys:
            line.type(key)
        found.append((chosen.choice("1257") + ":" + "".join(keys) + "\r", line.text))
    return found


def keep_busy() -> None:
    """Hold the event loop for a while."""
    until = time.perf_counter() + BLOCKED_S
    while time.perf_counter() < until:
        pass


class BusyApp(LabApp):
    """The screen with an event loop that hardly has time, which writes down what was entered."""

    def __init__(self, home: Path, out: Path, number: int) -> None:
        super().__init__(Lab.at(home), start=False)
        self._out, self._number = out, number

    def on_mount(self) -> None:
        """Keep the loop busy from now on."""
        self.set_interval(BLOCKED_S + FREE_S, keep_busy)
        print("ready", file=sys.__stderr__, flush=True)

    def notify(self, message: str, **_: Any) -> None:
        """Nothing: the commands mean nothing."""

    def on_type_line_typed(self, message: TypeLine.Typed) -> None:
        """Once all are there, write them down."""
        if message.done and len(self.session.entered) == self._number:
            self._out.write_text(json.dumps(self.session.entered))
            self.exit()


if __name__ == "__main__":
    frame.HISTORY = 10_000
    BusyApp(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])).run()
