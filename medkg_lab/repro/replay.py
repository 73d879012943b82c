"""Running an incident again: its batches in their order, each stage as the engine runs it, in this process and on virtual time.

Stages are built and called by the engine's own code under the archived policies. What a stage needs of the outside comes from the
recording; a stage on a GPU is not run at all: its recorded outcome stands for it and is marked so. Nothing computes a substitute.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from medkg_lab.artifacts.store import ArtifactMissing, ArtifactStore
from medkg_lab.engine.documents import Document, read
from medkg_lab.engine.errors import failure_kind, reason
from medkg_lab.engine.outside import DocumentOutside, SharedOutside
from medkg_lab.engine.performance import Failed, Kept, keep, perform
from medkg_lab.engine.workshop import Workshop
from medkg_lab.errors import LabError
from medkg_lab.repro import history as past
from medkg_lab.repro.choices import Choices
from medkg_lab.repro.circuits import RunKeeper
from medkg_lab.repro.clock import VirtualClock, VirtualLoops
from medkg_lab.repro.definitions import Definitions
from medkg_lab.repro.history import Batch, History, PdfRead, Requeued
from medkg_lab.repro.incident import WRITER, Incident
from medkg_lab.repro.manifest import PDF_STAND_IN
from medkg_lab.repro.outside import BlockingOutside, RecordedOutside, Recording
from medkg_lab.repro.pdfs import PdfReader
from medkg_lab.repro.runs import Run, Step, Transition
from medkg_lab.repro.stores import RunKnowledge
from medkg_lab.resilience.executor import BreakerRegistry
from medkg_lab.settings import PdfSettings, load
from medkg_lab.stages.contracts import Lane, Outside, StageContext, StageType
from medkg_lab.stages.kinds import KINDS
from medkg_lab.stages.registry import Resources, find
from medkg_lab.topology.models import StageDefinition

FINISHED = frozenset({"completed", "failed", "waiting_gate"})
_STEADY = 0.5
"""What stands for chance in a run: pauses are the same every time."""


@dataclass
class _Job:
    """A job of the run: what is known of it by now."""

    document: Document
    segment: int = 0
    gate: str | None = None
    state: str = "queued"
    times: Counter[str] = field(default_factory=Counter)


class Replay:
    """One run of an incident. `steps` runs it piece by piece; `run` is what came of it so far."""

    def __init__(
        self,
        incident: Incident,
        choices: Choices,
        name: str,
        before: Callable[[str, list[str]], None] = lambda stage, jobs: None,
    ) -> None:
        """`before` is called with each stage and the jobs that it is about to run for."""
        self.incident = incident
        self._before = before
        self.choices = choices
        self.history: History = past.read(incident.events)
        self.run = Run(name, choices=choices.told())
        self.clock = VirtualClock(self.history.start)
        self.definitions = Definitions(incident, choices)
        self._recorded = self.history.run.by_key()
        self._jobs = {job_id: self._job(spec) for job_id, spec in self.history.specs.items()}
        self._types: dict[str, StageType] = {}
        self._circuits = list(self.history.circuits) if choices.as_recorded else []

    def steps(self) -> Iterator[Step]:
        """Run everything, giving each step as it ends."""
        began = time.monotonic()
        with ExitStack() as stack:
            self._open(stack)
            for action in self.history.actions:
                yield from self._act(action)
            yield from self._onwards()
            self._store.commit()
        self.run.states = {job_id: job.state for job_id, job in self._jobs.items()}
        self.run.assumed = self._recording.assumed
        self.run.unrecorded = [str(error) for error in self._recording.unrecorded]
        self.run.virtual_seconds = self.clock.now() - self.history.start
        self.run.seconds = time.monotonic() - began

    def _act(self, action: past.Action) -> Iterator[Step]:
        match action:
            case Batch():
                yield from self._batch(action)
            case PdfRead():
                yield from self._pdf(action)
            case Requeued():
                for job in action.jobs:
                    self._jobs[job].state = "queued"

    def whole(self) -> Run:
        """Run everything."""
        for _ in self.steps():
            pass
        return self.run

    def stage_type(self, stage: str) -> StageType:
        """The type of a stage that has run or is about to."""
        return self._types[stage]

    def value(self, job: str, kind: str) -> Any:
        """What the job has of `kind` by now, `submission` included; None when it has none."""
        document = self._jobs[job].document
        if kind == "submission":
            return document.submission
        return document.value(kind, self._store.get) if document.has(kind) else None

    def put(self, job: str, kind: str, value: Any) -> None:
        """Let the job have `value` of `kind` from here on, whatever its stages made."""
        sha256 = self._store.stage(KINDS[kind].encode(value))
        self._jobs[job].document.keep(kind, value, sha256)

    def _job(self, spec: Mapping[str, Any]) -> _Job:
        known: dict[str, Any] = {"attempt": 0, "last_content": None, "fields": {}, "outputs": {}}
        return _Job(read({**known, **spec}), segment=spec["segment"])

    def _open(self, stack: ExitStack) -> None:
        incident = self.incident
        self._store = ArtifactStore(incident.locations.data / "artifacts", writer=WRITER)
        stack.callback(self._store.close)
        self._recording = Recording(self.clock, self._store.get, self.choices.beyond)
        self._recording.load(incident.exchanges)
        settings = load(incident.locations)
        self._live = SharedOutside(settings.sources, None)
        stack.callback(self._live.close)
        resources = Resources(
            cache=incident.locations.cache,
            knowledge=stack.enter_context(RunKnowledge()),
            vocabularies=incident.locations.data / "vocabularies",
            source_settings=incident.settings.get("sources", {}),
        )
        self._workshop = Workshop(resources)
        pdf = PdfSettings.model_validate(incident.settings.get("pdf", {}))
        self._pdfs = {
            False: PdfReader(pdf, self._store, self._recording, self.clock),
            True: PdfReader(settings.pdf, self._store, self._recording, self.clock),
        }
        for reader in self._pdfs.values():
            stack.callback(reader.close)
        self._pdfs[False].ahead(self._pdf_contents())
        self._keeper = RunKeeper(self.clock.now, self._moved)
        self._registry = BreakerRegistry(
            clock=self.clock.now, keeper=self._keeper, owner=WRITER, now=self.clock.now, chance=lambda: _STEADY
        )
        self._loops = VirtualLoops(self.clock)
        stack.callback(self._loops.close)

    def _pdf_contents(self) -> list[str]:
        """The PDFs that this run will come to."""
        reads = [action for action in self.history.actions if isinstance(action, PdfRead)]
        if self.choices.start is not None or self.choices.until is not None:
            return []
        named = [read.evidence.get("source") or self.history.specs[read.job]["content"] for read in reads]
        return [sha256 for sha256 in dict.fromkeys(named) if sha256 and self._has_pdf(sha256)]

    def _moved(self, policy: str, key: str, state: str) -> None:
        self.run.breakers.append(Transition(self.clock.now(), policy, key, state))

    def _batch(self, batch: Batch) -> Iterator[Step]:
        jobs = [self._jobs[job] for job in batch.jobs if self._jobs[job].state not in FINISHED]
        for job, attempt in zip(batch.jobs, batch.attempts, strict=True):
            self._jobs[job].document.attempt = attempt
            self._jobs[job].segment = batch.segment
        if not jobs:
            return
        topology = self.definitions.topology(batch)
        offline = jobs[0].document.offline
        self.run.versions[f"topology of {batch.pipeline}"] = self.definitions.version(batch)
        for name in self.definitions.stages(batch, offline):
            present = [job for job in jobs if job.state not in FINISHED and self._due(job, name, batch)]
            if present and self._within(name, topology):
                self.clock.at_least(batch.began.get(name, batch.ts))
                yield from self._stage(topology.stage(name), present, batch)
        if not batch.lost:
            self._leave(batch, jobs)

    def _due(self, job: _Job, stage: str, batch: Batch) -> bool:
        """Whether the stage ran for the job in this batch: not so where the batch was lost, or the job did not come to an end."""
        ended = self.history.run.states[job.document.job_id] in FINISHED
        if ended and not batch.lost:
            return True
        recorded = self._recorded.get((job.document.job_id, stage, job.times[stage]))
        return recorded is not None and recorded.batch == batch.id

    def _within(self, stage: str, topology: Any) -> bool:
        return self.choices.until is None or self.definitions.rank(topology, stage) <= self.definitions.rank(
            topology, self.choices.until
        )

    def _stage(self, stage: StageDefinition, jobs: Sequence[_Job], batch: Batch) -> Iterator[Step]:
        self._types[stage.name] = stage.type
        self._before(stage.name, [job.document.job_id for job in jobs])
        made = {job.document.job_id: self._step(job, stage.name, batch.id) for job in jobs}
        met = [job for job in jobs if self._meets(job, stage)]
        for job in jobs:
            if job not in met:
                made[job.document.job_id].status, made[job.document.job_id].reason = "skipped", "condition"
        answered = [job for job in met if self._from_recording(stage, made[job.document.job_id], batch)]
        self._perform(stage, [job for job in met if job not in answered], made, batch)
        for job in jobs:
            step = made[job.document.job_id]
            step.t1 = self.clock.now()
            self._note(job, step, stage, batch)
            yield step

    def _step(self, job: _Job, stage: str, batch: str) -> Step:
        document = job.document
        step = Step(document.job_id, document.doc_id, stage, job.times[stage], batch, t0=self.clock.now())
        job.times[stage] += 1
        self.run.steps.append(step)
        return step

    def _meets(self, job: _Job, stage: StageDefinition) -> bool:
        if stage.condition is None:
            return True
        fields = {
            name: value
            for ts, owner, name, value in self.history.fields
            if owner == job.document.job_id and ts <= self.clock.now()
        }
        value, wanted = fields.get(stage.condition.ledger_field), stage.condition.equals
        return type(value) is type(wanted) and bool(value == wanted)

    def _from_recording(self, stage: StageDefinition, step: Step, batch: Batch) -> bool:
        """Answer from the recording what does not run here; whether that was so."""
        topology = self.definitions.topology(batch)
        start = self.choices.start
        before = start is not None and self.definitions.rank(topology, stage.name) < self.definitions.rank(
            topology, start
        )
        known = self._recorded.get(step.key)
        if stage.name in self.choices.live and not before:
            return False
        elsewhere = before or self._needs_gpu(stage, batch) or self._reads_file(stage, step)
        if not elsewhere or known is None:
            return False
        copied = replace(known, t0=step.t0)
        for name in ("status", "kind", "ref", "count", "implementation", "device", "made_with", "facts", "tries"):
            setattr(step, name, getattr(copied, name))
        step.error, step.failure_kind, step.reason, step.how = known.error, known.failure_kind, known.reason, "recorded"
        if known.ref and known.kind:
            self._jobs[step.job].document.outputs[known.kind] = known.ref
            self._jobs[step.job].document.values.pop(known.kind, None)
        return True

    def _needs_gpu(self, stage: StageDefinition, batch: Batch) -> bool:
        choice = self.definitions.choice(stage, batch, None)
        implementation = find(choice.implementation)
        return bool(implementation.needs(implementation.parse_options(choice.with_)))

    def _reads_file(self, stage: StageDefinition, step: Step) -> bool:
        content = self._jobs[step.job].document.submission.content
        return stage.type is StageType.INGEST and content is not None and content.uri is not None

    def _perform(self, stage: StageDefinition, jobs: Sequence[_Job], made: Mapping[str, Step], batch: Batch) -> None:
        if not jobs:
            return
        documents = [job.document for job in jobs]
        recorded = self._recorded.get(made[documents[0].job_id].key)
        chosen = self.definitions.choice(stage, batch, recorded)
        try:
            definition = stage.model_copy(update={"implementation": chosen.implementation, "with_": chosen.with_})
            built = self._workshop.stage(definition, self.definitions.profile(batch))
            policy = self.definitions.policies(batch).get(stage.policy)
        except LabError as error:
            for document in documents:
                _fail(made[document.job_id], error)
            return
        for event in self._circuits:
            if event["ts"] <= self.clock.now() and event["data"]["policy"] == policy.name:
                self._keeper.remember(event)
        self._circuits = [event for event in self._circuits if event["ts"] > self.clock.now()]
        isolated = built.implementation.lane is Lane.NETWORK and not documents[0].offline

        def context(definition: StageDefinition, document: Document) -> StageContext:
            limit = float(policy.timeout_seconds) if isolated else None
            return self._context(definition, document, batch, limit)

        def retrying(places: Sequence[int], attempt: int, delay: float, error: BaseException) -> None:
            for place in places:
                tried = {"attempt": attempt, "kind": failure_kind(error), "reason": reason(error)}
                made[documents[place].job_id].tries.append(tried)

        outcomes = perform(stage, built, policy, documents, self._store, context, retrying, self._registry, self._loops)
        kept, failed = keep(stage.type, documents, outcomes, self._store)
        for each in kept:
            self._kept(made[each.document.job_id], each, built.implementation.device, stage)
            made[each.document.job_id].implementation = built.implementation.name
            made[each.document.job_id].made_with = dict(getattr(built.stage, "made_with", {}))
        for one in failed:
            _fail(made[one.document.job_id], _shown(one))

    def _kept(self, step: Step, kept: Kept, device: str, stage: StageDefinition) -> None:
        step.kind, step.ref, step.count = kept.kind.name, kept.sha256, kept.kind.count(kept.value)
        step.device, step.how = device, "live" if stage.name in self.choices.live else "ran"

    def _context(self, stage: StageDefinition, document: Document, batch: Batch, limit: float | None) -> StageContext:
        outside: Outside = RecordedOutside(self._recording, document.job_id, stage.name, limit)
        if stage.name in self.choices.live:
            outside = BlockingOutside(DocumentOutside(self._live, document.job_id, stage.name, document.attempt))
        return StageContext(
            tenant_id=document.tenant_id,
            job_id=document.job_id,
            doc_id=document.doc_id,
            correlation_id=document.correlation_id,
            pipeline=batch.pipeline,
            pipeline_version=batch.version,
            batch_id=batch.id,
            stage=stage.name,
            attempt=document.attempt,
            now=self.clock.now,
            content=self._store.get,
            store=self._store.stage,
            outside=outside,
            metadata=document.submission.metadata,
        )

    def _note(self, job: _Job, step: Step, stage: StageDefinition, batch: Batch) -> None:
        """Say how the job goes on after a step: not at all once it failed, stands for many, or is found unchanged."""
        if step.status == "failed":
            job.state = "failed"
        elif step.kind == "submissions":
            job.state = "completed"
        elif step.kind == "payload" and self.definitions.gives_payload_last(batch, stage.name):
            unchanged = self.history.unchanged.get(step.job)
            if unchanged is not None and job.document.value("payload", self._store.get).sha256 == unchanged:
                job.state = "completed"
                for name in self.definitions.stages_after(batch, job.document.offline, stage.name):
                    skipped = self._step(job, name, batch.id)
                    skipped.status, skipped.reason = "skipped", "unchanged"

    def _leave(self, batch: Batch, jobs: Sequence[_Job]) -> None:
        """After the last stage of a segment a job is done, waits at a gate, or goes on in the next one."""
        for job in jobs:
            if job.state in FINISHED:
                continue
            here = self.definitions.segment(batch, job.document.offline)
            if here is None or self.definitions.is_last(batch, job.document.offline):
                job.state = "completed"
            elif here.gate is not None:
                job.state, job.gate = "waiting_gate", here.gate
            job.segment = batch.segment + 1

    def _pdf(self, action: PdfRead) -> Iterator[Step]:
        job = self._jobs[action.job]
        if job.state != "waiting_gate":
            return
        self.clock.at_least(action.ts)
        step = self._step(job, job.gate or action.gate, "")
        self._read_pdf(job, step)
        step.t1 = self.clock.now()
        if step.status == "failed":
            job.state = "failed"
        elif step.status == "completed" or self._was_opened(action.job):
            job.state = "queued"
        yield step

    def _was_opened(self, job_id: str) -> bool:
        return any(
            event["type"] == "gate.opened" and job_id in event["jobs"] and event["data"].get("how") == "manual"
            for event in self.incident.events
        )

    def _read_pdf(self, job: _Job, step: Step) -> None:
        live = step.stage in self.choices.live
        payload = job.document.value("payload", self._store.get)
        known = self._recorded.get(step.key)
        reader = self._pdfs[live]
        if live or (reader.can_read(step) and self._has_pdf(payload.sha256)):
            reader.read(step, payload, live)
        elif known is not None:
            for name in ("status", "kind", "ref", "facts", "error", "failure_kind", "reason", "tries"):
                setattr(step, name, getattr(known, name))
            step.how = "recorded"
        if step.ref:
            job.document.outputs["document"] = step.ref
            job.document.values.pop("document", None)

    def _has_pdf(self, sha256: str) -> bool:
        try:
            return not self._store.get(sha256).startswith(PDF_STAND_IN)
        except ArtifactMissing:
            return False

    def _onwards(self) -> Iterator[Step]:
        """Go on with jobs that came further than they did in the incident, as far as they need nobody."""
        batches = [action for action in self.history.actions if isinstance(action, Batch)]
        for job_id, job in self._jobs.items():
            batch = next((one for one in reversed(batches) if job_id in one.jobs), None)
            if batch is None or self.choices.as_recorded:
                continue
            offline = job.document.offline
            while job.state == "queued" and not self.definitions.is_beyond(batch, offline, job.segment):
                following = replace(batch, segment=job.segment, stages=[], jobs=[job_id], attempts=[1], began={})
                yield from self._batch(replace(following, lost=False))


def _fail(step: Step, error: Exception) -> None:
    step.status, step.error = "failed", type(error).__name__
    step.failure_kind, step.reason = failure_kind(error), reason(error)


def _shown(failed: Failed) -> Exception:
    return failed.error
