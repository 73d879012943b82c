"""The ledger without threads and sockets: recovery, deciding, folding, keeping. For one thread alone."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any
from uuid import uuid4

from medkg_lab.errors import LabError
from medkg_lab.ledger.commands.batches import Expire
from medkg_lab.ledger.commands.command import Command
from medkg_lab.ledger.commands.jobs import RetryOwn
from medkg_lab.ledger.commands.record import Record
from medkg_lab.ledger.errors import MIN_FREE_BYTES, CommandIdReused, DiskFull, LedgerError
from medkg_lab.ledger.failure_counts import FailureCounts
from medkg_lab.ledger.own_failures import due
from medkg_lab.ledger.plans import Plans
from medkg_lab.ledger.ports import EventLog, JobViews
from medkg_lab.ledger.projection import Projection
from medkg_lab.ledger.reducer import fold
from medkg_lab.ledger.state import Batch, Job, State
from medkg_lab.logs import fields
from medkg_lab.models.event_codec import Encoded, encode, to_row
from medkg_lab.models.events import Event, MakesJobs, command_of, stamp

# Which commands were carried out lately, and which events they made: what a repeated command is answered from.
SIZE_EVENTS = 50_000


class Window:
    """The last commands by id. `start` is the number of the first event that it is complete from."""

    def __init__(self, ids: Iterable[tuple[int, str]] = (), size: int = SIZE_EVENTS) -> None:
        self._spans: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._size = size
        self.start = 1
        for place, (seq, event_id) in enumerate(ids):
            if place == 0:
                self.start = seq
            command = command_of(event_id)
            first, _ = self._spans.get(command, (seq, seq))
            self._spans[command] = (first, seq)

    def __len__(self) -> int:
        return len(self._spans)

    def add(self, command_id: str, events: list[Event]) -> None:
        """Remember the events of a command."""
        self._spans[command_id] = (events[0].seq, events[-1].seq)
        while len(self._spans) > self._size:
            _, (_, last) = self._spans.popitem(last=False)
            self.start = last + 1

    def span(self, command_id: str) -> range | None:
        """The numbers of the events that a command made, if it is known."""
        span = self._spans.get(command_id)
        return None if span is None else range(span[0], span[1] + 1)

    @property
    def complete(self) -> bool:
        """Whether it knows every command there ever was."""
        return self.start <= 1


# Until when each batch is its engine's. Leases are not in the log: after a restart every batch gets a fresh one.
@dataclass(slots=True)
class _Lease:
    until: float
    deadline: float | None = None


class Leases:
    """Times are of one monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._leases: dict[str, _Lease] = {}

    def renew(self, batch: Batch, now: float, deadline_s: float | None = None) -> None:
        """Give `batch` another lease from `now` on, but never beyond the deadline of the stage that it is in."""
        deadline = None if deadline_s is None else now + max(deadline_s, 0.0)
        until = now + batch.lease_s
        self._leases[batch.id] = _Lease(until if deadline is None else min(until, deadline), deadline)

    def prolong(self, seconds: float) -> None:
        """Give all batches `seconds` more, for a time in which the ledger itself could not hear their engines."""
        for lease in self._leases.values():
            lease.until += seconds
            lease.deadline = None if lease.deadline is None else lease.deadline + seconds

    def until(self, batch_id: str) -> float | None:
        """When the lease of a batch ends, if it has one."""
        lease = self._leases.get(batch_id)
        return lease.until if lease else None

    def expired(self, batches: Mapping[str, Batch], now: float) -> list[tuple[str, str]]:
        """The batches whose lease is over, each with the reason (`lease` or `deadline`); those without a lease get one."""
        for batch_id in self._leases.keys() - batches.keys():
            del self._leases[batch_id]
        for batch_id in batches.keys() - self._leases.keys():
            self.renew(batches[batch_id], now)
        over = [(batch_id, lease) for batch_id, lease in self._leases.items() if lease.until < now]
        return [(batch_id, "deadline" if lease.deadline == lease.until else "lease") for batch_id, lease in over]


log = logging.getLogger(__name__)

OWN_RETRIES_AT_ONCE = 100
CHECK_INTERVAL_S = 10.0
"""Seconds after which a job that waits to be run again by the lab itself is looked at once more."""
KEPT_FINISHED = 1000
"""Finished jobs that stay in memory: those that are asked for most."""


@dataclass(frozen=True, slots=True)
class Request:
    """A command, and whether its sender sends it again because it got no answer."""

    command: Command
    resend: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """A command's answer, or why there is none."""

    value: Any = None
    error: LabError | None = None


@dataclass(frozen=True, slots=True)
class _New:
    events: list[Event]
    encoded: list[Encoded]


@dataclass(frozen=True, slots=True)
class _Repeated:
    span: range
    events: list[Event] = field(default_factory=list)


_Decided = _New | _Repeated | LabError


class Core:
    """The ledger's memory, kept equal to its event log."""

    def __init__(self, store: EventLog, views: JobViews, folder: Path, kept_finished: int = KEPT_FINISHED) -> None:
        """Bring the memory back from views and log; `folder` is named where the disk is full. Raises EventsPruned."""
        self.folder = folder
        self._kept_finished = kept_finished
        self.store = store
        self.views = views
        if self.views.seq > self.store.head:
            log.warning("the views are ahead of the events; they are made again", extra=fields(event="views.discarded"))
            self.views.discard()
        self._events = self.store.reader()
        self._remembered = self.views.reader()
        self.state: State = self._remembered.load()
        self.plans = Plans(self.state.definitions)
        self.projection = Projection(self.plans)
        self.leases = Leases()
        self.failure_counts = FailureCounts()
        self._last_ts = 0.0
        self.is_part_working: Callable[[str], bool] = lambda part: True
        self._looked_at: dict[str, float] = {}
        self._catch_up()
        self.window = Window(self._events.last(SIZE_EVENTS))

    def _catch_up(self) -> None:
        start = self.state.seq
        for events in self._events.all_after(start):
            for event in events:
                if not isinstance(event.data, MakesJobs):
                    self._remember(event.jobs)
                self._fold(event)
            self.project()
        if self.state.seq > start:
            log.info(
                "%d events were folded after the views' position %d",
                self.state.seq - start,
                start,
                extra=fields(event="events.reduced"),
            )

    def project(self) -> None:
        """Bring the views up to date at once, here."""
        self.views.project(self.projection.pop_changes(self.state))
        self.projected()

    def projected(self) -> None:
        """Drop from memory what the views hold now and nobody needs; what changed since then stays."""
        spare = len(self.state.finished) - self._kept_finished
        written = (job_id for job_id in self.state.finished if job_id not in self.projection.jobs)
        for job_id in list(islice(written, max(0, spare))):
            self.state.forget(job_id)
        for key in [key for key in self.state.documents if key not in self.projection.documents]:
            del self.state.documents[key]

    def _remember(self, job_ids: Iterable[str]) -> None:
        unknown = {job_id for job_id in job_ids if job_id not in self.state.jobs}
        for job in self._remembered.jobs(unknown):
            self.state.adopt(job)

    def _fold(self, event: Event) -> None:
        self.projection.absorb(self.state, event)
        fold(self.state, event)
        self._last_ts = event.ts

    def execute(self, requests: Sequence[Request], now: float, clock: float) -> tuple[list[Outcome], list[Encoded]]:
        """Decide each command in turn, keep all events at once, then answer.

        `now` is in seconds since the epoch, `clock` in seconds of the monotonic clock. What is raised here leaves memory ahead
        of the file: the process must end.
        """
        if not self.store.has_room():
            return [Outcome(error=self.full())] * len(requests), []
        self._remember(chain.from_iterable(request.command.job_ids() for request in requests))
        past = self._past(requests)
        ts = max(now, self._last_ts)
        decided = [past.get(request.command.id) or self._decide(request.command, ts) for request in requests]
        encoded = [event for each in decided if isinstance(each, _New) for event in each.encoded]
        if encoded:
            self.store.append([to_row(each) for each in encoded])
        outcomes = [self._outcome(request.command, each) for request, each in zip(requests, decided, strict=True)]
        for request, outcome in zip(requests, outcomes, strict=True):
            self._renew(request.command, outcome, clock)
        return outcomes, encoded

    def full(self) -> DiskFull:
        """The refusal when the disk has no room."""
        return DiskFull(path=self.folder, mib=MIN_FREE_BYTES >> 20)

    def _past(self, requests: Sequence[Request]) -> dict[str, _Repeated]:
        """The events of those commands that were carried out so long ago that the window has lost them."""
        if self.window.complete:
            return {}
        ids = [
            request.command.id
            for request in requests
            if (request.resend or not request.command.frequent) and self.window.span(request.command.id) is None
        ]
        found: dict[str, list[Event]] = {}
        for event in self._events.of_commands(ids) if ids else ():
            found.setdefault(command_of(event.id), []).append(event)
        return {command_id: _Repeated(range(0), events) for command_id, events in found.items()}

    def _decide(self, command: Command, ts: float) -> _Decided:
        if (span := self.window.span(command.id)) is not None:
            return _Repeated(span)
        try:
            drafts = command.decide(self.state, self.plans)
            # Before it is folded: what cannot be written down never happened.
            events = stamp(drafts, command.id, self.state.seq, ts)
            encoded = list(map(encode, events))
        except LabError as error:
            return error
        except Exception as error:
            # Process boundary: a command that cannot even be decided must not end the ledger for all others.
            log.exception("command %s could not be decided", command.op, extra=fields(event="command.failed"))
            return LedgerError(detail=f"{type(error).__name__}: {error}")
        for event in events:
            self._fold(event)
        if events:
            self.window.add(command.id, events)
        return _New(events, encoded)

    def _outcome(self, command: Command, decided: _Decided) -> Outcome:
        if isinstance(decided, LabError):
            return Outcome(error=decided)
        events = decided.events
        if isinstance(decided, _Repeated):
            events = events or self._events.at(decided.span)
            others = any(job_id not in self.state.jobs for job_id in command.job_ids())
            if others or events[0].type not in command.first_events:
                return Outcome(error=CommandIdReused(id=command.id, type=events[0].type.value))
        unknown = [key for key in command.documents(self.state, events) if key not in self.state.documents]
        if unknown:
            found = self._remembered.documents(unknown)
            self.state.documents |= {key: found.get(key) for key in unknown}
        return Outcome(command.answer(self.state, self.plans, events))

    def _renew(self, command: Command, outcome: Outcome, clock: float) -> None:
        if (
            isinstance(command, Record)
            and outcome.error is None
            and (batch := self.state.batches.get(command.batch_id))
        ):
            self.leases.renew(batch, clock)

    def overdue(self, clock: float) -> list[Request]:
        """The commands that take lost batches back."""
        over = self.leases.expired(self.state.batches, clock)
        return [Request(Expire(uuid4().hex, batch_id, reason)) for batch_id, reason in over]

    def own_failures(self, now: float) -> list[Request]:
        """The commands that run jobs again which ended by the fault of a process of the lab, now that it is whole."""
        waiting = self.state.own_failures
        self._looked_at = {job_id: at for job_id, at in self._looked_at.items() if job_id in waiting}
        times = {job_id: max(at, self._looked_at.get(job_id, 0.0)) for job_id, at in waiting.items()}
        ready = due(times, now, OWN_RETRIES_AT_ONCE)
        # Put off, whatever comes of it: those that wait for one process must not be in the way of others.
        self._looked_at |= dict.fromkeys(ready, now + CHECK_INTERVAL_S)
        known = {job_id: self.state.jobs[job_id] for job_id in ready if job_id in self.state.jobs}
        known |= {job.id: job for job in self._remembered.jobs(set(ready) - known.keys())}
        # In the order of their times: the views answer in any.
        jobs = [known[job_id] for job_id in ready if job_id in known]
        whole = {part: self.is_part_working(part) for part in {job.own or "" for job in jobs}}
        return [Request(RetryOwn(uuid4().hex, job.id)) for job in jobs if whole[job.own or ""]]

    def find(self, job_id: str) -> Job | None:
        """The job, from memory or from the views."""
        job = self.state.jobs.get(job_id)
        return job or next(iter(self._remembered.jobs([job_id])), None)

    def close(self) -> None:
        """Bring the views up to date, if there is room, and close the files."""
        if self.projection and self.store.has_room():
            self.project()
        self.views.close()
        self.store.close()
