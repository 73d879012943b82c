"""What the ledger's events add to the counters and histograms: pure.

All is counted in whole numbers, durations in microseconds, so that the same events give the same counts in whichever portions
they come.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from medkg_lab.ledger.state import FINISHED
from medkg_lab.metrics import names
from medkg_lab.metrics.names import Metric
from medkg_lab.models.events import (
    BatchExpired,
    BreakerOpened,
    Event,
    GateFailed,
    GateOpened,
    GateRejected,
    GateWaiting,
    JobCancelled,
    JobClaimed,
    JobCompleted,
    JobDead,
    JobFailed,
    JobImported,
    JobRequeued,
    JobSubmitted,
    StageCompleted,
    StageFailed,
    StageRetrying,
    StageSkipped,
)

SUM = "sum"
"""The part of a histogram that adds up what was observed, in microseconds."""
_MICRO = 1_000_000
_LAB, _PERSON = "lab", "person"

_StageEnded = StageCompleted | StageSkipped | StageFailed | StageRetrying
_JobEnded = JobCompleted | JobFailed | JobDead | JobCancelled
_GateDecided = GateOpened | GateRejected | GateFailed


class Series(NamedTuple):
    """One number: a counter, or a part of a histogram (a bucket by its place, or the sum)."""

    metric: str
    labels: tuple[str, ...]
    part: str = ""


@dataclass(slots=True)
class JobNote:
    """What is remembered of an unfinished job: since when it is under way, and at which gate it waits since when."""

    pipeline: str
    since: float
    gate: str | None = None
    waiting: float = 0.0


@dataclass(slots=True)
class Counting:
    """Counts events one after the other.

    `notes` has what is remembered of each job that the events name, None for one that is not under way; `pipeline_of` is asked
    for the pipeline of those. `added` is what came to each number.
    """

    notes: dict[str, JobNote | None]
    pipeline_of: Callable[[str], str]
    added: Counter[Series] = field(default_factory=Counter)

    def add(self, event: Event) -> None:
        """Count one event."""
        data = event.data
        self._count(names.EVENTS, event.type.value)
        match data:
            case JobSubmitted():
                self._begin(((spec.job_id, spec.pipeline) for spec in data.entries), event.ts)
            case JobImported():
                self._begin(((entry.job_id, entry.spec.pipeline) for entry in data.entries), event.ts)
                self.notes |= {entry.job_id: None for entry in data.entries if entry.state in FINISHED}
            case JobClaimed():
                self._count(names.BATCHES_CLAIMED, data.pipeline, data.lane)
            case BatchExpired():
                self._count(names.BATCHES_LOST, data.reason)
            case BreakerOpened():
                self._count(names.BREAKER_OPENINGS, data.policy, data.key)
            case JobRequeued():
                self._requeue(data, event.ts)
            case GateWaiting():
                for job_id in data.jobs:
                    note = self._note(job_id, event.ts)
                    note.gate, note.waiting = data.gate, event.ts
            case StageCompleted() | StageSkipped() | StageFailed() | StageRetrying():
                self._stage(data)
            case GateOpened() | GateRejected() | GateFailed():
                self._decided(data, event.ts)
            case JobCompleted() | JobFailed() | JobDead() | JobCancelled():
                self._end(data, event.ts)

    def _begin(self, jobs: Iterable[tuple[str, str]], ts: float) -> None:
        for job_id, pipeline in jobs:
            self.notes[job_id] = JobNote(pipeline, ts)
            self._count(names.JOBS_SUBMITTED, pipeline)

    def _requeue(self, data: JobRequeued, ts: float) -> None:
        for job_id in data.jobs:
            self.notes[job_id] = JobNote(self._note(job_id, ts).pipeline, ts)
            # Where the lab itself did it, it says for what.
            self._count(names.JOBS_REQUEUED, _LAB if data.own_retries else _PERSON)

    def _stage(self, data: _StageEnded) -> None:
        for place, job_id in enumerate(data.jobs):
            pipeline = self._pipeline(job_id)
            match data:
                case StageRetrying():
                    self._count(names.STAGE_RETRIES, pipeline, data.stage, data.kind)
                case StageFailed():
                    self._count(names.STAGE_EXECUTIONS, pipeline, data.stage, "failed")
                    self._count(names.STAGE_FAILURES, pipeline, data.stage, data.kind)
                case StageSkipped():
                    self._count(names.STAGE_EXECUTIONS, pipeline, data.stage, "skipped")
                case StageCompleted():
                    output = data.entries[place]
                    self._count(names.STAGE_EXECUTIONS, pipeline, data.stage, "completed")
                    self._count(names.STAGE_ITEMS, pipeline, data.stage, by=output.items or 0)
                    if output.ms is not None:
                        self._observe(names.STAGE_DURATION, output.ms / 1000, pipeline, data.stage)

    def _decided(self, data: _GateDecided, ts: float) -> None:
        outcome = data.type.value.partition(".")[2]
        for job_id in data.jobs:
            self._waited(self._note(job_id, ts), outcome, ts)

    def _waited(self, note: JobNote, outcome: str, ts: float) -> None:
        if note.gate is not None:
            self._observe(names.GATE_WAIT, ts - note.waiting, note.pipeline, note.gate, outcome)
            note.gate = None

    def _end(self, data: _JobEnded, ts: float) -> None:
        outcome = data.type.value.partition(".")[2]
        if isinstance(data, JobCompleted) and data.unchanged:
            outcome = "unchanged"
        for job_id in data.jobs:
            note = self._note(job_id, ts)
            self._count(names.JOBS_ENDED, note.pipeline, outcome)
            if isinstance(data, JobFailed):
                self._count(names.JOB_FAILURES, note.pipeline, data.kind)
            if isinstance(data, JobCompleted):
                self._observe(names.JOB_DURATION, ts - note.since, note.pipeline)
            self._waited(note, outcome, ts)
            self.notes[job_id] = None

    def _note(self, job_id: str, ts: float) -> JobNote:
        """What is remembered of a job; of one whose beginning was not seen, that it began at `ts`."""
        note = self.notes.get(job_id)
        if note is None:
            note = self.notes[job_id] = JobNote(self.pipeline_of(job_id), ts)
        return note

    def _pipeline(self, job_id: str) -> str:
        note = self.notes.get(job_id)
        return self.pipeline_of(job_id) if note is None else note.pipeline

    def _count(self, metric: Metric, *labels: str, by: int = 1) -> None:
        self.added[Series(metric.name, labels)] += by

    def _observe(self, metric: Metric, seconds: float, *labels: str) -> None:
        seconds = max(0.0, seconds)
        self.added[Series(metric.name, labels, str(bisect_left(metric.bounds, seconds)))] += 1
        self.added[Series(metric.name, labels, SUM)] += round(seconds * _MICRO)
