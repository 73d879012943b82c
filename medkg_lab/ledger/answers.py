"""What the ledger answers, each answer one record: made by the ledger, read by its client, and written as JSON for people.

Times are seconds since the epoch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from typing import Any, ClassVar, TypeVar

import msgspec

from medkg_lab import exit_codes
from medkg_lab.errors import LabError
from medkg_lab.failures import Failure
from medkg_lab.ledger.state import GateState, JobState, StageRun
from medkg_lab.models.circuits import CircuitState
from medkg_lab.models.event_codec import evidence_to_json
from medkg_lab.models.events import Condition, Evidence, FieldValue

T = TypeVar("T")


class AnswerUnreadable(LabError, ValueError):
    """The ledger's answer is not what this version reads: {detail}. Client and ledger may be of different versions; restart the
    lab."""

    exit_code: ClassVar[int] = exit_codes.FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmittedContent:
    """The bytes that a submission came with: by their hash in the artifact store, or by a file's address."""

    sha256: str | None = None
    uri: str | None = None
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobGate:
    """The gate that a job waits at or came to last; `stages` is what runs after it."""

    job_id: str
    doc_id: str
    gate: str
    execution: int
    state: GateState
    condition: Condition
    resume_segment: int
    resume_lane: str
    stages: tuple[str, ...]
    waiting_since: float
    opened_at: float | None
    opened_by: str | None
    how: str | None
    why: str | None
    partial: bool
    release_id: str | None
    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRow:
    """A gate as the list of gates shows it: a row of table gate."""

    job_id: str
    gate: str
    execution: int
    doc_id: str
    state: GateState
    condition: Condition
    evidence: Evidence
    stages: tuple[str, ...]
    waiting_since: float
    opened_at: float | None
    opened_by: str | None
    how: str | None
    why: str | None
    partial: bool
    release_id: str | None


AnyGate = JobGate | GateRow


@dataclass(frozen=True, slots=True)
class Selected:
    """What a SELECT gave; `truncated` when there were more rows than the limit."""

    columns: list[str]
    rows: list[list[Any]]
    truncated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """A job as a list shows it: what it was submitted with, and where it stands.

    `submission` is the submission's JSON; `lease_until` is when the batch that the job is in is lost unless its engine is heard
    of; `own` names the process of the lab that was at fault when it failed.
    """

    job_id: str
    tenant_id: str
    correlation_id: str
    source: str
    doc_key: str
    doc_id: str
    pipeline: str
    pipeline_version: str
    offline: bool
    again: bool
    priority: int
    segment: int
    lane: str
    half: int
    content: str | None
    submission: Mapping[str, Any]
    submitted_at: float
    state: JobState
    stage: str | None
    attempt: int
    execution: int
    fields: Mapping[str, FieldValue]
    outputs: Mapping[str, str]
    done: tuple[str, ...]
    retries: Mapping[str, int]
    losses: int
    unchanged: bool
    failure_kind: str | None
    reason: str | None
    error: str | None
    own: str | None
    own_retries: int
    gate: JobGate | None
    batch: str | None
    run_id: str | None
    worker: str | None
    lease_until: float | None
    profile: str | None
    created_at: float
    updated_at: float
    version: int

    @property
    def submitted_content(self) -> SubmittedContent | None:
        """The bytes that the submission came with; None for what is fetched from a source. Raises AnswerUnreadable."""
        content = self.submission.get("content")
        return read(content, SubmittedContent) if content else None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDetail(JobRow):
    """A job with all that is known of it: `stages` are its stage runs, of all executions, in the order they began."""

    stages: tuple[StageRun, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many jobs and gates are in each state, how many jobs are queued in each lane, and the number of the newest event."""

    jobs: Mapping[str, int]
    gates: Mapping[str, int]
    head: int
    queued_by_lane: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitRow:
    """A circuit that has opened or has failures in a row; `until` is when its next probe may be made, or is given to another."""

    policy: str
    key: str
    state: CircuitState
    failures: int
    opened_at: float | None
    until: float | None
    owner: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """A job that was submitted or imported: whether it is a new one, and where it stands."""

    job_id: str
    new: bool
    state: JobState


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedJob:
    """A job that was cancelled, or whose gate was rejected or failed, and the state it is in since."""

    job_id: str
    state: JobState


@dataclass(frozen=True, slots=True, kw_only=True)
class RequeuedJob:
    """A job that runs again, from this stage on."""

    job_id: str
    from_stage: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedJobs:
    """Those of the named jobs that a command changed."""

    job_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """Whether a version of a definition was not known before."""

    new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The number of the newest event after a record, and the jobs whose events were dropped because they were cancelled."""

    seq: int
    dropped: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOutcome:
    """What came of one of several records that were sent together: either it was recorded or it was refused."""

    result: Recorded | None = None
    error: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """Whether setting a field opened a gate."""

    opened: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedGate:
    """A gate that this caller opened, and the version of its job since."""

    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchedJobs:
    """The jobs that were bound to a run."""

    jobs: tuple[str, ...]


@dataclass(slots=True)
class WriterFigures:
    """What the ledger's writer has done since it started."""

    commits: int = 0
    commands: int = 0
    events: int = 0
    projections: int = 0
    longest_commit_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLines:
    """Events of the log in order, each as the JSON that it was written as, and the number of the newest one."""

    events: tuple[Any, ...]
    head: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerHealth:
    """What a person who looks after the ledger wants to know: `head` is the newest event, `projected` the newest in the tables,
    `ring_start` the oldest one that is answered from memory, `figures` what the writer has measured of itself."""

    pid: int
    started_at: float
    head: int
    projected: int
    jobs_in_memory: int
    batches: int
    ring_start: int
    figures: WriterFigures


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchJob:
    """A job of a claimed batch: what it was submitted with (`submission` is the submission's JSON), and what is behind it.

    `last_content` is the content that the document's last completed job had, if the same work would be done to it now.
    """

    job_id: str
    tenant_id: str
    correlation_id: str
    source: str
    doc_key: str
    doc_id: str
    pipeline: str
    pipeline_version: str
    offline: bool
    again: bool
    priority: int
    segment: int
    lane: str
    half: int
    content: str | None
    submission: Mapping[str, Any]
    submitted_at: float
    attempt: int
    execution: int
    outputs: Mapping[str, str]
    done: tuple[str, ...]
    fields: Mapping[str, FieldValue]
    last_content: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedBatch:
    """A batch as its engine gets it: the jobs, and the stages that are to run."""

    batch_id: str
    pipeline: str
    pipeline_version: str
    half: int
    segment: int
    lane: str
    lease_s: float
    stages: tuple[str, ...]
    jobs: tuple[BatchJob, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseState:
    """Whether a batch is still its engine's, and which of its jobs were cancelled."""

    owned: bool
    cancelled: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRow:
    """Jobs whose gates opened and that one run is to take on."""

    release_id: str
    pipeline: str
    pipeline_version: str
    half: int
    segment: int
    jobs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsFile:
    """A file of archived events: its path within the snapshot, and the numbers of its first and last event."""

    file: str
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotMade:
    """A copy of all events up to `head`, and of the tables as of event `fold`."""

    path: str
    made_at: float
    head: int
    fold: int
    events: tuple[EventsFile, ...]


KEPT_EVENTS = 50_000
"""Events that pruning leaves in the ledger unless told otherwise: as many as repeated commands are answered from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneReport:
    """What pruning did: how many events were moved, after which event they stay, how far each view is; `fold` is the copy of
    the tables that was made first, None when nothing was moved."""

    pruned: int
    low: int
    head: int
    views: Mapping[str, int]
    fold: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveDropped:
    """How many files of the archive were removed, and after which event it begins since."""

    files: int
    low: int


def read(answer: Any, kind: type[T]) -> T:
    """The answer as it came over the socket, as a record of `kind`. Raises AnswerUnreadable."""
    try:
        return msgspec.convert(answer, kind)
    except msgspec.ValidationError as error:
        raise AnswerUnreadable(detail=f"{kind}: {error}") from None


def to_json(answer: Any) -> Any:
    """The JSON of an answer, or of a part of one: objects, lists, text, numbers."""
    match answer:
        case Evidence():
            return to_json(evidence_to_json(answer))
        case Enum():
            return answer.value
        case list() | tuple():
            return [to_json(each) for each in answer]
        case Mapping():
            return {name: to_json(value) for name, value in answer.items()}
        case _ if is_dataclass(answer):
            return {field.name: to_json(getattr(answer, field.name)) for field in fields(answer)}
        case _:
            return answer
