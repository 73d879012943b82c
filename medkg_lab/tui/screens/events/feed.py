"""The thread that follows the ledger's log for the screen: reads, decodes, keeps what was not taken yet, finds its way back."""

import gc
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from msgspec.structs import replace

from medkg_lab.errors import LabError
from medkg_lab.ledger.client import EventPage
from medkg_lab.tui.screens.events.rows import Decoder, EventRow

BEGIN_BEFORE = 500
"""So many of the ledger's events are read again at first, so that the stream is not empty."""
AT_ONCE = 200
"""Events of one answer: small enough that decoding them never holds the screen up."""
WAIT_S = 2.0
GATHER_S = 0.025
"""Seconds between two questions while events come one by one."""
RETRY_S = 0.5
KEPT_S = 60
BURST_PAUSE_S = 0.01
SWITCH_INTERVAL_S = 0.001
"""Seconds after which Python lets another thread run: with its 5 ms a frame waits several times as long behind a burst."""


class Log(Protocol):
    """What is followed: the ledger's client."""

    def events(self, after: int, limit: int = 1000, wait_s: float = 0.0) -> EventPage:
        """The events after number `after`, waiting up to `wait_s` seconds for one."""


@dataclass(frozen=True)
class NewEvents:
    """What came since the last time, and how the stream is; `gone` is since when it is not alive (epoch seconds), else 0."""

    rows: Sequence[EventRow]
    head: int
    seq: int
    gone: float
    total: int


class EventFeed:
    """Follows `log()` from just before its newest event; `names(log, jobs)` looks up documents that no event has told.

    `wake` is called from the thread, once until the next `pop`, when there is something to take.
    """

    def __init__(
        self,
        log: Callable[[], Log],
        kept: int,
        names: Callable[[Any, Sequence[str]], Mapping[str, str]],
        wake: Callable[[], Any] = lambda: None,
    ) -> None:
        self._log = log
        self._names = names
        self._wake = wake
        self._woken = False
        self._lock = threading.Lock()
        self._rows: deque[EventRow] = deque(maxlen=kept)
        self._decoder = Decoder()
        self._head, self._told_head = 0, -1
        self._after: int | None = None
        self._gone = 0.0
        self._total = 0
        self._seconds: Counter[tuple[int, str]] = Counter()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="event feed", daemon=True)

    def start(self) -> None:
        """Begin, unless it has begun."""
        if not self.started:
            sys.setswitchinterval(SWITCH_INTERVAL_S)
            # Modules, styles and widgets stay: the collector need not look at them again with every full run.
            gc.freeze()
            self._thread.start()

    @property
    def started(self) -> bool:
        """Whether it has begun."""
        return self._thread.ident is not None

    def stop(self) -> None:
        """End soon; does not wait."""
        self._stopped.set()

    def pop(self) -> NewEvents:
        """Hand over what came since the last time."""
        with self._lock:
            self._woken = False
            rows, self._rows = self._rows, deque(maxlen=self._rows.maxlen)
            return NewEvents(tuple(rows), self._head, self._after or 0, self._gone, self._total)

    def per_second(self, now: float, seconds: int = 1, kind: str = "") -> list[int]:
        """How many rows (of one kind: `failed` or `retrying`, or all) each of the last whole seconds had, the oldest first."""
        last = int(now) - 1
        with self._lock:
            return [self._seconds[second, kind] for second in range(last - seconds + 1, last + 1)]

    # In the thread

    def _wake_once(self) -> None:
        with self._lock:
            told, self._woken = self._woken, True
        if not told:
            self._wake()

    def _run(self) -> None:
        while not self._stopped.is_set():
            began = time.monotonic()
            try:
                number = self._read(self._log())
            except LabError:
                self._lost()
                self._stopped.wait(RETRY_S)
                continue
            took = time.monotonic() - began
            # In a burst the frames get half of the time.
            self._stopped.wait(max(0.0, GATHER_S - took) if number < AT_ONCE else min(BURST_PAUSE_S, took))

    def _read(self, log: Log) -> int:
        if self._after is None:
            self._after = max(0, log.events(2**62).head - BEGIN_BEFORE)
        answer = log.events(self._after, limit=AT_ONCE, wait_s=0.0 if self._gone else WAIT_S)
        head, events = answer.head, answer.events
        if head < self._after:
            # Another ledger answers than before, such as one that was restored from a copy.
            self._after = max(0, head - BEGIN_BEFORE)
            return AT_ONCE
        if self._gone:
            self._remark("ledger.back", f"0 lost, goes on after {self._after:,}")
        rows = self._named(log, self._decoder.rows(events))
        with self._lock:
            self._after, self._head, self._gone = events[-1].seq if events else self._after, head, 0.0
            self._rows.extend(rows)
            self._total += len(rows)
            self._count(rows)
            is_news = bool(self._rows) or head != self._told_head
            self._told_head = head
        if is_news:
            self._wake_once()
        return len(events)

    def _named(self, log: Log, rows: list[EventRow]) -> list[EventRow]:
        nameless = {row.job: None for row in rows if row.job and not row.document}
        if not nameless:
            return rows
        try:
            self._decoder.learn(self._names(log, list(nameless)))
        except LabError:
            # The tables may be behind or busy; a row without its document is better than a late one.
            return rows
        return [replace(row, document=self._decoder.document(row.job)) if not row.document else row for row in rows]

    def _count(self, rows: Sequence[EventRow]) -> None:
        for row in rows:
            second = int(row.ts)
            self._seconds[second, ""] += 1
            if row.type in ("stage.failed", "stage.retrying"):
                self._seconds[second, row.type.removeprefix("stage.")] += 1
        if len(self._seconds) > 6 * KEPT_S:
            oldest = int(time.time()) - 2 * KEPT_S
            self._seconds = Counter({key: count for key, count in self._seconds.items() if key[0] >= oldest})

    def _lost(self) -> None:
        if not self._gone and self._after is not None:
            self._remark("ledger.gone", f"0 lost, will go on after {self._after:,}")
        with self._lock:
            is_news, self._gone = not self._gone, self._gone or time.time()
        if is_news:
            self._wake_once()

    def _remark(self, kind: str, note: str) -> None:
        with self._lock:
            self._rows.append(EventRow(0, time.time(), kind, note=note))
