"""The ledger, as every other process sees it. Light: imports nothing but the socket protocol."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import orjson

from medkg_lab import rpc
from medkg_lab.ledger import errors
from medkg_lab.ledger.answers import (
    Acknowledged,
    ArchiveDropped,
    ChangedJobs,
    CircuitRow,
    ClaimedBatch,
    Counts,
    EndedJob,
    EventLines,
    FieldChange,
    GateRow,
    JobDetail,
    JobRow,
    LaunchedJobs,
    LeaseState,
    LedgerHealth,
    OpenedGate,
    PruneReport,
    Recorded,
    Registered,
    ReleaseRow,
    RequeuedJob,
    Selected,
    SnapshotMade,
    read,
)
from medkg_lab.ledger.bookmarks import Bookmark
from medkg_lab.ledger.emitter import Emitter
from medkg_lab.ledger.named_queries import Named
from medkg_lab.ledger.rates import Spent
from medkg_lab.ledger.state import Definition
from medkg_lab.models.circuits import CircuitStatus, ProbeVerdict, RateLease
from medkg_lab.models.event_codec import (
    draft_to_json,
    evidence_to_json,
    from_json,
    imported_to_json,
    spec_to_json,
)
from medkg_lab.models.events import NO_EVIDENCE, ActNoted, Event, EventData, Evidence, FieldValue, ImportedJob
from medkg_lab.models.job import JobSpec

RETRY_INTERVAL_S = 0.1
RETURN_TIMEOUT_S = 10.0
"""How long a ledger that was just there is thought to be restarting."""

__all__ = ["EventPage", "LedgerClient", "errors"]


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events of the log in order, and the number of its newest one."""

    events: tuple[Event, ...]
    head: int


class LedgerClient:
    """A blocking client of the ledger; safe to share between threads, which do not wait for each other.

    A command that gets no answer is sent again, with the same id, until `deadline` seconds are over: it takes effect once. A
    question to a ledger that closes is asked again when it is back, for `deadline` and RETURN_SECONDS at most.
    Every method raises PeerUnreachable when the ledger cannot be reached, and what the ledger refuses as the error that it names.
    """

    def __init__(
        self,
        path: Path,
        deadline: float = rpc.DEFAULT_TIMEOUT_S,
        before_emit: Callable[[], None] = lambda: None,
        patience: float = 0.0,
    ) -> None:
        """`patience` is the seconds for which a question waits for a ledger that cannot be reached."""
        self.path = path
        self.deadline = deadline
        self._before_emit = before_emit
        self._patience = patience
        self._idle: list[rpc.Client] = []
        self._lock = threading.Lock()
        self._emitter: Emitter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Drop all connections; what was emitted and is not delivered yet is delivered first, within the deadline."""
        if self._emitter is not None:
            self._emitter.close()
            self._emitter = None
        self._forget_connections()

    # Jobs

    def submit(self, jobs: Sequence[JobSpec], *, id: str | None = None) -> list[Acknowledged]:
        """Make these jobs where they do not exist yet; an answer for each, in order."""
        return read(self._command("submit", id, jobs=list(map(spec_to_json, jobs))), list[Acknowledged])

    def import_jobs(self, entries: Sequence[ImportedJob], *, id: str | None = None) -> list[Acknowledged]:
        """Take jobs of an older ledger in where they do not exist yet; an answer for each, in order."""
        return read(self._command("import_jobs", id, entries=list(map(imported_to_json, entries))), list[Acknowledged])

    def retry(self, job_id: str, from_stage: str | None = None, *, by: str, id: str | None = None) -> RequeuedJob:
        """Run a finished job again, by default from the first stage that was not completed. Raises IllegalTransition."""
        return read(self._command("retry", id, job_id=job_id, from_stage=from_stage, by=by), RequeuedJob)

    def retry_many(
        self, job_ids: Sequence[str], state: str, kind: str | None = None, *, by: str, id: str | None = None
    ) -> list[str]:
        """Run those of the jobs again that are (still) in `state`, and of `kind`: their ids."""
        answer = self._command("retry_many", id, job_ids=list(job_ids), state=state, kind=kind, by=by)
        return list(read(answer, ChangedJobs).job_ids)

    def acknowledge(self, job_ids: Sequence[str], *, by: str, id: str | None = None) -> list[str]:
        """Note that the failures of these jobs were seen: the ids of those that it was news of. Raises IllegalTransition when
        the only one has not failed."""
        answer = self._command("acknowledge", id, job_ids=list(job_ids), by=by)
        return list(read(answer, ChangedJobs).job_ids)

    def cancel(self, job_id: str, by: str, why: str, *, id: str | None = None) -> EndedJob:
        """End an unfinished job. Raises IllegalTransition."""
        return read(self._command("cancel", id, job_id=job_id, by=by, why=why), EndedJob)

    def delete_document(
        self, tenant_id: str, doc_id: str, job_ids: Sequence[str], by: str, why: str, *, id: str | None = None
    ) -> list[str]:
        """Let go of a document with all its jobs: the ids of those that were not empty already. Raises DocumentInWork."""
        answer = self._command(
            "delete_document", id, tenant_id=tenant_id, doc_id=doc_id, job_ids=list(job_ids), by=by, why=why
        )
        return list(read(answer, ChangedJobs).job_ids)

    def get(self, job_id: str) -> JobDetail | None:
        """All that is known of a job."""
        found = self._query("get", job_id=job_id)
        return None if found is None else read(found, JobDetail)

    def jobs(
        self,
        state: str | None = None,
        pipeline: str | None = None,
        doc: str | None = None,
        tenant: str | None = None,
        source: str | None = None,
        limit: int = 100,
        after: str | None = None,
        correlation: str | None = None,
    ) -> list[JobRow]:
        """The newest jobs, narrowed down, without their stages; `after` is the last job of the page before."""
        narrowed = {"state": state, "pipeline": pipeline, "doc": doc, "tenant": tenant, "source": source}
        narrowed["correlation"] = correlation
        return read(self._query("jobs", **narrowed, limit=limit, after=after), list[JobRow])

    def counts(self) -> Counts:
        """How many jobs and gates are in each state, and how far the log is."""
        return read(self._query("counts"), Counts)

    # Definitions

    def register(self, kind: str, name: str, version: str, content: str, *, id: str | None = None) -> Registered:
        """Make a version of a topology, policies or profile known. Raises DefinitionConflict."""
        return read(self._command("register", id, kind=kind, name=name, version=version, content=content), Registered)

    def definitions(self, kind: str, name: str | None = None, version: str | None = None) -> list[Definition]:
        """The registered definitions of a kind, oldest first."""
        return read(self._query("definitions", kind=kind, name=name, version=version), list[Definition])

    # Who did what

    def note_act(self, act: ActNoted, *, id: str | None = None) -> None:
        """Keep what someone did that concerns no job."""
        self._command(
            "note_act",
            id,
            action=act.action,
            by=act.by or None,
            subject=act.subject or None,
            before=act.before or None,
            after=act.after or None,
            why=act.why or None,
            count=act.count,
        )

    # Batches

    def claim(
        self,
        worker: str,
        lanes: Sequence[str],
        limit: int,
        lease_s: float,
        wait_s: float = 0.0,
        stamps: Mapping[str, str | None] | None = None,
        *,
        id: str | None = None,
    ) -> ClaimedBatch | None:
        """A batch of queued jobs, waiting up to `wait_s` seconds for one."""
        wanted = {
            "worker": worker,
            "lanes": list(lanes),
            "limit": limit,
            "lease_s": lease_s,
            "stamps": dict(stamps or {}),
        }
        found = self._command("claim", id, wait_s=wait_s, **wanted)
        return None if found is None else read(found, ClaimedBatch)

    def heartbeat(self, batch_id: str, deadline_s: float | None = None) -> LeaseState:
        """Renew the lease of a batch, but not beyond `deadline_s` seconds from now."""
        return read(self._query("heartbeat", batch_id=batch_id, deadline_s=deadline_s), LeaseState)

    def surrender(
        self, batch_id: str, stage: str | None = None, over: str | None = None, *, id: str | None = None
    ) -> None:
        """Hand a batch back; `over` is the job whose document ran over its deadline. Raises BatchNotOwned."""
        self._command("surrender", id, batch_id=batch_id, stage=stage, over=over)

    def record(self, batch_id: str, events: Sequence[EventData], *, id: str | None = None) -> Recorded:
        """Record what was done, after all that was emitted before. Raises BatchNotOwned."""
        if self._emitter is not None:
            self._emitter.drain(batch_id)
        return read(self._command("record", id, batch_id=batch_id, events=list(map(draft_to_json, events))), Recorded)

    def emit(
        self,
        batch_id: str,
        events: Sequence[EventData],
        *,
        urgent: bool = False,
        within_s: float = 0.0,
        id: str | None = None,
    ) -> None:
        """Record without waiting, in order; waits only while too much is undelivered.

        What is urgent shares no later commit; other events may be held for `within_s` seconds, to be sent with later ones.

        `before_emit` is called, in another thread, after this and before the events are sent: it makes durable what they name.

        What the ledger refused of this batch earlier is raised here or by `drain`, whichever comes first.
        """
        if self._emitter is None:
            self._emitter = Emitter(self.path, self.deadline, self._before_emit)
        self._emitter.put(id or uuid4().hex, batch_id, events, urgent, within_s)

    def drain(self, batch_id: str | None = None) -> list[str]:
        """Wait until all that was emitted is recorded; the jobs whose events were dropped because they were cancelled.

        Raises what the ledger refused of this batch (of any, if none is named), EmissionLost when the ledger could not be
        reached within the deadline, and the OSError that `before_emit` raised.
        """
        return self._emitter.drain(batch_id) if self._emitter is not None else []

    # Gates

    def set_field(
        self,
        job_id: str,
        field: str,
        value: FieldValue,
        by: str,
        evidence: Evidence = NO_EVIDENCE,
        *,
        id: str | None = None,
    ) -> FieldChange:
        """Set a field, and open the gate that waits for it. Raises GateWithoutEvidence and GatePagesMissing."""
        told = evidence_to_json(evidence)
        answer = self._command("set_field", id, job_id=job_id, field=field, value=value, by=by, evidence=told)
        return read(answer, FieldChange)

    def gate_open(
        self,
        job_id: str,
        by: str,
        why: str | None = None,
        partial: bool = False,
        how: str = "manual",
        *,
        id: str | None = None,
    ) -> OpenedGate:
        """Open a gate. Raises GateNotWaiting, GateWithoutEvidence and GatePagesMissing."""
        return read(self._command("gate_open", id, job_id=job_id, by=by, why=why, partial=partial, how=how), OpenedGate)

    def gate_reject(self, job_id: str, by: str, why: str, *, id: str | None = None) -> EndedJob:
        """End the job that waits at a gate. Raises GateNotWaiting."""
        return read(self._command("gate_reject", id, job_id=job_id, by=by, why=why), EndedJob)

    def gate_fail(
        self,
        job_id: str,
        by: str,
        kind: str,
        reason: str,
        evidence: Evidence = NO_EVIDENCE,
        *,
        id: str | None = None,
    ) -> EndedJob:
        """Say that what a gate waits for will not come. Raises GateNotWaiting."""
        told = evidence_to_json(evidence)
        answer = self._command("gate_fail", id, job_id=job_id, by=by, kind=kind, reason=reason, evidence=told)
        return read(answer, EndedJob)

    def gates(self, state: str | None = None) -> list[GateRow]:
        """The gates, in one state or all; those that wait longest first."""
        return read(self._query("gates", state=state), list[GateRow])

    def releases(self, wait_s: float = 0.0) -> list[ReleaseRow]:
        """The releases that were not launched yet."""
        return read(self._waiting("releases", wait_s), list[ReleaseRow])

    def launch(
        self,
        run_id: str,
        *,
        by: str,
        release_id: str | None = None,
        job_ids: Sequence[str] | None = None,
        from_stage: str | None = None,
        id: str | None = None,
    ) -> LaunchedJobs:
        """Bind a release or jobs to a run. Raises UnknownRelease, IllegalTransition and MixedLaunch."""
        jobs = None if job_ids is None else list(job_ids)
        found = self._command(
            "launch", id, run_id=run_id, release_id=release_id, job_ids=jobs, from_stage=from_stage, by=by
        )
        return read(found, LaunchedJobs)

    # What all processes share

    def breaker_report(
        self,
        policy: str,
        key: str,
        outcome: str,
        *,
        threshold: int,
        reset_s: float,
        owner: str,
        id: str | None = None,
    ) -> CircuitStatus:
        """Tell what a call came to (`failure`, `success`, or `none`: no verdict).

        The circuit opens after `threshold` failures in a row, for `reset_s` seconds.
        """
        found = self._command(
            "breaker_report",
            id,
            policy=policy,
            key=key,
            outcome=outcome,
            owner=owner,
            threshold=threshold,
            reset_s=reset_s,
        )
        return read(found, CircuitStatus)

    def breaker_probe(
        self, policy: str, key: str, *, owner: str, limit_s: float | None = None, id: str | None = None
    ) -> ProbeVerdict:
        """Ask whether a call may be made.

        It may while the circuit is closed; else one owner may make one, and must report on it within `limit_s` seconds
        (120 if not given).
        """
        limit = {} if limit_s is None else {"limit_s": limit_s}
        return read(self._command("breaker_probe", id, policy=policy, key=key, owner=owner, **limit), ProbeVerdict)

    def breakers(self) -> list[CircuitRow]:
        """The circuits that have opened or have failures in a row."""
        return read(self._query("breakers"), list[CircuitRow])

    def rate_lease(self, policy: str, key: str, rate_per_s: float, want: int = 1) -> RateLease:
        """Calls that may be made now, of the rate that all processes share.

        When none is granted, `wait_s` is the seconds until there is one.
        """
        return read(self._query("rate_lease", policy=policy, key=key, rate_per_s=rate_per_s, want=want), RateLease)

    def rates(self) -> list[Spent]:
        """The rates that are used up while somebody waits for their next call."""
        return read(self._query("rates"), list[Spent])

    # The log and its views

    def events(self, after: int, limit: int = 1000, wait_s: float = 0.0, job_id: str | None = None) -> EventPage:
        """The events after number `after`, of one job if given, waiting up to `wait_s` seconds for one."""
        found = read(self._waiting("events", wait_s, after=after, limit=limit, job_id=job_id), EventLines)
        return EventPage(tuple(map(from_json, found.events)), found.head)

    def lines(self, after: int, limit: int = 1000, wait_s: float = 0.0) -> list[tuple[Event, bytes]]:
        """The events after number `after`, each with the JSON that it was written as."""
        found = read(self._waiting("events", wait_s, after=after, limit=limit), EventLines)
        return [(from_json(raw), orjson.dumps(raw)) for raw in found.events]

    def positions(self) -> dict[str, int]:
        """How far each reader of the log is."""
        return read(self._query("positions"), dict[str, int])

    def position(self, view: str, seq: int) -> None:
        """Tell how far `view` is."""
        self._query("position", view=view, seq=seq)

    def rows(self, query: Named, params: Sequence[Any] = (), limit: int = 1000, timeout_s: float = 10.0) -> Selected:
        """The rows of a question of the lab's own: answered within the ledger, and so in a fraction of the time of `query`."""
        args = {"name": query.value, "params": list(params), "limit": limit, "timeout_s": timeout_s}
        return read(self._question("rows", args, self.deadline + timeout_s), Selected)

    def bookmarks(self) -> dict[str, Bookmark]:
        """Where each reader stands, in its own words."""
        return read(self._query("bookmarks"), dict[str, Bookmark])

    def bookmark(self, reader: str, previous: Bookmark | None, value: Bookmark) -> None:
        """Replace the bookmark of `reader`. Raises BookmarkMoved when it is not `previous` any more."""
        before = None if previous is None else dict(previous)
        self._query("bookmark", reader=reader, previous=before, value=dict(value))

    def query(self, sql: str, params: Sequence[Any] = (), limit: int = 1000, timeout_s: float = 10.0) -> Selected:
        """The rows of a SELECT. Raises QueryRefused, QueryFailed, QueryTooLarge and QueryTimeout."""
        args = {"sql": sql, "params": list(params), "limit": limit, "timeout_s": timeout_s}
        return read(self._question("query", args, self.deadline + timeout_s), Selected)

    def flush(self) -> None:
        """Wait until the tables show all that was acknowledged."""
        self._query("flush")

    def health(self) -> LedgerHealth:
        """What a person who looks after the ledger wants to know."""
        return read(self._query("health"), LedgerHealth)

    # Its files

    def snapshot(self, path: Path | None = None, deadline: float = 600.0) -> SnapshotMade:
        """Copy all events and views into a new folder. Raises SnapshotFailed."""
        return read(self._question("snapshot", {"path": None if path is None else str(path)}, deadline), SnapshotMade)

    def prune(self, keep: int | None = None, deadline: float = 600.0) -> PruneReport:
        """Move what every view has seen to the archive, but for the newest `keep`."""
        return read(self._question("prune", {} if keep is None else {"keep": keep}, deadline), PruneReport)

    def drop_archive(self, upto: int, deadline: float = 600.0) -> int:
        """Remove the archive's files with events up to number `upto` alone, for ever; how many."""
        return read(self._question("drop_archive", {"upto": upto}, deadline), ArchiveDropped).files

    def low_water(self, view: str, seq: int) -> None:
        """Tell that `view` has forgotten what came from the events up to `seq`."""
        self._query("low_water", view=view, seq=seq)

    def low_waters(self) -> dict[str, int]:
        """The last event that each view, and the ledger with its archive, has forgotten."""
        return read(self._query("low_waters"), dict[str, int])

    def rebuild(self) -> None:
        """Have the ledger restart and make its views again; its report comes to lie beside its files."""
        self._query("rebuild")

    # How it is sent

    def _command(self, op: str, command_id: str | None, *, wait_s: float = 0.0, **args: Any) -> Any:
        """Send a command until it is answered or the deadline is over."""
        args["id"] = command_id or uuid4().hex
        until = time.monotonic() + self.deadline + wait_s
        while True:
            if op == "claim":
                args["wait_s"] = max(0.0, min(wait_s, until - time.monotonic() - self.deadline))
            try:
                return self._call(op, args, max(0.01, until - time.monotonic()))
            except rpc.PeerUnreachable:
                if time.monotonic() + RETRY_INTERVAL_S >= until:
                    raise
                time.sleep(RETRY_INTERVAL_S)
                args["resend"] = True

    def _query(self, op: str, **args: Any) -> Any:
        return self._question(op, args, self.deadline)

    def _waiting(self, op: str, wait_s: float, **args: Any) -> Any:
        return self._question(op, {**args, "wait_s": wait_s}, self.deadline + wait_s)

    def _question(self, op: str, args: Mapping[str, object], seconds: float) -> Any:
        """Ask; again at once if all that failed was a connection from before the ledger's last restart, and repeatedly
        for as long as it may be restarting."""
        until = time.monotonic() + seconds
        again = bool(self._idle)
        began, gone = 0.0, 0.0
        while True:
            try:
                return self._call(op, args, max(0.01, until - time.monotonic()))
            except rpc.PeerUnreachable as error:
                waits = RETURN_TIMEOUT_S if isinstance(error, rpc.PeerClosing) else self._patience
                began = began or time.monotonic()
                gone = min(until, max(gone, began + waits))
                if time.monotonic() + RETRY_INTERVAL_S >= (until if again else gone):
                    raise
            self._forget_connections()
            if not again:
                time.sleep(RETRY_INTERVAL_S)
            again = False

    def _forget_connections(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _call(self, op: str, args: Mapping[str, object], seconds: float) -> Any:
        with self._lock:
            connection = self._idle.pop() if self._idle else rpc.Client(self.path, self.deadline)
        try:
            return connection.call(op, deadline=seconds, **args)
        finally:
            with self._lock:
                self._idle.append(connection)
