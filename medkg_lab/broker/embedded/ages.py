"""How old things are, whatever is done to the clock: time as it passes while the broker runs. Pure.

Retention by a clock that was wrong for a moment would empty every topic. So ages follow the clock that nobody sets, and a
time in which the broker did not run counts for a day at most: records may stay longer than was asked for, never shorter.
"""

from dataclasses import dataclass

DAY_MS = 24 * 60 * 60 * 1000
JUMP_MS = 60_000
"""A difference between the two clocks that is worth a line in the log."""


@dataclass(frozen=True)
class Reading:
    """What an earlier run knew last: its `age_ms`, and what the wall clock said."""

    age_ms: int
    wall_ms: int

    def __str__(self) -> str:
        return f"{self.age_ms} {self.wall_ms}"

    @classmethod
    def parse(cls, text: str) -> "Reading":
        """Read what `str` wrote. Raises ValueError."""
        age, wall = text.split()
        return cls(int(age), int(wall))


class AgeClock:
    """A clock in milliseconds that goes as `steady_ms` goes (time since boot) and never back.

    At the first start of all it shows the wall clock's time, but not more than a day after the newest file there is.
    """

    def __init__(self, saved: Reading | None, newest_ms: int | None, wall_ms: int, steady_ms: int) -> None:
        if saved is not None:
            self._begin = saved.age_ms + min(max(wall_ms - saved.wall_ms, 0), DAY_MS)
        else:
            self._begin = wall_ms if newest_ms is None else min(wall_ms, newest_ms + DAY_MS)
        self._since = steady_ms
        self._ahead = wall_ms - self._begin

    def now(self, steady_ms: int) -> int:
        """The time to compare ages with."""
        return self._begin + steady_ms - self._since

    def jump(self, wall_ms: int, steady_ms: int) -> int:
        """By how many milliseconds the wall clock was set since this was last asked; 0 when it was not."""
        ahead = wall_ms - self.now(steady_ms)
        moved, self._ahead = ahead - self._ahead, ahead
        return moved if abs(moved) >= JUMP_MS else 0

    def reading(self, wall_ms: int, steady_ms: int) -> Reading:
        """What the next run has to know."""
        return Reading(self.now(steady_ms), wall_ms)
