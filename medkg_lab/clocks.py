"""The wall clock for those who delete by age: setting it, by mistake or rightly, makes nothing old."""

import time
from collections.abc import Callable

DAY_S = 24 * 3600.0


def since_boot() -> float:
    """Seconds since boot, suspended ones too: nothing sets this clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class SteadyClock:
    """Seconds since 1970 as the wall clock said at the start and as time has passed since, or less where it says less now.

    `newest` is the time of the newest thing that may be deleted: the start is a day behind it at most, so that a start with a
    wrong clock makes nothing old either.
    """

    def __init__(
        self,
        newest: float | None = None,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = since_boot,
    ) -> None:
        self._wall = wall
        self._steady = steady
        start = wall() if newest is None else min(wall(), newest + DAY_S)
        self._ahead = start - steady()

    def __call__(self) -> float:
        """The time."""
        return min(self._steady() + self._ahead, self._wall())
