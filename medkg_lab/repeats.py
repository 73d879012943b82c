"""Log lines that come again and again: the first is written at once, the others once a minute with their number."""

import logging
import time
from collections.abc import Callable

PAUSE = 60.0
"""Seconds between two lines of the same kind."""


class Repeats:
    """Warnings of a logger, kept apart by their template. Not thread-safe."""

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._written: dict[str, float] = {}
        self._held: dict[str, tuple[int, str]] = {}

    def warning(self, template: str, *arguments: object) -> None:
        """Write the line, or count it when one like it was written within the last minute."""
        now = self._clock()
        if now - self._written.get(template, -PAUSE) >= PAUSE and template not in self._held:
            self._written[template] = now
            self._log.warning(template, *arguments)
        else:
            count = self._held.get(template, (0, ""))[0]
            self._held[template] = (count + 1, template % arguments)
        self.write_due()

    def write_due(self) -> None:
        """Write what was counted for a minute; call it from time to time."""
        now = self._clock()
        for template, (count, last) in list(self._held.items()):
            if now - self._written[template] >= PAUSE:
                del self._held[template]
                self._written[template] = now
                self._log.warning("%s (%d times in %.0f s)", last, count, PAUSE)
