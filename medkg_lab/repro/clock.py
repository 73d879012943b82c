"""Time that passes only when something says so: a breaker's minute costs nothing."""

import threading


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
