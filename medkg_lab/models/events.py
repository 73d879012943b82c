"""The events of the ledger's log: one record per type, and what places one in the log.

An event says what happened, once: to one or more jobs, or to what they share (then it names none). It is never changed. What an
event says of each job stands in `entries`, a record per job; `jobs` names the jobs of every event.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple, Protocol

from medkg_lab.models.job import JobSpec

SEPARATOR = "~"
"""Stands between a command's id and the number of its event; so no command's id has it."""
PDF_IR_READY = "pdf_ir_ready"
"""The field that says that a document was made of a PDF; it holds only with evidence."""
ACKNOWLEDGED = "acknowledged"
"""The field that says that a person has seen how a job ended, and put it aside: the execution that ended so."""
DELETED = "deleted"
"""The field that says that a job's document was deleted: the job is remembered, what it made is not."""

FieldValue = bool | int | str


class EventType(StrEnum):
    """All that can happen."""

    DEFINITION_REGISTERED = "definition.registered"
    JOB_SUBMITTED = "job.submitted"
    JOB_IMPORTED = "job.imported"
    JOB_CLAIMED = "job.claimed"
    BATCH_EXPIRED = "batch.expired"
    STAGE_STARTED = "stage.started"
    STAGE_COMPLETED = "stage.completed"
    STAGE_SKIPPED = "stage.skipped"
    STAGE_RETRYING = "stage.retrying"
    STAGE_FAILED = "stage.failed"
    JOB_ADVANCED = "job.advanced"
    GATE_WAITING = "gate.waiting"
    JOB_COMPLETED = "job.completed"
    JOB_FAILED = "job.failed"
    JOB_DEAD = "job.dead"
    JOB_CANCELLED = "job.cancelled"
    JOB_REQUEUED = "job.requeued"
    GATE_OPENED = "gate.opened"
    GATE_REJECTED = "gate.rejected"
    GATE_FAILED = "gate.failed"
    GATE_RELEASED = "gate.released"
    RUN_LAUNCHED = "run.launched"
    FIELD_SET = "field.set"
    DOCUMENT_DELETED = "document.deleted"
    BREAKER_OPENED = "breaker.opened"
    BREAKER_HALF_OPEN = "breaker.half_open"
    BREAKER_CLOSED = "breaker.closed"
    ACT_NOTED = "act.noted"


@dataclass(frozen=True, slots=True)
class Condition:
    """What a gate or stage waits for: the job's field has exactly this value."""

    ledger_field: str
    equals: FieldValue


@dataclass(frozen=True, slots=True)
class Evidence:
    """What stands behind a field that says that a PDF was read: artifacts by sha256, pages by number from 1.

    `document` is the document that was made, `raw` the reader's own output, `source` the PDF; `exchanges` names the recorded
    calls of a reader that is a service.
    """

    document: str | None = None
    raw: str | None = None
    pages: int | None = None
    missing_pages: tuple[int, ...] = ()
    tool: str | None = None
    tool_version: str | None = None
    source: str | None = None
    exchanges: tuple[str, ...] = ()


NO_EVIDENCE = Evidence()


class _OfJob(Protocol):
    @property
    def job_id(self) -> str: ...


class _HasEntries(Protocol):
    @property
    def entries(self) -> Sequence[_OfJob]: ...


class _PerJob:
    __slots__ = ()

    @property
    def jobs(self: _HasEntries) -> tuple[str, ...]:
        """The jobs, in the order of their entries."""
        return tuple([entry.job_id for entry in self.entries])


@dataclass(frozen=True, slots=True)
class DefinitionRegistered:
    """A topology, policy file or profile is known from here on."""

    type: ClassVar = EventType.DEFINITION_REGISTERED
    jobs: ClassVar[tuple[str, ...]] = ()
    kind: str
    name: str
    version: str
    content: str


@dataclass(frozen=True, slots=True)
class JobSubmitted(_PerJob):
    """New jobs are queued."""

    type: ClassVar = EventType.JOB_SUBMITTED
    entries: tuple[JobSpec, ...]


@dataclass(frozen=True, slots=True)
class ImportedJob:
    """A job as it stood in an older ledger."""

    spec: JobSpec
    state: str
    stage: str | None
    fields: Mapping[str, FieldValue]
    retries: Mapping[str, int]
    reason: str | None
    created_at: float

    @property
    def job_id(self) -> str:
        """The job's id."""
        return self.spec.job_id


@dataclass(frozen=True, slots=True)
class JobImported(_PerJob):
    """Jobs of an older ledger are here, as they stood there."""

    type: ClassVar = EventType.JOB_IMPORTED
    entries: tuple[ImportedJob, ...]


class ClaimedJob(NamedTuple):
    """A job that was claimed, and for the how-manieth time: `attempt` within its segment, `execution` in all."""

    job_id: str
    doc_id: str
    tenant_id: str
    correlation_id: str
    attempt: int
    execution: int


@dataclass(frozen=True, slots=True)
class JobClaimed(_PerJob):
    """An engine has taken queued jobs as a batch, to run `stages`; `batch_size` is told where an event is a part of the whole."""

    type: ClassVar = EventType.JOB_CLAIMED
    worker: str
    lane: str
    pipeline: str
    pipeline_version: str
    half: int
    segment: int
    stages: tuple[str, ...]
    entries: tuple[ClaimedJob, ...]
    lease_s: float
    batch: str
    profile: str | None
    profile_version: str | None
    policies_version: str | None
    batch_size: int | None = None


class LostJob(NamedTuple):
    """A job of a lost batch; `over` says whether it was the one that it was lost by, where that is known."""

    job_id: str
    over: bool | None = None


@dataclass(frozen=True, slots=True)
class BatchExpired(_PerJob):
    """A batch was lost, or handed back; `reason` is `lease`, `deadline` or `surrendered`, `stage` what ran then."""

    type: ClassVar = EventType.BATCH_EXPIRED
    worker: str
    stage: str | None
    reason: str
    alone: bool
    entries: tuple[LostJob, ...]
    batch: str


@dataclass(frozen=True, slots=True)
class StageStarted:
    """A stage runs for these jobs since `t0`, in seconds since the epoch like every time here."""

    type: ClassVar = EventType.STAGE_STARTED
    stage: str
    jobs: tuple[str, ...]
    t0: float
    batch: str | None = None


class StageOutput(NamedTuple):
    """What a stage made of a job: items, the artifact's sha256, and the job's share of the time in ms."""

    job_id: str
    ms: float | None
    items: int | None
    ref: str | None


@dataclass(frozen=True, slots=True)
class StageCompleted(_PerJob):
    """A stage is behind the jobs, with its outputs, all of one kind.

    `made_with` says what besides its inputs they depend on, `exchanges` names the recorded calls.
    """

    type: ClassVar = EventType.STAGE_COMPLETED
    stage: str
    t0: float
    t1: float
    entries: tuple[StageOutput, ...]
    kind: str
    implementation: str
    device: str | None
    made_with: Mapping[str, str] = field(default_factory=dict)
    exchanges: tuple[str, ...] = ()
    batch: str | None = None


@dataclass(frozen=True, slots=True)
class StageSkipped:
    """A stage is behind the jobs without having run; `reason` is `condition` or `unchanged`."""

    type: ClassVar = EventType.STAGE_SKIPPED
    stage: str
    jobs: tuple[str, ...]
    t0: float
    reason: str
    batch: str | None = None


@dataclass(frozen=True, slots=True)
class StageRetrying:
    """A call for these jobs failed for the `attempt`-th time and is tried again after `delay_s` seconds."""

    type: ClassVar = EventType.STAGE_RETRYING
    stage: str
    jobs: tuple[str, ...]
    attempt: int
    delay_s: float
    kind: str
    reason: str
    batch: str | None = None


@dataclass(frozen=True, slots=True)
class StageFailed:
    """A stage ended with an error."""

    type: ClassVar = EventType.STAGE_FAILED
    stage: str
    jobs: tuple[str, ...]
    t0: float
    t1: float
    attempt: int
    kind: str
    error: str
    reason: str
    exchanges: tuple[str, ...] = ()
    batch: str | None = None


@dataclass(frozen=True, slots=True)
class JobAdvanced:
    """The jobs are queued for their next segment."""

    type: ClassVar = EventType.JOB_ADVANCED
    jobs: tuple[str, ...]
    segment: int
    lane: str
    batch: str | None = None


@dataclass(frozen=True, slots=True)
class GateWaiting:
    """The jobs wait at a gate, and go on with `stages` of segment `resume_segment` once it opens."""

    type: ClassVar = EventType.GATE_WAITING
    gate: str
    jobs: tuple[str, ...]
    condition: Condition
    resume_segment: int
    resume_lane: str
    stages: tuple[str, ...]
    batch: str | None = None


class CompletedJob(NamedTuple):
    """A job that ended well, with the sha256 of its payload."""

    job_id: str
    content: str | None


@dataclass(frozen=True, slots=True)
class JobCompleted(_PerJob):
    """The jobs ended well; `unchanged` when their documents are those that were published before."""

    type: ClassVar = EventType.JOB_COMPLETED
    unchanged: bool
    entries: tuple[CompletedJob, ...]
    batch: str | None = None


@dataclass(frozen=True, slots=True)
class JobFailed:
    """The jobs ended with an error, in `stage` if any ran; `own` names the lab's process that was at fault."""

    type: ClassVar = EventType.JOB_FAILED
    jobs: tuple[str, ...]
    kind: str
    error: str | None
    reason: str
    stage: str | None
    own: str | None = None
    gate: str | None = None
    batch: str | None = None


@dataclass(frozen=True, slots=True)
class JobDead:
    """The jobs are given up: the engines that took them were lost, `losses` times."""

    type: ClassVar = EventType.JOB_DEAD
    jobs: tuple[str, ...]
    reason: str
    losses: int
    own: str | None
    stage: str | None


@dataclass(frozen=True, slots=True)
class JobCancelled:
    """The jobs were ended by someone, at `gate` if that was refused."""

    type: ClassVar = EventType.JOB_CANCELLED
    jobs: tuple[str, ...]
    by: str
    why: str
    gate: str | None = None
    batch: str | None = None


@dataclass(frozen=True, slots=True)
class JobRequeued:
    """Finished jobs are run again from `from_stage` on; `keep` are the stages that stay done, `clear` the fields that go.

    Where the lab itself did it, `why` says for what, and `own_retries` how often it has.
    """

    type: ClassVar = EventType.JOB_REQUEUED
    jobs: tuple[str, ...]
    by: str
    from_stage: str
    segment: int
    half: int
    lane: str
    keep: tuple[str, ...]
    clear: tuple[str, ...]
    why: str | None = None
    own_retries: int = 0
    losses: int = 0


class OpenedJob(NamedTuple):
    """A job whose gate opened, and its version by that."""

    job_id: str
    version: int


@dataclass(frozen=True, slots=True)
class GateOpened(_PerJob):
    """A gate is open, by a person (`manual`) or because its condition holds (`condition`)."""

    type: ClassVar = EventType.GATE_OPENED
    gate: str
    by: str
    how: str
    why: str | None
    partial: bool
    entries: tuple[OpenedJob, ...]


@dataclass(frozen=True, slots=True)
class GateRejected:
    """A person refused to open a gate."""

    type: ClassVar = EventType.GATE_REJECTED
    gate: str
    jobs: tuple[str, ...]
    by: str
    why: str


@dataclass(frozen=True, slots=True)
class GateFailed:
    """What a gate waits for will not come."""

    type: ClassVar = EventType.GATE_FAILED
    gate: str
    jobs: tuple[str, ...]
    by: str
    kind: str
    reason: str
    evidence: Evidence = NO_EVIDENCE


@dataclass(frozen=True, slots=True)
class GateReleased:
    """Jobs with open gates wait for one run to take them on."""

    type: ClassVar = EventType.GATE_RELEASED
    gate: str
    jobs: tuple[str, ...]
    release_id: str
    pipeline: str
    pipeline_version: str
    segment: int


@dataclass(frozen=True, slots=True)
class RunLaunched:
    """Jobs are queued for a run: those of a release beyond their gate, others where they stand."""

    type: ClassVar = EventType.RUN_LAUNCHED
    jobs: tuple[str, ...]
    run_id: str
    release_id: str | None
    by: str
    from_stage: str | None


@dataclass(frozen=True, slots=True)
class FieldSet:
    """A field of the jobs has a value, with what stands behind it."""

    type: ClassVar = EventType.FIELD_SET
    jobs: tuple[str, ...]
    field: str
    value: FieldValue
    by: str
    evidence: Evidence = NO_EVIDENCE


@dataclass(frozen=True, slots=True)
class DocumentDeleted:
    """All that was made of a document goes, and what these jobs, all that it ever had, made with it."""

    type: ClassVar = EventType.DOCUMENT_DELETED
    jobs: tuple[str, ...]
    tenant_id: str
    doc_id: str
    by: str
    why: str


@dataclass(frozen=True, slots=True)
class BreakerOpened:
    """Calls are held back until `until`: too many failed, or the probe did, or it said nothing."""

    type: ClassVar = EventType.BREAKER_OPENED
    jobs: ClassVar[tuple[str, ...]] = ()
    policy: str
    key: str
    failures: int
    reset_s: float
    until: float
    by: str


@dataclass(frozen=True, slots=True)
class BreakerHalfOpen:
    """One process, `owner`, may try a call until `until`."""

    type: ClassVar = EventType.BREAKER_HALF_OPEN
    jobs: ClassVar[tuple[str, ...]] = ()
    policy: str
    key: str
    owner: str
    until: float


@dataclass(frozen=True, slots=True)
class BreakerClosed:
    """Calls go on."""

    type: ClassVar = EventType.BREAKER_CLOSED
    jobs: ClassVar[tuple[str, ...]] = ()
    policy: str
    key: str
    by: str


@dataclass(frozen=True, slots=True)
class ActNoted:
    """Someone did something that concerns no job, `count` times: `action` is what, such as `settings.changed`, and `subject` what
    it was done to. `by` is empty where nobody knows who it was."""

    type: ClassVar = EventType.ACT_NOTED
    jobs: ClassVar[tuple[str, ...]] = ()
    action: str
    by: str
    subject: str
    before: str = ""
    after: str = ""
    why: str = ""
    count: int = 1


MakesJobs = JobSubmitted | JobImported
"""Only these name jobs that were not there before."""
StageEvent = StageStarted | StageCompleted | StageSkipped | StageRetrying | StageFailed
BreakerEvent = BreakerOpened | BreakerHalfOpen | BreakerClosed
_WithEntries = MakesJobs | JobClaimed | BatchExpired | StageCompleted | JobCompleted | GateOpened
_WithoutJobs = DefinitionRegistered | BreakerEvent | ActNoted
_WithJobs = (
    StageStarted
    | StageSkipped
    | StageRetrying
    | StageFailed
    | JobAdvanced
    | GateWaiting
    | JobFailed
    | JobDead
    | JobCancelled
    | JobRequeued
    | GateRejected
    | GateFailed
    | GateReleased
    | RunLaunched
    | FieldSet
    | DocumentDeleted
)
EventData = _WithEntries | _WithJobs | _WithoutJobs
"""What an event says. By itself it is an event that was decided on but has no place in the log yet."""

RECORDS: Mapping[EventType, type[EventData]] = {
    record.type: record for record in (*_WithEntries.__args__, *_WithJobs.__args__, *_WithoutJobs.__args__)
}
"""The record of every type."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event in the log. `seq` counts from 1 without gaps; `ts` is seconds since the epoch.

    `id` is the id of the command that caused it for a command's first event, `<command id>~<n>` for its n-th further one.
    """

    seq: int
    id: str
    ts: float
    data: EventData

    @property
    def happened_at(self) -> float:
        """When it happened, in seconds since the epoch: what a stage did may have been told of later."""
        match self.data:
            case StageCompleted() | StageFailed():
                return self.data.t1 or self.data.t0 or self.ts
            case StageStarted() | StageSkipped():
                return self.data.t0 or self.ts
            case _:
                return self.ts

    @property
    def type(self) -> EventType:
        """What happened."""
        return self.data.type

    @property
    def jobs(self) -> tuple[str, ...]:
        """The jobs that it happened to."""
        return self.data.jobs

    @property
    def stage(self) -> str | None:
        """The stage or gate at which it happened, if it is about one."""
        return stage_of(self.data)

    @property
    def batch(self) -> str | None:
        """The batch that it happened in, if it did in one."""
        return batch_of(self.data)


def stage_of(data: EventData) -> str | None:
    """The stage or gate that the event is about."""
    name = STAGE_FIELDS[data.type]
    found: str | None = getattr(data, name) if name else None
    return found


def batch_of(data: EventData) -> str | None:
    """The batch that the event is about."""
    found: str | None = getattr(data, "batch", None)
    return found


def _stage_field(record: type[EventData]) -> str | None:
    if "gate" in record.__slots__:
        return "gate"
    return "stage" if issubclass(record, StageEvent | JobDead) else None


STAGE_FIELDS: Mapping[EventType, str | None] = {kind: _stage_field(record) for kind, record in RECORDS.items()}
"""The field that holds the stage or gate that an event of this type is about."""


def of_jobs(data: EventData, kept: Collection[str]) -> EventData:
    """The event with those of its jobs alone that are `kept`, and what it says of each of them."""
    if isinstance(data, _WithEntries):
        entries: Any = tuple(entry for entry in data.entries if entry.job_id in kept)
        return replace(data, entries=entries)
    if isinstance(data, _WithJobs):
        return replace(data, jobs=tuple(job_id for job_id in data.jobs if job_id in kept))
    return data


def event_id(command_id: str, n: int) -> str:
    """The id of the n-th event (from 0) of a command."""
    return f"{command_id}{SEPARATOR}{n}" if n else command_id


def command_of(event_id: str) -> str:
    """The id of the command that an event came from."""
    return event_id.partition(SEPARATOR)[0]


def stamp(drafts: Sequence[EventData], command_id: str, after: int, ts: float) -> list[Event]:
    """Give the events of one command their places in the log, from `after` + 1 on."""
    return [Event(after + n + 1, event_id(command_id, n), ts, data) for n, data in enumerate(drafts)]
