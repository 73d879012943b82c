"""The screen under test: opened without a terminal, looked at as text."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from rich.segment import Segment
from textual.pilot import Pilot

from medkg_lab.lab.facade import Lab
from medkg_lab.tui.app import LabApp

TIMEOUT = 30.0
SIZES = ((80, 24), (120, 40), (200, 60))


class Screen:
    """The program and its pilot."""

    def __init__(self, app: LabApp, pilot: "Pilot[None]") -> None:
        self.app = app
        self.pilot = pilot

    @property
    def cells(self) -> list[list[Segment]]:
        """What is seen now, with its styles."""
        return [list(strip) for strip in self.app.screen._compositor.render_strips(self.app.size)]

    @property
    def text(self) -> str:
        """What is seen now."""
        return "\n".join("".join(segment.text for segment in strip) for strip in self.cells)

    async def press(self, *keys: str) -> None:
        """Press keys, and wait until each has had its effect."""
        await self.pilot.press(*keys)
        await self._typed()

    async def type(self, text: str) -> None:
        """Type text."""
        await self.pilot.press(*({" ": "space", ":": "colon"}.get(each, each) for each in text))
        await self._typed()

    async def _typed(self) -> None:
        await self.until(lambda: not self.app.is_typing or not self.app.is_running, "every key being handled")
        await self.pilot.pause()

    async def until(self, predicate: Callable[[], object], what: str, seconds: float = TIMEOUT) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + seconds
        while not predicate():
            if time.monotonic() > deadline:
                raise AssertionError(f"{what} did not happen; the screen was\n{self.text}")
            await self.pilot.pause(0.05)

    async def sees(self, *texts: str, seconds: float = TIMEOUT) -> None:
        """Wait until all texts are seen."""
        await self.until(lambda: all(each in self.text for each in texts), f"seeing {texts}", seconds)

    async def misses(self, text: str, seconds: float = TIMEOUT) -> None:
        """Wait until a text is not seen."""
        await self.until(lambda: text not in self.text, f"not seeing {text!r}", seconds)


@asynccontextmanager
async def opened(home: Path, size: tuple[int, int] = (120, 40), start: bool = False) -> AsyncIterator[Screen]:
    """The screen of the lab at `home`."""
    app = LabApp(Lab.at(home, deadline=10.0), start=start)
    async with app.run_test(size=size, notifications=True) as pilot:
        screen = Screen(app, pilot)
        await screen.until(lambda: bool(app.mode.query("#footer")), "the first frame")
        yield screen
