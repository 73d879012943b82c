"""The newest events in their written form, for those who follow the log."""

from collections import deque
from collections.abc import Iterable
from itertools import islice

from medkg_lab.models.event_codec import Encoded

MAX_EVENTS = 20_000
MAX_BYTES = 64 * 1024 * 1024
REPLY_BYTES = 16 * 1024 * 1024
"""So many bytes of events go into one answer, and at least one event."""


class Ring:
    """Events without gaps up to `head`; the oldest go when there are too many or they take too much memory."""

    def __init__(self, head: int) -> None:
        self.head = head
        self._events: deque[Encoded] = deque()
        self._bytes = 0

    @property
    def start(self) -> int:
        """The number of the oldest event here; one past `head` when there is none."""
        return self.head - len(self._events) + 1

    def extend(self, events: Iterable[Encoded]) -> None:
        """Add the events that follow `head`."""
        for each in events:
            self._events.append(each)
            self._bytes += len(each.line)
            self.head = each.event.seq
        while len(self._events) > MAX_EVENTS or (self._bytes > MAX_BYTES and len(self._events) > 1):
            self._bytes -= len(self._events.popleft().line)

    def after(self, seq: int, limit: int, job_id: str | None = None) -> list[bytes] | None:
        """The lines of the first `limit` events after `seq`, of one job if given; None when some of them are gone from here."""
        if seq + 1 < self.start:
            return None
        following = islice(self._events, seq + 1 - self.start, None)
        return portion((each.line for each in following if job_id is None or job_id in each.jobs), limit)


def portion(events: Iterable[bytes], limit: int) -> list[bytes]:
    """The first `limit` of these lines, or fewer when they are long."""
    lines: list[bytes] = []
    size = 0
    for line in islice(events, limit):
        size += len(line)
        if lines and size > REPLY_BYTES:
            break
        lines.append(line)
    return lines
