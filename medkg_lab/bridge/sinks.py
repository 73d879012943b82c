"""Feeding event sinks: every event after a sink was first named reaches it, in order and at least once.

Like the outbox, each is a view of the ledger with a saved place. It has a thread of its own that nothing waits for: a sink that
hangs or fails holds up nothing else.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import convert, to_builtins

from medkg_lab.bridge.known_jobs import KnownJobs
from medkg_lab.errors import LabError
from medkg_lab.events.cloudevents import cloud_events, is_published, to_json
from medkg_lab.events.sinks import READER, Sink, SinkMark, make
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.logs import fields

log = logging.getLogger(__name__)

_BATCH = 500
_WAIT_S = 0.5
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0


class SinkFeed:
    """Feeds one sink; `stopping(seconds)` waits that long unless the end comes first."""

    def __init__(self, name: str, sink: Sink, ledger: LedgerClient, stopping: Callable[[float], bool]) -> None:
        self._name = name
        self._sink = sink
        self._ledger = ledger
        self._stopping = stopping
        self._jobs = KnownJobs(ledger)
        self._bookmark: Mapping[str, Any] | None = None

    def run(self) -> None:
        """Feed until the end. What the ledger or the sink raises is logged, and the same events are sent again after a pause."""
        pause = _FIRST_PAUSE_S
        while not self._stopping(0):
            try:
                self.step(_WAIT_S)
                pause = _FIRST_PAUSE_S
            except Exception as error:
                self._bookmark = None
                known = isinstance(error, LabError)
                log.warning(
                    "sink %s waits: %s", self._name, error, exc_info=not known, extra=fields(event="sink.waits")
                )
                self._stopping(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)

    def step(self, wait_s: float) -> None:
        """Send the next events, as soon as there are some within `wait_s`. Raises LabError, and whatever the sink does."""
        seq = self._place()
        page = self._ledger.events(after=seq, limit=_BATCH, wait_s=wait_s)
        if page.head < seq:
            self._move(page.head)  # a ledger that was recovered with a loss goes on from before this place
        if not page.events:
            return
        found: list[Mapping[str, Any]] = []
        for event in page.events:
            self._jobs.learn(event)
            if is_published(event.data):
                found += map(to_json, cloud_events(event, self._jobs.of(event)))
        if found:
            self._sink.send(found)
        self._move(page.events[-1].seq)

    def _place(self) -> int:
        """The last event that was sent; for a sink that is new, the newest of the log."""
        if self._bookmark is None:
            self._bookmark = self._ledger.bookmarks().get(READER + self._name)
        if self._bookmark is None:
            self._move(self._ledger.counts().head)
        return 0 if self._bookmark is None else convert(self._bookmark, SinkMark).seq

    def _move(self, seq: int) -> None:
        following = to_builtins(SinkMark(seq))
        self._ledger.bookmark(READER + self._name, self._bookmark, following)
        self._bookmark = following


def start(
    chosen: Mapping[str, Mapping[str, Any]], ledger: Callable[[], LedgerClient], stopping: Callable[[float], bool]
) -> None:
    """Start feeding the sinks that the settings name; one that cannot be made is logged and left out."""
    for name, settings in chosen.items():
        try:
            feed = SinkFeed(name, make(name, settings), ledger(), stopping)
        except LabError as error:
            log.error("%s", error, extra=fields(event="sink.failed"))
            continue
        # A daemon, since a sink may hang: the events that it has not taken come again at the next start.
        threading.Thread(target=feed.run, name=f"sink {name}", daemon=True).start()
