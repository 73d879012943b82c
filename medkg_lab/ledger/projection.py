"""Which rows of which tables follow from events: collected while they are folded, written by the views."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from medkg_lab.ledger.events import MAKES_JOBS, Event, EventType
from medkg_lab.ledger.plans import Plans
from medkg_lab.ledger.records import (
    batches_record,
    breakers_record,
    job_record,
    own_failures_record,
    releases_record,
)
from medkg_lab.ledger.state import DocumentKey, Job, State
from medkg_lab.ledger.tables import (
    ARTIFACT,
    DEFINITION,
    DOCUMENT,
    GATE,
    JOB,
    MEMORY,
    PROVENANCE,
    STAGE_RUN,
    Row,
    Table,
    document_row,
    gate_row,
    job_row,
    stage_row,
)
from medkg_lab.stages.kinds import TAKES

_STAGE_EVENTS = frozenset(each for each in EventType if each.value.startswith("stage."))
_BATCH_EVENTS = frozenset(
    {
        *_STAGE_EVENTS,
        EventType.JOB_CLAIMED,
        EventType.BATCH_EXPIRED,
        EventType.JOB_ADVANCED,
        EventType.GATE_WAITING,
        EventType.JOB_COMPLETED,
        EventType.JOB_FAILED,
        EventType.JOB_CANCELLED,
    }
)
_BREAKER_EVENTS = frozenset(each for each in EventType if each.value.startswith("breaker."))
_OWN_FAILURE_EVENTS = frozenset({EventType.JOB_FAILED, EventType.JOB_DEAD, EventType.JOB_REQUEUED})
_RELEASE_EVENTS = frozenset({EventType.GATE_RELEASED, EventType.RUN_LAUNCHED, EventType.JOB_CANCELLED})


@dataclass(frozen=True, slots=True)
class Changes:
    """Rows to write, and the number of the event that they are of."""

    seq: int
    rows: Mapping[Table, list[Row]]


@dataclass(slots=True)
class Projection:
    """What changed since the rows were taken last."""

    plans: Plans
    jobs: dict[str, None] = field(default_factory=dict)
    runs: dict[tuple[str, int, str], None] = field(default_factory=dict)
    documents: dict[DocumentKey, None] = field(default_factory=dict)
    added: dict[Table, list[Row]] = field(default_factory=dict)
    batches: bool = False
    releases: bool = False
    breakers: bool = False
    own_failures: bool = False

    def __bool__(self) -> bool:
        return bool(self.jobs or self.added or self.breakers)

    def absorb(self, state: State, event: Event) -> None:
        """Note what `event` will change; to be called just before it is folded into `state`."""
        self.jobs |= dict.fromkeys(event.jobs)
        self.batches |= event.type in _BATCH_EVENTS
        self.releases |= event.type in _RELEASE_EVENTS
        self.breakers |= event.type in _BREAKER_EVENTS
        self.own_failures |= event.type in _OWN_FAILURE_EVENTS
        if event.type is EventType.DEFINITION_REGISTERED:
            data = event.data
            row = (data["kind"], data["name"], data["version"], data["content"], event.seq)
            self.added.setdefault(DEFINITION, []).append(row)
        elif event.type not in MAKES_JOBS:
            self._absorb_jobs(state, event)

    def _absorb_jobs(self, state: State, event: Event) -> None:
        for place, job in enumerate(map(state.jobs.__getitem__, event.jobs)):
            if event.type in _STAGE_EVENTS:
                self.runs[job.id, job.execution, event.stage or ""] = None
            else:
                running = (run for run in job.stages if run.status == "running")
                self.runs |= {(job.id, run.execution, run.stage): None for run in running}
            if event.type is EventType.STAGE_COMPLETED:
                self._absorb_output(job, event, place)
            elif event.type is EventType.JOB_COMPLETED and not event.data["unchanged"]:
                self.documents[job.spec.tenant_id, job.spec.doc_id] = None

    def _absorb_output(self, job: Job, event: Event, place: int) -> None:
        data, spec, stage = event.data, job.spec, event.stage or ""
        made = data["refs"][place]
        if made is None:
            return
        row = (made, data["kind"], job.id, spec.doc_id, stage, job.execution, data["counts"][place], event.ts)
        self.added.setdefault(ARTIFACT, []).append(row)
        kinds = TAKES[self.plans.of(spec.pipeline, spec.pipeline_version, spec.offline).types[stage]]
        origin = (job.id, stage, spec.pipeline, spec.pipeline_version, job.profile_version, data["implementation"])
        outputs = job.outputs
        edges = [(made, outputs[kind], kind, *origin, event.ts) for kind in kinds if kind in outputs]
        if edges:
            self.added.setdefault(PROVENANCE, []).extend(edges)

    def take(self, state: State) -> Changes:
        """The rows of all that changed, as `state` has it now; from here on changes are collected anew."""
        jobs = [state.jobs[job_id] for job_id in self.jobs]
        rows = {
            JOB: [job_row(job, job_record(job)) for job in jobs],
            STAGE_RUN: self._stage_rows(state),
            GATE: [gate_row(job, gate) for job in jobs for gate in job.gates],
            DOCUMENT: [document_row(key, last) for key in self.documents if (last := state.documents[key])],
            MEMORY: self._memory_rows(state),
            **self.added,
        }
        changes = Changes(state.seq, {table: each for table, each in rows.items() if each})
        self.jobs, self.runs, self.documents, self.added = {}, {}, {}, {}
        self.batches = self.releases = self.breakers = self.own_failures = False
        return changes

    def _stage_rows(self, state: State) -> list[Row]:
        by_job: dict[str, set[tuple[int, str]]] = {}
        for job_id, execution, stage in self.runs:
            by_job.setdefault(job_id, set()).add((execution, stage))
        return [
            stage_row(state.jobs[job_id], place, run)
            for job_id, wanted in by_job.items()
            for place, run in enumerate(state.jobs[job_id].stages)
            if (run.execution, run.stage) in wanted
        ]

    def _memory_rows(self, state: State) -> list[Row]:
        batches = [("batches", batches_record(state.batches))] if self.batches else []
        releases = [("releases", releases_record(state.releases))] if self.releases else []
        breakers = [("breakers", breakers_record(state.breakers))] if self.breakers else []
        own = [("own_failures", own_failures_record(state.own_failures))] if self.own_failures else []
        return [*batches, *releases, *breakers, *own]
