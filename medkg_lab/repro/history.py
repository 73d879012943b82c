"""What the log says happened: the batches to run again, and the recorded run that others are compared with. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from medkg_lab.models.event_codec import evidence_to_json
from medkg_lab.models.events import (
    PDF_IR_READY,
    BatchExpired,
    BreakerClosed,
    BreakerEvent,
    BreakerHalfOpen,
    BreakerOpened,
    Event,
    Evidence,
    FieldSet,
    FieldValue,
    GateFailed,
    GateOpened,
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
    StageStarted,
)
from medkg_lab.models.job import JobSpec
from medkg_lab.pdf import scans
from medkg_lab.repro.runs import RECORDED, Run, Step, Transition

_ENDS: Mapping[type, str] = {
    JobCompleted: "completed",
    JobFailed: "failed",
    JobDead: "dead",
    JobCancelled: "cancelled",
    GateWaiting: "waiting_gate",
    JobRequeued: "queued",
}
_BREAKERS: Mapping[type, str] = {BreakerOpened: "open", BreakerHalfOpen: "half_open", BreakerClosed: "closed"}
_PDF_FACTS = ("missing_pages", "pages", "tool", "tool_version")


@dataclass
class Batch:
    """Jobs that an engine took together; `began` are the moments at which stages started, by name."""

    id: str
    ts: float
    pipeline: str
    version: str
    segment: int
    stages: list[str]
    jobs: list[str]
    attempts: list[int]
    stamps: dict[str, str | None]
    lost: bool = False
    began: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class PdfRead:
    """A PDF that was read, or not, for a job at a gate."""

    job: str
    gate: str
    ts: float
    evidence: Evidence
    failed: GateFailed | None = None


@dataclass(frozen=True)
class Requeued:
    """Jobs that were to run again, or to go on behind a gate."""

    jobs: tuple[str, ...]


Action = Batch | PdfRead | Requeued


@dataclass
class History:
    """The incident in order: `actions` are what there is to run again; `run` is what came of it then."""

    specs: dict[str, JobSpec] = field(default_factory=dict)
    actions: list[Action] = field(default_factory=list)
    run: Run = field(default_factory=lambda: Run(RECORDED))
    fields: list[tuple[float, str, str, FieldValue]] = field(default_factory=list)
    unchanged: dict[str, str] = field(default_factory=dict)
    circuits: list[tuple[float, BreakerEvent]] = field(default_factory=list)
    start: float = 0.0
    end: float = 0.0

    @property
    def used_ocr(self) -> bool:
        """Whether scanned pages were read by OCR."""
        return any(isinstance(one, PdfRead) and scans.was_read(one.evidence.tool_version) for one in self.actions)


def read(events: Sequence[Event]) -> History:
    """Read the events of some jobs, in order."""
    reader = _Reader()
    for event in events:
        reader.apply(event)
    history = reader.history
    if events:
        history.start, history.end = events[0].ts, events[-1].ts
        history.run.virtual_seconds = history.end - history.start
    return history


class _Reader:
    def __init__(self) -> None:
        self.history = History()
        self._batches: dict[str, Batch] = {}
        self._gates: dict[str, str] = {}
        self._tries: dict[tuple[str, str], list[dict[str, object]]] = defaultdict(list)
        self._times: Counter[tuple[str, str]] = Counter()

    def apply(self, event: Event) -> None:
        """Take in one event."""
        data = event.data
        if state := _ENDS.get(type(data)):
            for job in event.jobs:
                self.history.run.states[job] = state
        match data:
            case JobSubmitted(entries=specs):
                self._submitted(specs)
            case JobImported(entries=entries):
                self._submitted([entry.spec for entry in entries])
            case JobClaimed():
                self._claimed(event.ts, data)
            case BatchExpired(batch=batch) if batch in self._batches:
                self._batches[batch].lost = True
            case StageStarted():
                self._batches[data.batch or ""].began[data.stage] = data.t0
            case StageRetrying():
                for job in data.jobs:
                    tried = {"attempt": data.attempt, "kind": data.kind, "reason": data.reason}
                    self._tries[job, data.stage].append(tried)
            case StageCompleted():
                self._completed_stage(data)
            case StageFailed() | StageSkipped():
                self._ended_otherwise(data)
            case GateWaiting():
                self._gates |= dict.fromkeys(data.jobs, data.gate)
            case FieldSet():
                self._field_set(event.ts, data)
            case GateOpened(jobs=jobs):
                self._gate_opened(jobs)
            case GateFailed():
                self._gate_failed(event.ts, data)
            case JobCompleted(unchanged=True, entries=completed):
                self.history.unchanged |= {job.job_id: job.content for job in completed if job.content}
            case JobRequeued(jobs=jobs):
                self.history.actions.append(Requeued(jobs))
            case BreakerOpened() | BreakerHalfOpen() | BreakerClosed():
                self.history.circuits.append((event.ts, data))
                moved = Transition(event.ts, data.policy, data.key, _BREAKERS[type(data)])
                self.history.run.breakers.append(moved)

    def _submitted(self, specs: Iterable[JobSpec]) -> None:
        for spec in specs:
            self.history.specs[spec.job_id] = spec
            self.history.run.states[spec.job_id] = "queued"
            self.history.run.versions[f"topology of {spec.pipeline}"] = spec.pipeline_version

    def _claimed(self, ts: float, data: JobClaimed) -> None:
        stamps = {
            "profile": data.profile,
            "profile_version": data.profile_version,
            "policies_version": data.policies_version,
        }
        batch = Batch(
            id=data.batch,
            ts=ts,
            pipeline=data.pipeline,
            version=data.pipeline_version,
            segment=data.segment,
            stages=list(data.stages),
            jobs=list(data.jobs),
            attempts=[job.attempt for job in data.entries],
            stamps=stamps,
        )
        went_by = {
            f"topology of {batch.pipeline}": batch.version,
            "policies": str(data.policies_version),
            "profile": str(data.profile_version),
        }
        for job in batch.jobs:
            self.history.run.job_versions[job] = went_by
        self._batches[batch.id] = batch
        self.history.actions.append(batch)

    def _completed_stage(self, data: StageCompleted) -> None:
        for output in data.entries:
            step = self._step(output.job_id, data.stage, data.batch, data.t0, data.t1)
            step.status = "completed"
            step.tries = self._tries.pop((output.job_id, data.stage), [])
            step.kind, step.implementation, step.device = data.kind, data.implementation, data.device
            step.ref, step.count = output.ref, output.items
            step.made_with = dict(data.made_with)

    def _ended_otherwise(self, data: StageFailed | StageSkipped) -> None:
        for job in data.jobs:
            t1 = data.t1 if isinstance(data, StageFailed) else 0.0
            step = self._step(job, data.stage, data.batch, data.t0, t1)
            step.status = data.type.removeprefix("stage.")
            step.tries = self._tries.pop((job, data.stage), [])
            step.reason = data.reason
            if isinstance(data, StageFailed):
                step.failure_kind, step.error = data.kind, data.error

    def _step(self, job: str, stage: str, batch: str | None, t0: float, t1: float) -> Step:
        n = self._times[job, stage]
        self._times[job, stage] += 1
        spec = self.history.specs.get(job)
        step = Step(job, spec.doc_id if spec else job, stage, n, batch or "", how="recorded", t0=t0, t1=t1 or t0)
        self.history.run.steps.append(step)
        return step

    def _field_set(self, ts: float, data: FieldSet) -> None:
        for job in data.jobs:
            self.history.fields.append((ts, job, data.field, data.value))
            if data.field == PDF_IR_READY and data.evidence.document:
                step = self._step(job, self._gates.get(job, PDF_IR_READY), None, ts, ts)
                self.history.actions.append(PdfRead(job, step.stage, ts, data.evidence))
                describe_pdf(step, data.evidence, bool(data.value))

    def _gate_opened(self, jobs: Sequence[str]) -> None:
        """Jobs whose gate was opened by a person or another field go on; where a PDF was read, it says so itself."""
        read = {action.job for action in self.history.actions if isinstance(action, PdfRead)}
        if others := tuple(job for job in jobs if job not in read):
            self.history.actions.append(Requeued(others))

    def _gate_failed(self, ts: float, data: GateFailed) -> None:
        for job in data.jobs:
            step = self._step(job, data.gate, None, ts, ts)
            step.status, step.failure_kind, step.reason = "failed", data.kind, data.reason
            step.error = data.reason.partition(":")[0]
            self.history.actions.append(PdfRead(job, data.gate, ts, data.evidence, data))


def describe_pdf(step: Step, evidence: Evidence, complete: bool) -> None:
    """Say in `step` what came of a PDF."""
    step.status = "completed" if complete else "pages_missing"
    step.kind, step.ref = "document", evidence.document
    told = evidence_to_json(evidence)
    step.facts = {
        name: list(one) if isinstance(one := told[name], tuple) else one for name in _PDF_FACTS if name in told
    }
