"""Time that passes only when something says so: a breaker's minute costs nothing."""

import asyncio
import selectors
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
TURN_S = 1e-9
"""Seconds that a turn of a virtual loop takes."""


class VirtualClock:
    """Seconds since the epoch, as an incident's stages see them; safe to share between threads."""

    def __init__(self, start: float) -> None:
        self._now = start
        self._lock = threading.Lock()

    def now(self) -> float:
        """The moment."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""
        with self._lock:
            self._now += max(0.0, seconds)

    def at_least(self, moment: float) -> None:
        """Go on to `moment`, unless it has passed."""
        with self._lock:
            self._now = max(self._now, moment)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on a virtual clock: where every task waits, the clock goes on to the first of them.

    Nothing in it may wait for a thread or a socket: time would run away from it.
    """

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._began = clock.now()
        self._turns = _Selector(clock)
        super().__init__(self._turns)

    def time(self) -> float:
        """Seconds since the loop was made. Each turn takes a little, for code that waits until a moment has passed."""
        return self._clock.now() - self._began + self._turns.count * TURN_S


class VirtualLoops:
    """Where a run's stages are called: all in one virtual loop."""

    threads = False

    def __init__(self, clock: VirtualClock) -> None:
        self._loop = VirtualLoop(clock)

    def run(self, built: object, calls: Coroutine[Any, Any, T]) -> T:
        """Run `calls` to their end. Raises what they raise."""
        return self._loop.run_until_complete(calls)

    def close(self) -> None:
        """End the loop."""
        self._loop.close()


class _Selector(selectors.DefaultSelector):
    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock
        self.count = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, Any]]:
        self.count += 1
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("all tasks of a virtual loop wait for something that will never happen")
        if not ready and timeout:
            self._clock.sleep(timeout)
        return ready
