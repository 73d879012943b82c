"""A rate limit for threads.

aiolimiter's bucket belongs to the event loop that first used it: from another thread it fails or lets twice the rate through.
Stages are called from plain threads, so the arithmetic is here, with a clock that tests can set.
"""

import threading
from collections.abc import Callable


class Limiter:
    """Spaces calls evenly: one every `1 / per_second` seconds, without bursts, in the order in which they asked."""

    def __init__(self, per_second: float, clock: Callable[[], float]) -> None:
        self._interval = 1.0 / per_second
        self._clock = clock
        self._free_at = clock()
        self._lock = threading.Lock()

    def reserve(self, within: float) -> float | None:
        """Take the next free slot and return the seconds until then; None, and no slot, when that is more than `within`."""
        with self._lock:
            now = self._clock()
            start = max(now, self._free_at)
            if start - now > within:
                return None
            self._free_at = start + self._interval
            return start - now
