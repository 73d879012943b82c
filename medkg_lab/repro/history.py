"""What the log says happened: the batches to run again, and the recorded run that others are compared with. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from medkg_lab.repro.runs import RECORDED, Run, Step, Transition

PDF_FIELD = "pdf_ir_ready"
_ENDS = {
    "job.completed": "completed",
    "job.failed": "failed",
    "job.dead": "dead",
    "job.cancelled": "cancelled",
    "gate.waiting": "waiting_gate",
    "job.requeued": "queued",
}
_BREAKERS = {"breaker.opened": "open", "breaker.half_open": "half_open", "breaker.closed": "closed"}
_PDF_FACTS = ("missing_pages", "pages", "tool", "tool_version")

Event = Mapping[str, Any]


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
    evidence: Mapping[str, Any]
    failed: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Requeued:
    """Jobs that were to run again, or to go on behind a gate."""

    jobs: tuple[str, ...]


Action = Batch | PdfRead | Requeued


@dataclass
class History:
    """The incident in order: `actions` are what there is to run again; `run` is what came of it then."""

    specs: dict[str, dict[str, Any]] = field(default_factory=dict)
    actions: list[Action] = field(default_factory=list)
    run: Run = field(default_factory=lambda: Run(RECORDED))
    fields: list[tuple[float, str, str, Any]] = field(default_factory=list)
    unchanged: dict[str, str] = field(default_factory=dict)
    circuits: list[Event] = field(default_factory=list)
    start: float = 0.0
    end: float = 0.0

    def steps_of(self, job: str) -> list[Step]:
        """The recorded steps of a job, in order."""
        return [step for step in self.run.steps if step.job == job]


def read(events: Sequence[Event]) -> History:
    """Read the events of some jobs, in order."""
    reader = _Reader()
    for event in events:
        reader.take(event)
    history = reader.history
    if events:
        history.start, history.end = events[0]["ts"], events[-1]["ts"]
        history.run.virtual_seconds = history.end - history.start
    return history


class _Reader:
    def __init__(self) -> None:
        self.history = History()
        self._batches: dict[str, Batch] = {}
        self._gates: dict[str, str] = {}
        self._tries: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        self._times: Counter[tuple[str, str]] = Counter()

    def take(self, event: Event) -> None:
        """Take in one event."""
        kind, data = event["type"], event["data"]
        if state := _ENDS.get(kind):
            for job in event["jobs"]:
                self.history.run.states[job] = state
        match kind:
            case "job.submitted":
                self._submitted(data["specs"])
            case "job.imported":
                self._submitted([entry["spec"] for entry in data["entries"]])
            case "job.claimed":
                self._claimed(event)
            case "batch.expired" if event["batch"] in self._batches:
                self._batches[event["batch"]].lost = True
            case "stage.started":
                self._batches[event["batch"]].began[event["stage"]] = float(data["t0"])
            case "stage.retrying":
                for job in event["jobs"]:
                    tried = {"attempt": data["attempt"], "kind": data["kind"], "reason": data["reason"]}
                    self._tries[job, event["stage"]].append(tried)
            case "stage.completed" | "stage.failed" | "stage.skipped":
                self._stage_ended(event)
            case "gate.waiting":
                self._gates |= dict.fromkeys(event["jobs"], event["stage"])
            case "field.set":
                self._field_set(event)
            case "gate.opened":
                self._gate_opened(event["jobs"])
            case "gate.failed":
                self._gate_failed(event)
            case "job.completed":
                self._completed(event)
            case "job.requeued":
                self.history.actions.append(Requeued(tuple(event["jobs"])))
            case "breaker.opened" | "breaker.half_open" | "breaker.closed":
                self.history.circuits.append(event)
                moved = Transition(event["ts"], data["policy"], data["key"], _BREAKERS[kind])
                self.history.run.breakers.append(moved)

    def _submitted(self, specs: Iterable[dict[str, Any]]) -> None:
        for spec in specs:
            self.history.specs[spec["job_id"]] = spec
            self.history.run.states[spec["job_id"]] = "queued"
            self.history.run.versions[f"topology of {spec['pipeline']}"] = spec["pipeline_version"]

    def _claimed(self, event: Event) -> None:
        data = event["data"]
        stamps = {name: data.get(name) for name in ("profile", "profile_version", "policies_version")}
        batch = Batch(
            id=event["batch"],
            ts=event["ts"],
            pipeline=data["pipeline"],
            version=data["pipeline_version"],
            segment=data["segment"],
            stages=list(data["stages"]),
            jobs=list(event["jobs"]),
            attempts=list(data["attempts"]),
            stamps=stamps,
        )
        went_by = {f"topology of {batch.pipeline}": batch.version}
        went_by |= {name.replace("_version", ""): str(stamps[name]) for name in ("policies_version", "profile_version")}
        for job in batch.jobs:
            self.history.run.job_versions[job] = went_by
        self._batches[batch.id] = batch
        self.history.actions.append(batch)

    def _stage_ended(self, event: Event) -> None:
        data = event["data"]
        for place, job in enumerate(event["jobs"]):
            step = self._step(job, event["stage"], event["batch"], data.get("t0", event["ts"]), data.get("t1", 0.0))
            step.status = event["type"].removeprefix("stage.")
            step.tries = self._tries.pop((job, event["stage"]), [])
            if event["type"] == "stage.completed":
                step.kind, step.implementation, step.device = data["kind"], data["implementation"], data["device"]
                step.ref, step.count = data["refs"][place], data["counts"][place]
                step.made_with = dict(data.get("made_with", {}))
            else:
                step.reason = data["reason"]
                step.failure_kind, step.error = data.get("kind"), data.get("error")

    def _step(self, job: str, stage: str, batch: str | None, t0: float, t1: float) -> Step:
        n = self._times[job, stage]
        self._times[job, stage] += 1
        doc_id = self.history.specs.get(job, {}).get("doc_id", job)
        step = Step(job, doc_id, stage, n, batch or "", how="recorded", t0=t0, t1=t1 or t0)
        self.history.run.steps.append(step)
        return step

    def _field_set(self, event: Event) -> None:
        data = event["data"]
        for job in event["jobs"]:
            self.history.fields.append((event["ts"], job, data["field"], data["value"]))
            if data["field"] == PDF_FIELD and data.get("evidence", {}).get("document"):
                evidence = data["evidence"]
                step = self._step(job, self._gates.get(job, PDF_FIELD), None, event["ts"], event["ts"])
                self.history.actions.append(PdfRead(job, step.stage, event["ts"], evidence))
                describe_pdf(step, evidence, bool(data["value"]))

    def _gate_opened(self, jobs: Sequence[str]) -> None:
        """Jobs whose gate was opened by a person or another field go on; where a PDF was read, it says so itself."""
        read = {action.job for action in self.history.actions if isinstance(action, PdfRead)}
        if others := tuple(job for job in jobs if job not in read):
            self.history.actions.append(Requeued(others))

    def _gate_failed(self, event: Event) -> None:
        data = event["data"]
        for job in event["jobs"]:
            step = self._step(job, event["stage"], None, event["ts"], event["ts"])
            step.status, step.failure_kind, step.reason = "failed", data["kind"], data["reason"]
            step.error = str(data["reason"]).partition(":")[0]
            self.history.actions.append(PdfRead(job, event["stage"], event["ts"], data.get("evidence", {}), data))

    def _completed(self, event: Event) -> None:
        data = event["data"]
        if data["unchanged"]:
            self.history.unchanged |= {job: sha for job, sha in zip(event["jobs"], data["content"], strict=True) if sha}


def describe_pdf(step: Step, evidence: Mapping[str, Any], complete: bool) -> None:
    """Say in `step` what came of a PDF."""
    step.status = "completed" if complete else "pages_missing"
    step.kind, step.ref = "document", evidence["document"]
    step.facts = {name: evidence[name] for name in _PDF_FACTS if name in evidence}
