"""The state that the log folds to: jobs, batches, releases, definitions, breakers. Plain data; only `fold` changes it."""

from collections import Counter, OrderedDict
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from medkg_lab.ledger.queue import GroupKey, Queue
from medkg_lab.models.circuits import CircuitState
from medkg_lab.models.events import DELETED, NO_EVIDENCE, Condition, Evidence, FieldValue
from medkg_lab.models.job import JobSpec


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING_GATE = "waiting_gate"
    COMPLETED = "completed"
    FAILED = "failed"
    DEAD = "dead"
    CANCELLED = "cancelled"


FINISHED = frozenset({JobState.COMPLETED, JobState.FAILED, JobState.DEAD, JobState.CANCELLED})


class GateState(StrEnum):
    """Where a gate stands: `open` until its job is part of a release, then `released`."""

    WAITING = "waiting"
    OPEN = "open"
    RELEASED = "released"
    REJECTED = "rejected"
    FAILED = "failed"
    CANCELLED = "cancelled"


class RunStatus(StrEnum):
    """How one execution of a stage stands; it is lost when its batch expired."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    LOST = "lost"
    CANCELLED = "cancelled"


@dataclass(slots=True)
class StageRun:
    """One execution of a stage for a job. `t0`, `t1` are seconds since the epoch, `ms` the job's share of the time."""

    stage: str
    execution: int
    half: int
    batch: str | None
    attempt: int = 1
    status: RunStatus = RunStatus.RUNNING
    t0: float | None = None
    t1: float | None = None
    ms: float | None = None
    count: int | None = None
    kind: str | None = None
    ref: str | None = None
    implementation: str | None = None
    device: str | None = None
    error: str | None = None
    reason: str | None = None


@dataclass(slots=True)
class Gate:
    """A gate that a job came to, once per execution; `stages` is what runs after it."""

    gate: str
    execution: int
    state: GateState
    condition: Condition
    resume_segment: int
    resume_lane: str
    stages: tuple[str, ...]
    waiting_since: float
    opened_at: float | None = None
    opened_by: str | None = None
    how: str | None = None
    why: str | None = None
    partial: bool = False
    release_id: str | None = None


@dataclass(slots=True)
class Job:
    """A job. `age` orders jobs by submission; `attempt` counts the claims of the current segment since it was last queued anew;
    `execution` grows when a batch is lost and when the job is run again; `version` counts the events that touched the job.

    `done` maps the stages and gates that are behind it to (kind, sha256) of what they gave. `cohort` names the half of a lost
    batch that the job is in; `losses` counts the batches that were lost while the job was alone in them.

    `earlier` are the artifacts that stood behind fields before: what the job's history names, an export of it needs.

    `own` names the process of the lab that was at fault when the job ended without success; `own_retries` counts how often the
    lab has run the job again for that by itself, since a person last did.
    """

    spec: JobSpec
    age: int
    state: JobState
    segment: int
    half: int
    lane: str
    created_at: float
    updated_at: float
    version: int = 0
    execution: int = 1
    attempt: int = 0
    ticket: int = 0
    stage: str | None = None
    batch: str | None = None
    worker: str | None = None
    run_id: str | None = None
    cohort: str | None = None
    losses: int = 0
    profile: str | None = None
    profile_version: str | None = None
    policies_version: str | None = None
    fields: dict[str, FieldValue] = field(default_factory=dict)
    evidence: dict[str, Evidence] = field(default_factory=dict)
    earlier: list[str] = field(default_factory=list)
    done: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)
    retries: dict[str, int] = field(default_factory=dict)
    gates: list[Gate] = field(default_factory=list)
    stages: list[StageRun] = field(default_factory=list)
    content: str | None = None
    unchanged: bool = False
    failure_kind: str | None = None
    reason: str | None = None
    error: str | None = None
    own: str | None = None
    own_retries: int = 0

    @property
    def id(self) -> str:
        """The job's id."""
        return self.spec.job_id

    @property
    def outputs(self) -> dict[str, str]:
        """The newest output of each kind: {kind: sha256}."""
        return {kind: ref for kind, ref in self.done.values() if kind is not None and ref is not None}

    def put_evidence(self, name: str, evidence: Evidence | None) -> None:
        """Have something else stand behind a field, or nothing; what stood there is not forgotten."""
        before = self.evidence.pop(name, NO_EVIDENCE)
        self.remember(before)
        if evidence is not None:
            self.evidence[name] = evidence

    def remember(self, evidence: Evidence) -> None:
        """Note the artifacts of what stood behind a field, or of why it has no value."""
        named = filter(None, (evidence.document, evidence.raw, evidence.source))
        self.earlier += [one for one in named if one not in self.earlier]

    @property
    def is_deleted(self) -> bool:
        """Whether its document was deleted."""
        return self.fields.get(DELETED) is True

    @property
    def gate(self) -> Gate | None:
        """The gate that the job waits at or came to last in this execution."""
        last = self.gates[-1] if self.gates else None
        return last if last is not None and last.execution == self.execution else None

    def run_of(self, stage: str) -> StageRun | None:
        """The newest execution of `stage` within the job's current execution."""
        for run in reversed(self.stages):
            if run.execution != self.execution:
                return None
            if run.stage == stage:
                return run
        return None

    def group(self) -> GroupKey:
        """Which jobs this one may share a batch with."""
        spec = self.spec
        done = tuple(sorted(self.done))
        cohort = self.id if spec.is_large and self.run_id is None else self.cohort
        return GroupKey(
            self.lane, self.run_id, cohort, spec.pipeline, spec.pipeline_version, self.segment, spec.offline, done
        )


@dataclass(slots=True)
class Batch:
    """Jobs that one engine works on together; `jobs` are those still in it, `cancelled` those that were taken out meanwhile."""

    id: str
    worker: str
    lane: str
    pipeline: str
    pipeline_version: str
    half: int
    segment: int
    stages: tuple[str, ...]
    lease_s: float
    jobs: dict[str, None]
    cancelled: list[str] = field(default_factory=list)
    stage: str | None = None


@dataclass(slots=True)
class Release:
    """Jobs whose gates opened and that one run is to take on."""

    id: str
    pipeline: str
    pipeline_version: str
    half: int
    segment: int
    jobs: dict[str, None]


@dataclass(frozen=True, slots=True)
class Definition:
    """A topology, policy file or profile in one version, kept for ever."""

    kind: str
    name: str
    version: str
    content: str
    seq: int


@dataclass(frozen=True, slots=True)
class Published:
    """The job that last completed for a document, with what its result depends on."""

    job_id: str
    pipeline: str
    pipeline_version: str
    profile_version: str | None
    content: str | None
    at: float


@dataclass(slots=True)
class Circuit:
    """A circuit breaker that all processes share, for one policy and what is called under it.

    `until`: when the first probe may be made (open), or when the probe of `owner` is given to another (half open). All times are
    seconds since the epoch.
    """

    policy: str
    key: str
    state: CircuitState
    failures: int
    opened_at: float | None
    until: float | None = None
    reset_s: float = 0.0
    owner: str | None = None


DocumentKey = tuple[str, str]
"""Tenant and document id."""


@dataclass(slots=True)
class State:
    """All unfinished jobs, and the finished ones that were not forgotten yet (`finished`, oldest first).

    `own_failures` are the jobs that the lab is going to run again by itself, with the time, in seconds since the epoch, from
    which on it may.
    """

    seq: int = 0
    jobs: dict[str, Job] = field(default_factory=dict)
    queue: Queue = field(default_factory=Queue)
    batches: dict[str, Batch] = field(default_factory=dict)
    releases: dict[str, Release] = field(default_factory=dict)
    open_gates: dict[str, None] = field(default_factory=dict)
    definitions: dict[tuple[str, str, str], Definition] = field(default_factory=dict)
    documents: OrderedDict[DocumentKey, Published | None] = field(default_factory=OrderedDict)
    breakers: dict[tuple[str, str], Circuit] = field(default_factory=dict)
    own_failures: dict[str, float] = field(default_factory=dict)
    finished: OrderedDict[str, None] = field(default_factory=OrderedDict)
    job_counts: Counter[str] = field(default_factory=Counter)
    gate_counts: Counter[str] = field(default_factory=Counter)

    def adopt(self, job: Job) -> None:
        """Take a job that a view remembered into memory again."""
        self.jobs[job.id] = job
        if job.state in FINISHED:
            self.finished[job.id] = None
        elif job.state is JobState.QUEUED:
            self.queue.add(job)
        elif job.gate is not None and job.gate.state is GateState.OPEN:
            self.open_gates[job.id] = None

    def forget(self, job_id: str) -> None:
        """Drop a finished job from memory; a view remembers it."""
        del self.finished[job_id]
        del self.jobs[job_id]


def values_of(record: Any) -> dict[str, Any]:
    """The fields of a slotted dataclass by name."""
    return {spec.name: getattr(record, spec.name) for spec in fields(record)}
