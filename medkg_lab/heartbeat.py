"""The sign of life that a process of the lab gives its supervisor: a line on stdout every few seconds.

It comes from the event loop where the process has one, so that a loop that hangs gives none; else from a thread, and only while
`alive` says that the work goes on. Nobody is given one without the supervisor's variable in the environment.
"""

import asyncio
import contextlib
import os
import select
import threading
import time
from collections.abc import Callable

VARIABLE = "MEDKG_LAB_SUPERVISED"
"""Set for a process whose stdout its supervisor reads."""
INTERVAL_S = 2.0
LINE = b'{"alive": true}\n'
STUCK_S = 600.0
"""Seconds in which a thread that should go round repeatedly has not: longer than any single call may take."""

_tasks: set[asyncio.Task[None]] = set()


class LoopWatchdog:
    """Wraps the question whether a thread should stop, which it asks in each round, to know when it last did."""

    def __init__(self, stopping: Callable[[float], bool]) -> None:
        self._stopping = stopping
        self._asked = time.monotonic()

    def __call__(self, seconds: float = 0) -> bool:
        """Ask it."""
        self._asked = time.monotonic()
        return self._stopping(seconds)

    def is_alive(self) -> bool:
        """Whether the thread went round lately."""
        return time.monotonic() - self._asked < STUCK_S


def start(alive: Callable[[], bool] = lambda: True) -> None:
    """Begin to give signs of life, if the supervisor wants them."""
    if VARIABLE not in os.environ:
        return
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        threading.Thread(target=_beat_in_thread, args=(alive,), name="heartbeat", daemon=True).start()
        return
    task = loop.create_task(_beat_in_loop())
    _tasks.add(task)  # a loop holds its tasks only weakly
    task.add_done_callback(_tasks.discard)


async def _beat_in_loop() -> None:
    while True:
        beat()
        await asyncio.sleep(INTERVAL_S)


def _beat_in_thread(alive: Callable[[], bool]) -> None:
    while True:
        if alive():
            beat()
        time.sleep(INTERVAL_S)


def beat() -> None:
    """Write one line to stdout, unless nobody has read the last ones: a supervisor that is held up must hold up nobody."""
    pipe = select.poll()
    pipe.register(1, select.POLLOUT)
    with contextlib.suppress(OSError):
        if pipe.poll(0):
            os.write(1, LINE)
