"""The screen under measurement, in a terminal of its own: it plays the scenario and writes down what it saw of itself."""

import argparse
import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import psutil

from medkg_lab import rpc
from medkg_lab.bench.figures import latencies, quantile
from medkg_lab.bench.screen import Burst, Idle, Memory, Seen, Steady
from medkg_lab.bench.screen_source import PER_JOB, rows
from medkg_lab.lab.facade import Lab
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.tui.app import LabApp
from medkg_lab.tui.modes import MODES
from medkg_lab.tui.screens.events.screen import EventsScreen

TICK_S = 0.01
SETTLE_S = 2.0
WARM_UP_EVENTS = 200_000
"""Rows after which memory is looked at first: by then the ring is full."""
CHUNK_EVENTS = 20_000
TIMEOUT_S = 600.0


class MeasuredApp(LabApp):
    """The screen with only its stream, and with probes."""

    def __init__(self, lab: Lab, source: Path, out: Path, seconds: float, rate: float, burst: int, flood: int) -> None:
        super().__init__(lab, start=False, modes=[mode for mode in MODES if mode.word == EventsScreen.word])
        self._source = rpc.Client(source, deadline=30)
        self._out, self._seconds, self._rate, self._burst, self._flood = out, seconds, rate, burst, flood
        self._ages: list[float] = []
        self._gaps: list[float] = []
        self._paints: list[float] = []
        self._seen_end = 0
        self._ticked = 0.0

    def on_mount(self) -> None:
        """Start the probes and the scenario."""
        self._probe = self.set_interval(TICK_S, self._tick)
        self._playing = asyncio.create_task(self._play())

    @property
    def _events(self) -> EventsScreen:
        screen = self.mode
        assert isinstance(screen, EventsScreen)
        return screen

    def _tick(self) -> None:
        now, ring = time.monotonic(), self._events.ring
        self._gaps.append(now - self._ticked)
        self._ticked = now
        view, painted = ring.view, ring.painted
        if painted is None or view.end == self._seen_end or view.at(view.end - 1) is not painted:
            return
        fresh = [view.at(place) for place in range(max(view.start, self._seen_end), view.end)]
        self._ages += [ring.painted_at - row.ts for row in fresh if row is not None and row.seq]
        self._paints.append(ring.painted_at)
        self._seen_end = view.end

    def _forget(self) -> None:
        self._ages, self._gaps, self._paints = [], [], []

    async def _go(self, rate: float, at_once: int = 0) -> int:
        return int(await asyncio.to_thread(self._source.call, "go", rate=rate, at_once=at_once))

    async def _until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while not holds() and time.monotonic() < deadline:  # noqa: ASYNC110 - nothing tells when
            await asyncio.sleep(TICK_S)

    async def _play(self) -> None:
        try:
            found = await self._scenario()
            await asyncio.to_thread(self._out.write_text, json.dumps(asdict(found)))
        finally:
            self.exit()

    async def _scenario(self) -> Seen:
        await asyncio.sleep(SETTLE_S)
        return Seen(await self._steady(), await self._at_once(), await self._flooded(), await self._idle())

    async def _idle(self) -> Idle:
        """The share of a core while nothing happens, without the probes."""
        self._probe.pause()
        await asyncio.sleep(SETTLE_S)
        cpu, began = time.process_time(), time.monotonic()
        await asyncio.sleep(self._seconds)
        return Idle(round((time.process_time() - cpu) / (time.monotonic() - began), 4))

    async def _steady(self) -> Steady:
        await self._go(self._rate)
        await asyncio.sleep(SETTLE_S)
        self._forget()
        cpu, began = time.process_time(), time.monotonic()
        await asyncio.sleep(self._seconds)
        used = (time.process_time() - cpu) / (time.monotonic() - began)
        ages = asdict(latencies(self._ages))
        return Steady(**ages, cores=round(used, 3), worst_gap_ms=_ms(max(self._gaps)), frames=len(self._paints))

    async def _at_once(self) -> Burst:
        await self._go(0)
        await asyncio.sleep(SETTLE_S)
        before, self._seen_end = self._events._taken.total, self._events.ring.view.end
        self._forget()
        began = time.time()
        head = await self._go(0, self._burst)
        expected = rows(head) - rows(head - self._burst)
        await self._until(lambda: self._events._taken.total - before >= expected and self._events.ring.painted_age >= 0)
        await asyncio.sleep(SETTLE_S)
        shown = self._events._taken.total - before
        frames = [began, *self._paints]
        worst = max((later - earlier for earlier, later in pairwise(frames)), default=0.0)
        last = self._events.ring.painted
        return Burst(
            rows=shown,
            lost=expected - shown,
            shown_after_ms=_ms(frames[-1] - began),
            worst_frame_gap_ms=_ms(worst),
            worst_loop_gap_ms=_ms(max(self._gaps)),
            newest_shown=last is not None and last.seq == head - (head % PER_JOB == 1),
        )

    async def _flooded(self) -> Memory:
        process = psutil.Process()
        start, warm = self._events._taken.total, 0.0
        while (taken := self._events._taken.total - start) < self._flood:
            total = await self._go(0, CHUNK_EVENTS)
            await self._until(lambda total=total: self._events._taken.seq >= total)  # type: ignore[misc]
            # What the probes gather is not memory of the screen's.
            self._ages, self._paints = [], []
            if not warm and taken >= min(WARM_UP_EVENTS, self._flood // 5):
                warm = process.memory_info().rss / 1e6
        await asyncio.sleep(SETTLE_S)
        after = process.memory_info().rss / 1e6
        gap = _ms(quantile(self._gaps, 0.95))
        return Memory(warm_mb=round(warm, 1), after_mb=round(after, 1), rows=taken, p95_gap_ms=gap)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


def main() -> None:
    """Run in the terminal that this process has."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("home", "socket", "out"):
        parser.add_argument(name, type=Path)
    for name in ("seconds", "rate"):
        parser.add_argument(name, type=float)
    for name in ("burst", "flood"):
        parser.add_argument(name, type=int)
    args = parser.parse_args()
    lab = Lab.at(args.home)
    lab.ledger = LedgerClient(args.socket)
    MeasuredApp(lab, args.socket, args.out, args.seconds, args.rate, args.burst, args.flood).run()


if __name__ == "__main__":
    main()
