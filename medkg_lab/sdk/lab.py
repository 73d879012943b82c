"""The lab as a Python object. Every method raises LabNotRunning while no lab runs, and the errors of the command it stands for.

With docs/how-to/use-from-python.md this is the Python API: its names and records change with the major version alone.
"""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from medkg_lab.knowledge.answers import SearchAnswer
from medkg_lab.lab import facade, lookup, retries, status, submit, wait, why
from medkg_lab.ledger.client import EventPage, LedgerClient
from medkg_lab.models.events import Event
from medkg_lab.sdk import adapt, records
from medkg_lab.sdk.tables import Table

EVENTS_PAGE = 1000
FOLLOW_WAIT_S = 1.0


class Lab:
    """A lab that runs, or is started by `up`; without `home` the default one. Use it from any thread.

    As a context manager it starts the lab where none runs, and then stops it again: `with Lab("~/lab") as lab: …`.
    """

    def __init__(self, home: str | Path | None = None, tenant: str = "default", actor: str | None = None) -> None:
        """`tenant` is whose documents are submitted, searched and walked; `actor` who acts, as it is recorded (you)."""
        self._lab = facade.Lab.at(home)
        self.tenant = tenant
        self._actor = actor
        self._started = False

    def __repr__(self) -> str:
        return f"Lab({str(self.home)!r})"

    def __enter__(self) -> Self:
        if not self.is_running():
            self.up()
            self._started = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._started:
            self.down()

    @property
    def home(self) -> Path:
        """The folder that names the lab."""
        return self._lab.locations.home

    def acting_as(self, actor: str) -> Self:
        """The same lab, with `actor` recorded as the one who acts."""
        other = copy.copy(self)
        other._actor = actor
        return other

    # The lab itself

    def is_running(self) -> bool:
        """Whether the lab runs."""
        return self._lab.supervisor.is_running()

    def require_running(self) -> None:
        """Raise LabNotRunning unless the lab runs."""
        self._lab.require_running()

    def up(self, seconds: float = 600.0) -> Self:
        """Start the lab where it does not run, and wait until its processes are ready, at most `seconds`."""
        self._lab.supervisor.up(seconds=seconds)
        self._lab.supervisor.wait_ready(seconds)
        return self

    def down(self) -> None:
        """Stop the lab; its data stay."""
        self._lab.supervisor.down()

    def health(self) -> records.Health:
        """The processes, the jobs and gates by state, and what is published."""
        return adapt.health(status.status(self._lab, with_link=False), self._lab.knowledge.counts())

    # Documents in

    def submit(
        self,
        *targets: str | Path,
        source: str | None = None,
        pipeline: str | None = None,
        is_query: bool = False,
        again: bool = False,
        limit: int = 100,
        replaces: str | None = None,
    ) -> records.Submission:
        """Put documents on the work queue: files, folders, ids, or queries at a source; returns when they are on disk."""
        options = submit.SubmitOptions(source, pipeline, is_query, again, limit, self.tenant, replaces)
        return adapt.submission(submit.submit(self._lab, [str(one) for one in targets], options))

    def wait(
        self,
        jobs: records.Submission | Iterable[str],
        seconds: float = 3600.0,
        seen: Callable[[Mapping[str, int]], None] | None = None,
    ) -> records.Outcome:
        """Wait until all these jobs have ended or need a person, and what completed can be searched; `seen` is given the counts
        by state on the way.

        Raises JobsUnfinished after `seconds`.
        """
        ids = [one.job_id for one in jobs.jobs] if isinstance(jobs, records.Submission) else list(jobs)
        tell = None if seen is None else lambda progress: seen(progress.counts())
        progress = wait.wait_with_expansions(self._lab, ids, seconds, tell)
        self._lab.knowledge.caught_up(self._ledger.counts().head, wait_s=30)
        ended = adapt.jobs(progress.jobs.values())
        return records.Outcome(
            progress.counts(),
            [one for one in ended if one.state in ("failed", "dead", "cancelled")],
            [one for one in ended if progress.needs_person(one.job_id)],
        )

    # Search and graph

    def search(
        self,
        query: str,
        limit: int = 10,
        *,
        sources: Sequence[str] | None = None,
        filters: Mapping[str, object] | None = None,
        per_document: int | None = None,
        is_plain: bool = False,
        reranker: str | None = None,
    ) -> SearchAnswer:
        """Find passages, best first; the hits' scores go from 0 to 1. Raises QueryBlank, QueryTooLong and QueryInvalid."""
        return self._lab.knowledge.search(
            query,
            limit,
            self.tenant,
            sources,
            filters=filters,
            per_document=per_document,
            is_plain=is_plain,
            reranker=reranker,
        )

    def documents(self, limit: int = 1000, after: str | None = None) -> tuple[records.Document, ...]:
        """Published documents by id, those beyond `after`."""
        return tuple(map(adapt.document, self._lab.knowledge.documents(self.tenant, limit, after)))

    def passage(self, chunk_id: str) -> records.Passage:
        """A passage with its mentions. Raises PassageNotFound."""
        return adapt.passage(self._lab.knowledge.passage(chunk_id, self.tenant))

    def neighbours(self, node: str, limit: int = 50) -> records.Neighbourhood:
        """A node, by id or name, with the statements about it. Raises NodeNotFound."""
        found = self._lab.knowledge.neighbours(lookup.find_node(self._lab, node), limit, self.tenant)
        return adapt.neighbourhood(found)

    def path(self, source: str, target: str, max_hops: int = 4) -> records.GraphPath:
        """A shortest chain of statements between two nodes. Raises NodeNotFound."""
        start, end = (lookup.find_node(self._lab, one) for one in (source, target))
        return adapt.path(self._lab.knowledge.path(start, end, max_hops, self.tenant))

    def statements(self, source: str, target: str) -> tuple[records.Statement, ...]:
        """What documents say of two nodes, with the sentences that say so. Raises NodeNotFound."""
        start, end = (lookup.find_node(self._lab, one) for one in (source, target))
        return adapt.statements(self._lab.knowledge.why(start, end, self.tenant))

    def graph(self, limit: int = 100_000) -> records.GraphExport:
        """The graph, at most `limit` nodes and as many statements."""
        return adapt.graph(self._lab.knowledge.graph_export(limit, self.tenant))

    # Jobs and gates

    def jobs(
        self,
        state: str | None = None,
        pipeline: str | None = None,
        source: str | None = None,
        document: str | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> tuple[records.Job, ...]:
        """The newest jobs, narrowed down, without their stages; `after` is the id of the last job of the page before."""
        found = self._ledger.jobs(state, pipeline, document, self.tenant, source, limit, after)
        return adapt.jobs(found)

    def job(self, name: str) -> records.Job:
        """A job by its id, its beginning, or its document. Raises NoSuchJob, SeveralJobs and SeveralDocuments."""
        return adapt.job(lookup.find_job(self._lab, name))

    def why(self, name: str) -> str:
        """One sentence on why a job is where it is, or how it ended. Raises as `job` does."""
        return status.explain_job(self._lab, lookup.find_job(self._lab, name))

    def retry(self, name: str, from_stage: str | None = None) -> str:
        """Run a finished job again, and give its id. Raises IllegalTransition, and as `job` does."""
        job_id = self._id(name)
        self._ledger.retry(job_id, from_stage, by=self._by)
        return job_id

    def retry_all(self, state: str = "failed", kind: str | None = None) -> list[str]:
        """Run all jobs again that are in `state`, of a kind of failure if given: their ids."""
        return retries.retry_all(self._ledger, self._by, state, kind)

    def cancel(self, name: str, why: str) -> str:
        """End an unfinished job, and give its id. Raises IllegalTransition, and as `job` does."""
        job_id = self._id(name)
        self._ledger.cancel(job_id, self._by, why)
        return job_id

    def gates(self, state: str | None = None) -> tuple[records.Gate, ...]:
        """The gates, in one state or all; those that wait longest first."""
        return tuple(map(adapt.gate, self._ledger.gates(state)))

    def gates_for_a_person(self) -> tuple[records.Gate, ...]:
        """The waiting gates that only a person can open."""
        return tuple(adapt.gate(one) for one in self._ledger.gates("waiting") if why.needs_person(one))

    def open_gate(self, name: str, why: str, partial: bool = False) -> str:
        """Open the gate of a job, and give its id; `partial` although pages are missing.

        Raises GateNotWaiting, GateWithoutEvidence, GatePagesMissing, and as `job` does.
        """
        job_id = self._id(name)
        self._ledger.gate_open(job_id, by=self._by, why=why, partial=partial)
        return job_id

    def reject_gate(self, name: str, why: str) -> str:
        """Reject the gate of a job, which ends, and give its id. Raises GateNotWaiting, and as `job` does."""
        job_id = self._id(name)
        self._ledger.gate_reject(job_id, self._by, why)
        return job_id

    def set_field(self, name: str, field: str, value: records.FieldValue) -> bool:
        """Set a field of a job, and say whether that opened a gate. Raises as `job` does."""
        return self._ledger.set_field(self._id(name), field, value, by=self._by).opened

    # The log and its tables

    def events(self, after: int = 0, follow: bool = False, job_id: str | None = None) -> Iterator[Event]:
        """The events of the ledger from number `after` on, in order; with `follow` it goes on for ever."""
        while True:
            page = self.event_page(after, EVENTS_PAGE, FOLLOW_WAIT_S if follow else 0.0, job_id)
            yield from page.events
            if page.events:
                after = page.events[-1].seq
            elif not follow:
                return

    def event_page(
        self, after: int = 0, limit: int = EVENTS_PAGE, wait_s: float = 0.0, job_id: str | None = None
    ) -> EventPage:
        """At most `limit` events after number `after`, waiting up to `wait_s` seconds for one, and the newest number."""
        return self._ledger.events(after, limit, wait_s, job_id)

    def head(self) -> int:
        """The number of the newest event."""
        return self._ledger.counts().head

    def table(self, select: str, parameters: Sequence[Any] = (), limit: int = 100_000) -> Table:
        """Rows of a SELECT over job, stage_run, gate, document, artifact, provenance, audit and event_archive.

        It runs in a bounded process of its own. Raises QueryRefused, QueryFailed, QueryTooLarge and QueryTimeout.
        """
        found = self._ledger.query(select, parameters, limit)
        return Table(tuple(found.columns), tuple(map(tuple, found.rows)), found.truncated)

    def _id(self, name: str) -> str:
        return lookup.find_job(self._lab, name).job_id

    @property
    def _by(self) -> str:
        return self._actor or lookup.person()

    @property
    def _ledger(self) -> LedgerClient:
        return self._lab.ledger
