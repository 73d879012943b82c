"""Which rows of which tables follow from events: collected while they are folded, written by the views."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from medkg_lab.ledger.audit import entry
from medkg_lab.ledger.plans import Plans
from medkg_lab.ledger.records import (
    batches_record,
    breakers_record,
    job_record,
    own_failures_record,
    releases_record,
)
from medkg_lab.ledger.state import DocumentKey, Job, RunStatus, State
from medkg_lab.ledger.tables import (
    ARTIFACT,
    AUDIT,
    DEFINITION,
    DOCUMENT,
    GATE,
    JOB,
    MEMORY,
    PROVENANCE,
    STAGE_RUN,
    Row,
    Table,
    audit_row,
    document_row,
    gate_row,
    job_row,
    stage_row,
)
from medkg_lab.models.events import (
    BatchExpired,
    BreakerEvent,
    DefinitionRegistered,
    DocumentDeleted,
    Event,
    GateReleased,
    GateWaiting,
    JobAdvanced,
    JobCancelled,
    JobClaimed,
    JobCompleted,
    JobDead,
    JobFailed,
    JobRequeued,
    MakesJobs,
    RunLaunched,
    StageCompleted,
    StageEvent,
    StageOutput,
)
from medkg_lab.stages.kinds import INPUT_KINDS

_BatchEvent = (
    StageEvent | JobClaimed | BatchExpired | JobAdvanced | GateWaiting | JobCompleted | JobFailed | JobCancelled
)
_OwnFailureEvent = JobFailed | JobDead | JobRequeued | DocumentDeleted
_ReleaseEvent = GateReleased | RunLaunched | JobCancelled


@dataclass(frozen=True, slots=True)
class Changes:
    """Rows to write, and the number of the event that they are of.

    After that the documents that are `gone` have no row any more, and what the `emptied` jobs made and had made of what has none.
    """

    seq: int
    rows: Mapping[Table, list[Row]]
    gone: tuple[DocumentKey, ...] = ()
    emptied: tuple[str, ...] = ()


@dataclass(slots=True)
class Projection:
    """What changed since the rows were taken last."""

    plans: Plans
    jobs: dict[str, None] = field(default_factory=dict)
    runs: dict[tuple[str, int, str], None] = field(default_factory=dict)
    documents: dict[DocumentKey, None] = field(default_factory=dict)
    emptied: list[str] = field(default_factory=list)
    added: dict[Table, list[Row]] = field(default_factory=dict)
    batches: bool = False
    releases: bool = False
    breakers: bool = False
    own_failures: bool = False

    def __bool__(self) -> bool:
        return bool(self.jobs or self.added or self.breakers)

    def absorb(self, state: State, event: Event) -> None:
        """Note what `event` will change; to be called just before it is folded into `state`."""
        data = event.data
        self.jobs |= dict.fromkeys(event.jobs)
        self.batches |= isinstance(data, _BatchEvent)
        self.releases |= isinstance(data, _ReleaseEvent)
        self.breakers |= isinstance(data, BreakerEvent)
        self.own_failures |= isinstance(data, _OwnFailureEvent)
        superseded = _superseded(state, data) if isinstance(data, DefinitionRegistered) else ""
        if (act := entry(event, superseded)) is not None:
            self.added.setdefault(AUDIT, []).append(audit_row(act))
        if isinstance(data, DefinitionRegistered):
            row = (data.kind, data.name, data.version, data.content, event.seq)
            self.added.setdefault(DEFINITION, []).append(row)
        elif not isinstance(data, MakesJobs):
            self._absorb_jobs(state, event)

    def _absorb_jobs(self, state: State, event: Event) -> None:
        data = event.data
        jobs = [state.jobs[job_id] for job_id in data.jobs]
        if isinstance(data, DocumentDeleted):
            self.documents[data.tenant_id, data.doc_id] = None
            self.emptied += data.jobs
            self.runs |= {(job.id, run.execution, run.stage): None for job in jobs for run in job.stages}
        elif isinstance(data, StageEvent):
            self.runs |= {(job.id, job.execution, data.stage): None for job in jobs}
        else:
            running = ((job, run) for job in jobs for run in job.stages if run.status is RunStatus.RUNNING)
            self.runs |= {(job.id, run.execution, run.stage): None for job, run in running}
        if isinstance(data, StageCompleted):
            for job, output in zip(jobs, data.entries, strict=True):
                self._absorb_output(job, data, output, event.ts)
        elif isinstance(data, JobCompleted) and not data.unchanged:
            self.documents |= {(job.spec.tenant_id, job.spec.doc_id): None for job in jobs}

    def _absorb_output(self, job: Job, data: StageCompleted, output: StageOutput, ts: float) -> None:
        spec, stage, made = job.spec, data.stage, output.ref
        if made is None:
            return
        row = (made, data.kind, job.id, spec.doc_id, stage, job.execution, output.items, ts)
        self.added.setdefault(ARTIFACT, []).append(row)
        kinds = INPUT_KINDS[self.plans.of(spec.pipeline, spec.pipeline_version, spec.offline).types[stage]]
        origin = (job.id, stage, spec.pipeline, spec.pipeline_version, job.profile_version, data.implementation)
        outputs = job.outputs
        edges = [(made, outputs[kind], kind, *origin, ts) for kind in kinds if kind in outputs]
        if edges:
            self.added.setdefault(PROVENANCE, []).extend(edges)

    def pop_changes(self, state: State) -> Changes:
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
        gone = tuple(key for key in self.documents if state.documents[key] is None)
        changes = Changes(state.seq, {table: each for table, each in rows.items() if each}, gone, tuple(self.emptied))
        self.jobs, self.runs, self.documents, self.added, self.emptied = {}, {}, {}, {}, []
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


def _superseded(state: State, data: DefinitionRegistered) -> str:
    """The version of the definition that was registered last before this one."""
    known = (one for one in state.definitions.values() if (one.kind, one.name) == (data.kind, data.name))
    last = max(known, key=lambda one: one.seq, default=None)
    return "" if last is None else last.version
