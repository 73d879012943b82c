"""Ten minutes' worth of events at 1,600 a second, as fast as they can be given: the screen keeps up, and stays as it was."""

import asyncio
import gc
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from medkg_lab import rpc
from medkg_lab.bench.screen_source import PER_JOB, rows
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.locations import locate
from medkg_lab.tui.app import LabApp
from medkg_lab.tui.screens.events.ring import KEPT
from medkg_lab.tui.screens.events.screen import EventsScreen
from tests.tui.ledger_labs import LedgerLab
from tests.tui.screens import Screen

pytestmark = [pytest.mark.asyncio, pytest.mark.full, pytest.mark.timeout(600)]
PER_SECOND = 1600
TEN_MINUTES = 600 * PER_SECOND
CHUNK = 20_000
WARM = 200_000
"""Events after which the list is full and memory has to stay as it is."""
GROWTH_MB = 24.0
KEYS = (
    "p",
    "f",
    "k",
    "k",
    "f",
    "1",
    "3",
    "left_square_bracket",
    "f",
    "question_mark",
    "escape",
    "2",
    "3",
    "enter",
    "f",
)


@pytest.fixture
def source(short_tmp: Path) -> Iterator[rpc.Client]:
    """A process that answers as the ledger's log does."""
    path = short_tmp / "log.sock"
    command = [sys.executable, "-m", "medkg_lab.bench.screen_source", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield rpc.Client(path, deadline=30)
    finally:
        process.kill()
        process.communicate()


@asynccontextmanager
async def streaming(home: Path) -> AsyncIterator[Screen]:
    """The screen on the events of the source."""
    lab = LedgerLab(locate(home / "lab"), deadline=5.0)
    lab.ledger = LedgerClient(home / "log.sock")
    app = LabApp(lab, start=False)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await pilot.pause()
        await pilot.press("3")
        yield Screen(app, pilot)


async def go(source: rpc.Client, rate: float, at_once: int = 0) -> int:
    """Have events; the newest number."""
    return int(await asyncio.to_thread(source.call, "go", rate=rate, at_once=at_once))


async def test_ten_minutes_of_events(source: rpc.Client, short_tmp: Path) -> None:
    process, warm, head, pressed = psutil.Process(), 0, 0, 0
    async with streaming(short_tmp) as screen:
        events = screen.app.mode
        assert isinstance(events, EventsScreen)
        await screen.until(lambda: events.feed.started, "the stream")
        while head < TEN_MINUTES:
            head = await go(source, 0, CHUNK)
            await screen.press(KEYS[pressed % len(KEYS)])
            pressed += 1
            await screen.until(lambda head=head: events._taken.seq >= head, f"event {head}")  # type: ignore[misc]
            if not warm and head >= WARM:
                gc.collect()
                warm = process.memory_info().rss
        await screen.press("escape", "3", "f")
        gc.collect()
        grown = (process.memory_info().rss - warm) / 1e6
        assert events._taken.total == rows(head), "no event is lost"
        assert len(events.ring.live) == KEPT
        newest = head - (head % PER_JOB == 1)
        await screen.until(
            lambda: events.ring.painted is not None and events.ring.painted.seq == newest, "the newest row"
        )
        assert grown < GROWTH_MB, f"memory grew by {grown:.1f} MB"
        print(f"{head} events, {pressed} keys, memory grew by {grown:.1f} MB")


async def test_the_screen_answers_while_events_stream(source: rpc.Client, short_tmp: Path) -> None:
    async with streaming(short_tmp) as screen:
        events = screen.app.mode
        assert isinstance(events, EventsScreen)
        await screen.until(lambda: events.feed.started, "the stream")
        await go(source, PER_SECOND)
        until = time.monotonic() + 30
        while time.monotonic() < until:
            await screen.press("slash")
            await screen.type("stage:parse")
            await screen.press("enter")
            await screen.until(lambda: "parse" in screen.text and "ingest" not in screen.text, "only what fits")
            await screen.press("1")
            await screen.sees("Processes")
            await screen.press("3", "escape")
            await screen.sees("ingest", "chunk", " live, ")
            await screen.press("p")
            held = events.ring.row
            await screen.sees("held, ")
            assert events.ring.row == held
            await screen.press("f")
            await screen.misses("held, ")
        head = await go(source, 0)
        newest = head - (head % PER_JOB == 1)
        await screen.until(
            lambda: events.ring.painted is not None and events.ring.painted.seq == newest, "the newest row"
        )
        assert events._taken.total == rows(head)
