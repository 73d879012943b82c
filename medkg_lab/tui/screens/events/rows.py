"""Ledger events as rows of the stream: one per document and transition, made safe and cut where it is decoded. Pure."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from medkg_lab.models.events import (
    ActNoted,
    BatchExpired,
    BreakerClosed,
    BreakerHalfOpen,
    BreakerOpened,
    DefinitionRegistered,
    DocumentDeleted,
    Event,
    EventData,
    FieldSet,
    GateFailed,
    GateOpened,
    GateRejected,
    GateWaiting,
    JobCancelled,
    JobClaimed,
    JobCompleted,
    JobDead,
    JobFailed,
    JobRequeued,
    JobSubmitted,
    StageCompleted,
    StageFailed,
    StageRetrying,
    StageSkipped,
)
from medkg_lab.text import one_line
from medkg_lab.tui import glyphs
from medkg_lab.tui.glyphs import State

NOTE_LENGTH = 240
JOBS_REMEMBERED = 20_000
"""So many jobs' documents are remembered; the ledger is asked for those of older ones."""

SUBMITTED = State("○", "submitted", "muted", "o")
RETRIED = State("○", "retried", "text", "o")
GATE_FAILED = State("✗", "gate failed", "bad", "x")
FIELD_SET = State("✓", "field set", "muted", "v")
DELETED = State("✗", "deleted", "muted", "x")
REGISTERED = State("✓", "new version", "accent", "v")
HALF_OPEN = State("◐", "half-open", "warn", "~")
TRIPPED = State("▲", "breaker open", "warn", "!")
CLOSED = State("●", "breaker ok", "ok", "*")
GONE = State("▲", "ledger gone", "warn", "!")
BACK = State("●", "ledger back", "ok", "*")

STATES: Mapping[str, State] = {
    "definition.registered": REGISTERED,
    "job.submitted": SUBMITTED,
    "batch.expired": glyphs.LOST,
    "stage.started": glyphs.STARTED,
    "stage.completed": glyphs.COMPLETED,
    "stage.skipped": glyphs.SKIPPED,
    "stage.retrying": glyphs.RETRYING,
    "stage.failed": glyphs.FAILED,
    "gate.waiting": glyphs.AT_GATE,
    "gate.opened": glyphs.OPEN,
    "gate.rejected": glyphs.REJECTED,
    "gate.failed": GATE_FAILED,
    "gate.released": glyphs.RELEASED,
    "job.completed": glyphs.DONE,
    "job.failed": glyphs.FAILED,
    "job.dead": glyphs.DEAD,
    "job.cancelled": glyphs.CANCELLED,
    "job.requeued": RETRIED,
    "field.set": FIELD_SET,
    "document.deleted": DELETED,
    "breaker.opened": TRIPPED,
    "breaker.half_open": HALF_OPEN,
    "breaker.closed": CLOSED,
}
"""How each type is shown; claims, launches and advances are bookkeeping between stages and have no row."""
LOUD = frozenset({"stage.failed", "job.failed", "job.dead", "gate.failed", "batch.expired", "breaker.opened"})
"""The types that `[` and `]` stop at."""


class EventRow(msgspec.Struct, frozen=True, gc=False):
    """A line of the stream. `seq` is the ledger's number (0 for the screen's own remarks), `ts` seconds since the epoch.

    Rows hold nothing that could refer to them, and are not looked at by Python's collector: with the 100,000 that are kept
    each of its full runs stopped the screen for 60 to 250 ms.
    """

    seq: int
    ts: float
    type: str
    stage: str = ""
    document: str = ""
    job: str = ""
    attempt: int = 0
    ms: float | None = None
    note: str = ""

    @property
    def state(self) -> State:
        """Its glyph and word."""
        return STATES.get(self.type) or (GONE if self.type == "ledger.gone" else BACK)


class Decoder:
    """Makes rows of events, and remembers which document each job is about: only some events say so."""

    def __init__(self) -> None:
        self._documents: OrderedDict[str, str] = OrderedDict()

    def rows(self, events: Sequence[Event]) -> list[EventRow]:
        """The rows of these events, in order."""
        return [row for event in events for row in self._of(event)]

    def learn(self, documents: Mapping[str, str]) -> None:
        """Remember which documents these jobs are about."""
        self._remember(list(documents), list(documents.values()))

    def document(self, job_id: str) -> str:
        """The document of a job, as far as an event has told it."""
        return self._documents.get(job_id, "")

    def _of(self, event: Event) -> Iterator[EventRow]:
        kind, jobs, data = event.type.value, event.jobs, event.data
        if isinstance(data, JobSubmitted | JobClaimed):
            self._remember(jobs, [entry.doc_id for entry in data.entries])
        if kind not in STATES:
            return
        seq, stage = event.seq, one_line(event.stage or "", 64)
        ts, note = event.happened_at, _note(data)
        whole = (data.t1 - data.t0) * 1000 if isinstance(data, StageFailed) else None
        attempt = data.attempt if isinstance(data, StageRetrying | StageFailed) else 0
        outputs = data.entries if isinstance(data, StageCompleted) else ()
        for place, job in enumerate(jobs):
            output = outputs[place] if outputs else None
            said = f"{output.items} made" if output is not None and output.items is not None else note
            took = whole if output is None else output.ms
            yield EventRow(seq, ts, kind, stage, self.document(job), one_line(job, 64), attempt, took, said)
        if not jobs:
            yield EventRow(seq, ts, kind, stage, note=note)

    def _remember(self, jobs: Sequence[str], documents: Sequence[str]) -> None:
        for job, document in zip(jobs, documents, strict=True):
            self._documents[job] = one_line(document, 120)
            self._documents.move_to_end(job)
        while len(self._documents) > JOBS_REMEMBERED:
            self._documents.popitem(last=False)


def _note(data: EventData) -> str:
    """What happened beyond stage and state, in a few words."""
    match data:
        case StageFailed() | JobFailed() | GateFailed():
            text = f"{data.kind}: {data.reason}"
        case StageRetrying():
            text = f"{data.reason}, again in {data.delay_s:.1f} s"
        case StageSkipped() | JobDead():
            text = data.reason
        case BatchExpired():
            text = f"{data.worker} lost it ({data.reason}); queued again"
        case GateWaiting():
            text = f"waits for {data.condition.ledger_field}"
        case GateOpened():
            text = f"{data.how} by {data.by}{': ' + data.why if data.why else ''}"
        case GateRejected() | JobCancelled() | DocumentDeleted():
            text = f"by {data.by}: {data.why}"
        case JobRequeued():
            text = f"by {data.by} from {data.from_stage}"
        case JobCompleted():
            text = "unchanged" if data.unchanged else ""
        case FieldSet():
            value = str(data.value).lower() if isinstance(data.value, bool) else data.value
            text = f"{data.field} = {value} by {data.by}"
        case DefinitionRegistered():
            text = f"{data.kind} {data.name} {data.version}"
        case ActNoted():
            text = f"{data.action}: {data.subject}{' by ' + data.by if data.by else ''}"
        case BreakerOpened() | BreakerHalfOpen() | BreakerClosed():
            text = f"{data.policy} {data.key}"
        case _:
            text = ""
    return one_line(text, NOTE_LENGTH) if text else ""
