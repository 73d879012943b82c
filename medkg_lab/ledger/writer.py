"""The one thread that changes the ledger: it gathers commands, carries them out together, and keeps the views up to date."""

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from medkg_lab.errors import LabError
from medkg_lab.ledger.answers import WriterFigures
from medkg_lab.ledger.core import Core, Outcome, Request
from medkg_lab.ledger.errors import LedgerClosing, LedgerError
from medkg_lab.ledger.ports import ViewsBusy
from medkg_lab.ledger.projection import Changes
from medkg_lab.logs import fields
from medkg_lab.models.event_codec import Encoded

log = logging.getLogger(__name__)

LINGER_S = 0.010
"""Seconds that a lazy command waits for others to share its commit."""
PROJECT_INTERVAL_S = 1.0
"""Seconds from one writing of the views to the next while there is something to write."""
LEASE_CHECK_INTERVAL_S = 0.1
FAILURE_CHECK_INTERVAL_S = 1.0
STALLED_S = 1.5
"""Seconds between two checks of the leases from which on the ledger itself was held up: nobody loses a batch for that."""
ROUND = 512
"""Requests in one commit at most."""
EXIT_FAILED = 70
PROJECTION_TRIES = 5


@dataclass(frozen=True, slots=True)
class Item:
    """Something for the writer to do: a command, a look at the ledger between two commits, or (neither) a flush of the views.

    `done` gets the outcome once everything that it rests on is on disk.
    """

    done: Callable[[Outcome], None]
    request: Request | None = None
    read_state: Callable[[Core], Any] | None = None
    lazy: bool = False


@dataclass(frozen=True, slots=True)
class CommitStatus:
    """What those who wait need to know after a commit."""

    head: int
    projected: int
    lanes: frozenset[str]
    releasable: bool


Committed = Callable[[Sequence[tuple[Item, Outcome]], Sequence[Encoded], CommitStatus], None]


class Writer(threading.Thread):
    """Owns the core. `committed` is called in this thread after each round."""

    def __init__(self, core: Core, committed: Committed) -> None:
        super().__init__(name="writer", daemon=True)
        self.core = core
        self.figures = WriterFigures()
        self._committed = committed
        self._inbox: list[Item] = []
        self._wake = threading.Condition()
        self._stopping = False
        self._flushes: list[tuple[Item, int]] = []
        self._projecting = False
        self._projector = _Projector(core, self._projector_done)
        self._written = False
        self._projected_at = self._leases_at = self._own_failures_at = 0.0

    def put(self, item: Item) -> None:
        """Hand in something to do; from any thread. Raises LedgerClosing."""
        with self._wake:
            if self._stopping:
                raise LedgerClosing()
            self._inbox.append(item)
            self._wake.notify()

    def stop(self) -> None:
        """Finish what was handed in, bring the views up to date, and close the files."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self.join()

    def status(self) -> CommitStatus:
        """How the ledger stands; to be asked before the thread starts, or in it."""
        return status_of(self.core)

    def run(self) -> None:
        """Work until stopped. Whatever goes wrong ends the process at once: memory may be ahead of the file by then, and an
        answer that was not given is safer than one that was."""
        try:
            self._projector.start()
            while self._round():
                pass
            self._projector.stop()
            self.core.close()
        except BaseException:
            log.critical("the ledger cannot go on", exc_info=True, extra=fields(event="ledger.failed"))
            os._exit(EXIT_FAILED)

    def _round(self) -> bool:
        items = self._gather()
        clock = time.monotonic()
        due = self._due_leases(clock)
        items += [Item(_ignore, request=request) for request in (*due, *self._own_failures(clock))]
        if items:
            self._work(items, clock)
        self._project_views(time.monotonic())
        return not self._stopping or bool(self._inbox)

    def _gather(self) -> list[Item]:
        with self._wake:
            until = time.monotonic() + self._patience()
            while not self._inbox and not self._stopping and not self._written:
                if not self._wake.wait(until - time.monotonic() if until > time.monotonic() else 0):
                    break
            until = time.monotonic() + LINGER_S
            while self._may_linger() and (left := until - time.monotonic()) > 0:
                self._wake.wait(left)
            items, self._inbox = self._inbox[:ROUND], self._inbox[ROUND:]
        return items

    def _patience(self) -> float:
        """Seconds until the writer has something to do of its own accord."""
        clock = time.monotonic()
        until = self._leases_at + LEASE_CHECK_INTERVAL_S if self.core.state.batches else clock + 1.0
        if self.core.projection and not self._projecting:
            until = min(until, self._projected_at + PROJECT_INTERVAL_S)
        return max(0.0, until - clock)

    def _may_linger(self) -> bool:
        return (
            bool(self._inbox) and not self._stopping and len(self._inbox) < ROUND and all(i.lazy for i in self._inbox)
        )

    def _due_leases(self, clock: float) -> list[Request]:
        since = clock - self._leases_at
        if since < LEASE_CHECK_INTERVAL_S:
            return []
        self._leases_at = clock
        # On a full disk nothing that an engine does or gives back can be recorded, so nobody loses a batch for that either.
        has_room = self.core.store.has_room()
        if since > STALLED_S or not has_room:
            self.core.leases.prolong(since)
        return self.core.overdue(clock) if has_room else []

    def _own_failures(self, clock: float) -> list[Request]:
        """The jobs to run again by themselves, looked for now and then."""
        if not self.core.state.own_failures or clock - self._own_failures_at < FAILURE_CHECK_INTERVAL_S:
            return []
        self._own_failures_at = clock
        return self.core.own_failures(time.time())

    def _work(self, items: Sequence[Item], clock: float) -> None:
        commands = [(item, item.request) for item in items if item.request is not None]
        encoded: list[Encoded] = []
        answered: list[tuple[Item, Outcome]] = []
        if commands:
            outcomes, encoded = self.core.execute([request for _, request in commands], time.time(), clock)
            answered = [(item, outcome) for (item, _), outcome in zip(commands, outcomes, strict=True)]
            self.figures.commands += len(commands)
        if encoded:
            self.figures.commits += 1
            self.figures.events += len(encoded)
            self.figures.longest_commit_s = max(self.figures.longest_commit_s, time.monotonic() - clock)
        answered += [(item, run_query(item.read_state, self.core)) for item in items if item.read_state is not None]
        self._flushes += [
            (item, self.core.state.seq) for item in items if item.request is None and item.read_state is None
        ]
        self._committed(answered, encoded, self.status())

    def _project_views(self, clock: float) -> None:
        with self._wake:
            written, self._written = self._written, False
        if written:
            self._projecting = False
            self.core.projected()
            self.figures.projections += 1
        wanted = self._flushes or clock - self._projected_at >= PROJECT_INTERVAL_S
        if self.core.projection and wanted and not self._projecting:
            self._project(clock)
        self._answer_flushes()

    def _project(self, clock: float) -> None:
        """Have the changes written, if there is room on the disk."""
        self._projected_at = clock
        if self.core.store.has_room():
            self._projecting = True
            self._projector.write(self.core.projection.pop_changes(self.core.state))
        elif self._flushes:
            items, self._flushes = [item for item, _ in self._flushes], []
            self._committed([(item, Outcome(error=self.core.full())) for item in items], (), self.status())

    def _answer_flushes(self) -> None:
        idle = not self.core.projection and not self._projecting
        ready = [item for item, seq in self._flushes if idle or self.core.views.seq >= seq]
        if ready:
            self._flushes = [(item, seq) for item, seq in self._flushes if item not in ready]
            self._committed([(item, Outcome()) for item in ready], (), self.status())

    def _projector_done(self) -> None:
        with self._wake:
            self._written = True
            self._wake.notify()


def status_of(core: Core) -> CommitStatus:
    """How a ledger stands; for the thread that changes it."""
    state = core.state
    lanes = frozenset(state.queue.lanes())
    return CommitStatus(core.store.head, core.views.seq, lanes, bool(state.open_gates or state.releases))


def _ignore(outcome: Outcome) -> None:
    pass


def run_query(read_state: Callable[[Core], Any], core: Core) -> Outcome:
    """What a look at the ledger gives, or why it failed."""
    try:
        return Outcome(read_state(core))
    except LabError as error:
        return Outcome(error=error)
    except Exception as error:
        # Process boundary: a question that cannot be answered must not end the ledger for all others.
        log.exception("a look at the ledger failed", extra=fields(event="reading.failed"))
        return Outcome(error=LedgerError(detail=f"{type(error).__name__}: {error}"))


class _Projector(threading.Thread):
    """Writes the views beside the writer, so that no commit waits for them."""

    def __init__(self, core: Core, done: Callable[[], None]) -> None:
        super().__init__(name="projector", daemon=True)
        self._core = core
        self._done = done
        self._given: Changes | None = None
        self._wake = threading.Condition()
        self._stopping = False

    def write(self, changes: Changes) -> None:
        """Have `changes` written; only when the last ones are."""
        with self._wake:
            self._given = changes
            self._wake.notify()

    def stop(self) -> None:
        """Finish what was given."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self.join()

    def run(self) -> None:
        """Work until stopped; views that cannot be written end the process, which makes them again when it is back."""
        try:
            while (changes := self._next()) is not None:
                self._write(changes)
                self._given = None
                self._done()
        except BaseException:
            log.critical("the views cannot be written", exc_info=True, extra=fields(event="views.failed"))
            os._exit(EXIT_FAILED)

    def _next(self) -> Changes | None:
        with self._wake:
            while self._given is None and not self._stopping:
                self._wake.wait()
            return self._given

    def _write(self, changes: Changes) -> None:
        """A query may have taken all the memory that the view file is allowed: wait for it to end and try again."""
        for left in reversed(range(PROJECTION_TRIES)):
            try:
                return self._core.views.project(changes)
            except ViewsBusy:
                if not left:
                    raise
                log.warning("no memory left for the views, tried again in a second", extra=fields(event="views.waits"))
                time.sleep(1.0)
        return None
