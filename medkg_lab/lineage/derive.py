"""What the ledger's events tell of runs: pure. One run is a stage of a document, within the run of its job; or it is a batch.

Waiting at a gate is a run as well: what comes out of it is the document that was made of the job's PDF.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from medkg_lab.ledger.state import FINISHED
from medkg_lab.lineage.notes import BatchNote, JobNote, Notes
from medkg_lab.lineage.runs import Dataset, RunLabel, RunReport, Transition
from medkg_lab.models.events import (
    BatchExpired,
    Event,
    FieldSet,
    GateFailed,
    GateOpened,
    GateRejected,
    GateWaiting,
    JobAdvanced,
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
    StageSkipped,
    StageStarted,
)
from medkg_lab.models.job import JobSpec

_Ended = JobCompleted | JobFailed | JobDead | JobCancelled
_GATE_INPUTS = ("payload",)
_LOST = "surrendered"
"""The reason of a batch that was handed back in order."""


class Granularity(StrEnum):
    """What is one run."""

    DOCUMENT = "document"
    BATCH = "batch"


@dataclass(frozen=True, slots=True)
class Known:
    """What is looked up in the ledger: the kinds that a stage of a pipeline's version takes, and the note of a job that had ended
    when it was queued again, with what the stages that stay done have made."""

    inputs: Callable[[str, str, str], tuple[str, ...]]
    recall: Callable[[str, Sequence[str]], JobNote | None]


class Derivation:
    """Tells of events one after the other; `notes` has what is remembered of each job and batch that they name."""

    def __init__(self, notes: Notes, known: Known, granularity: Granularity) -> None:
        self.notes = notes
        self._known = known
        self._by_batch = granularity is Granularity.BATCH

    def reports(self, event: Event) -> Iterator[RunReport]:
        """What `event` tells, in order."""
        data, ts = event.data, event.ts
        match data:
            case JobSubmitted():
                self._begin(data.entries, event.seq)
            case JobImported():
                self._begin((one.spec for one in data.entries if one.state not in FINISHED), event.seq)
            case JobRequeued():
                yield from self._requeued(data, event)
            case JobClaimed():
                yield from self._claimed(data, ts)
            case BatchExpired():
                yield from self._expired(data, ts)
            case StageStarted():
                for note in self._jobs(data.jobs):
                    yield from self._open_stage(note, data.stage, data.t0)
            case StageCompleted():
                yield from self._completed(data)
            case StageSkipped():
                for note in self._jobs(data.jobs):
                    yield from self._close_stage(note, Transition.COMPLETE, data.t0)
            case StageFailed():
                for note in self._jobs(data.jobs):
                    yield from self._open_stage(note, data.stage, data.t0)
                    yield from self._close_stage(note, Transition.FAIL, data.t1, error=data.reason)
            case FieldSet():
                for note in self._jobs(data.jobs):
                    note.document = data.evidence.document or note.document
            case GateOpened() | GateRejected() | GateFailed():
                yield from self._decided(data, ts)
            case JobAdvanced():
                yield from self._leave(data.jobs, ts)
            case GateWaiting():
                yield from self._leave(data.jobs, ts)
                for note in self._jobs(data.jobs):
                    note.gate = data.gate
                    yield self._of_gate(note, Transition.START, ts)
            case JobCompleted() | JobFailed() | JobDead() | JobCancelled():
                yield from self._ended(data, ts)

    def _jobs(self, job_ids: Iterable[str]) -> Iterator[JobNote]:
        return (note for job_id in job_ids if (note := self.notes.jobs.get(job_id)) is not None)

    def _begin(self, specs: Iterable[JobSpec], seq: int) -> None:
        for spec in specs:
            self.notes.jobs[spec.job_id] = JobNote(
                spec.job_id, spec.doc_id, spec.tenant_id, spec.pipeline, spec.pipeline_version, seq
            )

    def _requeued(self, data: JobRequeued, event: Event) -> Iterator[RunReport]:
        for job_id in data.jobs:
            note = self.notes.jobs.get(job_id) or self._known.recall(job_id, data.keep)
            if note is None:
                continue
            yield from self._close(note, Transition.ABORT, event.ts)
            kept = {stage: made for stage, made in note.done.items() if stage in data.keep}
            self.notes.jobs[job_id] = JobNote(
                note.job_id, note.doc_id, note.tenant_id, note.pipeline, note.version, event.seq, done=kept
            )

    def _claimed(self, data: JobClaimed, ts: float) -> Iterator[RunReport]:
        if self._by_batch:
            tags = {"worker": data.worker, "lane": data.lane, "pipeline_version": data.pipeline_version}
            batch = BatchNote(data.batch, f"{data.pipeline}.batch", tags, list(data.jobs))
            self.notes.batches[data.batch] = batch
            yield RunReport(batch.label(), Transition.START, ts, tags=tags)
        for entry in data.entries:
            for note in self._jobs((entry.job_id,)):
                note.batch, note.execution = data.batch, entry.execution
                if not note.started:
                    note.started = True
                    yield from self._of_job(note, Transition.START, ts)

    def _completed(self, data: StageCompleted) -> Iterator[RunReport]:
        inputs: dict[Dataset, None] = {}
        outputs: dict[Dataset, None] = {}
        for output in data.entries:
            for note in self._jobs((output.job_id,)):
                taken = self._inputs(note, data.stage)
                made = () if output.ref is None else (Dataset(data.kind, output.ref, output.items),)
                yield from self._open_stage(note, data.stage, data.t0)
                yield from self._close_stage(note, Transition.COMPLETE, data.t1, made)
                if output.ref is not None:
                    note.done[data.stage] = (data.kind, output.ref)
                inputs |= dict.fromkeys(taken)
                outputs |= dict.fromkeys(made)
        batch = self.notes.batches.get(data.batch or "")
        if batch is not None and (inputs or outputs):
            yield RunReport(batch.label(), Transition.RUNNING, data.t1, tuple(inputs), tuple(outputs), batch.tags)

    def _expired(self, data: BatchExpired, ts: float) -> Iterator[RunReport]:
        for note in self._jobs(data.jobs):
            yield from self._close_stage(note, Transition.ABORT, ts)
            note.batch = None
        batch = self.notes.batches.get(data.batch)
        if batch is not None:
            self.notes.batches[data.batch] = None
            lost = data.reason != _LOST
            error = f"the batch was lost: {data.reason}" if lost else None
            yield RunReport(
                batch.label(), Transition.FAIL if lost else Transition.ABORT, ts, tags=batch.tags, error=error
            )

    def _decided(self, data: GateOpened | GateRejected | GateFailed, ts: float) -> Iterator[RunReport]:
        for note in self._jobs(data.jobs):
            if note.gate is None:
                continue
            match data:
                case GateOpened():
                    made = () if note.document is None else (Dataset("document", note.document),)
                    yield self._of_gate(note, Transition.COMPLETE, ts, made)
                    if note.document is not None:
                        note.done[data.gate] = ("document", note.document)
                case GateRejected():
                    yield self._of_gate(note, Transition.ABORT, ts)
                case GateFailed():
                    yield self._of_gate(note, Transition.FAIL, ts, error=data.reason)
            note.gate = None

    def _leave(self, job_ids: Iterable[str], ts: float) -> Iterator[RunReport]:
        """The jobs are in no batch any more; the last one ends its run."""
        for note in self._jobs(job_ids):
            batch = self.notes.batches.get(note.batch or "")
            note.batch = None
            if batch is None or note.job_id not in batch.left:
                continue
            batch.left.remove(note.job_id)
            if not batch.left:
                self.notes.batches[batch.batch] = None
                yield RunReport(batch.label(), Transition.COMPLETE, ts, tags=batch.tags)

    def _ended(self, data: _Ended, ts: float) -> Iterator[RunReport]:
        match data:
            case JobCompleted():
                transition, error = Transition.COMPLETE, None
            case JobCancelled():
                transition, error = Transition.ABORT, None
            case JobFailed() | JobDead():
                transition, error = Transition.FAIL, data.reason
        for note in list(self._jobs(data.jobs)):
            yield from self._close(note, transition, ts, error)
            self.notes.jobs[note.job_id] = None

    def _close(self, note: JobNote, transition: Transition, ts: float, error: str | None = None) -> Iterator[RunReport]:
        """End every run of the job that is still open."""
        yield from self._close_stage(note, Transition.ABORT, ts)
        if note.gate is not None:
            yield self._of_gate(note, Transition.ABORT, ts)
            note.gate = None
        yield from self._leave((note.job_id,), ts)
        if note.started:
            yield from self._of_job(note, transition, ts, error)

    def _of_job(
        self, note: JobNote, transition: Transition, ts: float, error: str | None = None
    ) -> Iterator[RunReport]:
        if not self._by_batch:
            yield RunReport(note.label(), transition, ts, tags=note.tags(), error=error)

    def _open_stage(self, note: JobNote, stage: str, at: float) -> Iterator[RunReport]:
        if note.stage == stage:
            return
        note.stage = stage
        if not self._by_batch:
            yield self._of_stage(note, stage, Transition.START, at)

    def _close_stage(
        self, note: JobNote, transition: Transition, at: float, made: tuple[Dataset, ...] = (), error: str | None = None
    ) -> Iterator[RunReport]:
        stage, note.stage = note.stage, None
        if stage is not None and not self._by_batch:
            yield self._of_stage(note, stage, transition, at, made, error)

    def _of_stage(
        self,
        note: JobNote,
        stage: str,
        transition: Transition,
        at: float,
        made: tuple[Dataset, ...] = (),
        error: str | None = None,
    ) -> RunReport:
        run, inputs = note.of_stage(stage), self._inputs(note, stage)
        return RunReport(run, transition, at, inputs, made, note.tags(), self._parent(note), error)

    def _of_gate(
        self, note: JobNote, transition: Transition, at: float, made: tuple[Dataset, ...] = (), error: str | None = None
    ) -> RunReport:
        run, inputs = note.of_stage(note.gate or ""), note.inputs(_GATE_INPUTS)
        return RunReport(run, transition, at, inputs, made, note.tags(), self._parent(note), error)

    def _parent(self, note: JobNote) -> RunLabel | None:
        return None if self._by_batch else note.label()

    def _inputs(self, note: JobNote, stage: str) -> tuple[Dataset, ...]:
        return note.inputs(self._known.inputs(note.pipeline, note.version, stage))
