"""Running an incident again: its batches in their order, each stage as the engine runs it, in this process and on virtual time.

Stages are built and called by the engine's own code under the archived policies. What a stage needs of the outside comes from the
recording; a stage on a GPU, or with a model that is not here, is not run at all: its recorded outcome stands for it and is marked
so. Nothing computes a substitute.
"""

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from medkg_lab.artifacts.store import ArtifactMissing, ArtifactStore
from medkg_lab.engine import batch_executor as executed
from medkg_lab.engine.batch_executor import CONDITION, PAYLOAD, BatchExecutor, Chosen, Pipeline
from medkg_lab.engine.batch_items import BatchItem, of_spec
from medkg_lab.engine.errors import failure_kind, reason
from medkg_lab.engine.http_recording import RecordingHttpClient, SharedHttpClient
from medkg_lab.engine.loops import Loops
from medkg_lab.engine.stage_calls import StageOutcome
from medkg_lab.engine.stage_execution import FailedDocument, StoredOutput
from medkg_lab.engine.stage_factory import BuiltStage, StageFactory
from medkg_lab.errors import LabError
from medkg_lab.knowledge.encoders import Encoders
from medkg_lab.knowledge.service import Knowledge
from medkg_lab.models.events import GateOpened
from medkg_lab.models.job import JobSpec
from medkg_lab.models.stored import Stored
from medkg_lab.repro import history as past
from medkg_lab.repro.circuits import ReplayStateStore
from medkg_lab.repro.definitions import Definitions
from medkg_lab.repro.history import Batch, History, PdfRead, Requeued
from medkg_lab.repro.incident import WRITER, Incident
from medkg_lab.repro.manifest import PDF_STAND_IN
from medkg_lab.repro.overrides import ReplayOverrides
from medkg_lab.repro.pdfs import PdfReader
from medkg_lab.repro.recorded_http import BlockingHttpClient, RecordedHttpClient, Recording
from medkg_lab.repro.runs import Run, Step, Transition
from medkg_lab.repro.virtual_time import VirtualClock, VirtualLoops
from medkg_lab.resilience.resilient_call import BreakerRegistry
from medkg_lab.settings import PdfSettings, load
from medkg_lab.stages.contracts import HttpClient, Lane, StageType
from medkg_lab.stages.embed import own_models
from medkg_lab.stages.kinds import KINDS
from medkg_lab.stages.registry import Resources, find
from medkg_lab.topology.graph import Segment
from medkg_lab.topology.models import StageDefinition, Topology


# The knowledge store of a run: the real one, in this process and in a folder that goes with the run.
class RunKnowledge:
    """Takes what index and graph stages send, as the knowledge process does; nothing of it is ever published."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="medkg-run-")
        self._knowledge = Knowledge(Path(self._folder.name), Encoders({}), "run")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._knowledge.close()
        self._folder.cleanup()

    def index(self, batch_id: str, documents: Sequence[Mapping[str, object]]) -> list[Stored | LabError]:
        """Stage documents for search."""
        return self._knowledge.stage_text(batch_id, documents)

    def vector_model(self) -> str | None:
        """The model of what this run has stored."""
        return self._knowledge.vector_model()

    def graph(self, batch_id: str, documents: Sequence[Mapping[str, object]]) -> list[Stored | LabError]:
        """Stage documents' parts of the graph."""
        return self._knowledge.stage_graph(batch_id, documents)


FINISHED = frozenset({"completed", "failed", "waiting_gate"})
_STEADY = 0.5
"""What stands for chance in a run: pauses are the same every time."""

_COPIED = (
    *("status", "kind", "ref", "count", "implementation", "device", "made_with", "facts", "tries"),
    *("error", "failure_kind", "reason"),
)
"""What a step that is answered from the recording has of the recorded one."""


@dataclass
class _Job:
    """A job of the run: what is known of it by now."""

    document: BatchItem
    segment: int = 0
    gate: str | None = None
    state: str = "queued"
    times: Counter[str] = field(default_factory=Counter)


class Replay:
    """One run of an incident. `steps` runs it piece by piece; `run` is what came of it so far."""

    def __init__(
        self,
        incident: Incident,
        choices: ReplayOverrides,
        name: str,
        before: Callable[[str, list[str]], None] = lambda stage, jobs: None,
    ) -> None:
        """`before` is called with each stage and the jobs that it is about to run for."""
        self.incident = incident
        self._before = before
        self.choices = choices
        self.history: History = past.read(incident.events)
        self.run = Run(name, choices=choices.to_json())
        self.clock = VirtualClock(self.history.start)
        self.definitions = Definitions(incident, choices)
        self.recorded = self.history.run.by_key()
        self.absent_models = frozenset(one.model for one in incident.models_to_bring())
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
            self.store.commit()
        self.run.states = {job_id: job.state for job_id, job in self._jobs.items()}
        self.run.assumed = self.recording.assumed
        self.run.unrecorded = [str(error) for error in self.recording.unrecorded]
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
        return document.value(kind, self.store.get) if document.has(kind) else None

    def put(self, job: str, kind: str, value: Any) -> None:
        """Let the job have `value` of `kind` from here on, whatever its stages made."""
        sha256 = self.store.stage(KINDS[kind].encode(value))
        self._jobs[job].document.add_output(kind, value, sha256)

    def _job(self, spec: JobSpec) -> _Job:
        found = of_spec(replace(spec, again=False), last_content=self.history.unchanged.get(spec.job_id))
        return _Job(found, segment=spec.segment)

    def _open(self, stack: ExitStack) -> None:
        incident = self.incident
        self.store = ArtifactStore(incident.locations.data / "artifacts", writer=WRITER)
        stack.callback(self.store.close)
        self.recording = Recording(self.clock, self.store.get, self.choices.beyond)
        self.recording.load(incident.exchanges)
        settings = load(incident.locations)
        self.live = SharedHttpClient(settings.sources, None)
        stack.callback(self.live.close)
        resources = Resources(
            cache=incident.locations.cache,
            knowledge=stack.enter_context(RunKnowledge()),
            vocabularies=incident.locations.data / "vocabularies",
            models=incident.locations.data / own_models.FOLDER,
            source_settings=incident.settings.get("sources", {}),
        )
        self.stage_factory = StageFactory(resources)
        pdf = PdfSettings.model_validate(incident.settings.get("pdf", {}))
        self._pdfs = {
            False: PdfReader(pdf, self.store, self.recording, self.clock, self.history.used_ocr),
            True: PdfReader(settings.pdf, self.store, self.recording, self.clock, True),
        }
        for reader in self._pdfs.values():
            stack.callback(reader.close)
        self._pdfs[False].ahead(self._pdf_contents())
        self._state_store = ReplayStateStore(self.clock.now, self._moved)
        self.registry = BreakerRegistry(
            clock=self.clock.now,
            state_store=self._state_store,
            owner=WRITER,
            now=self.clock.now,
            chance=lambda: _STEADY,
        )
        self.loops = VirtualLoops(self.clock)
        stack.callback(self.loops.close)

    def _pdf_contents(self) -> list[str]:
        """The PDFs that this run will come to."""
        reads = [action for action in self.history.actions if isinstance(action, PdfRead)]
        if self.choices.start is not None or self.choices.until is not None:
            return []
        named = [read.evidence.source or self.history.specs[read.job].content for read in reads]
        return [sha256 for sha256 in dict.fromkeys(named) if sha256 and self._has_pdf(sha256)]

    def remember_circuits(self, policy: str) -> None:
        """Let the circuits of `policy` be as other jobs had left them by now."""
        for ts, moved in self._circuits:
            if ts <= self.clock.now() and moved.policy == policy:
                self._state_store.remember(ts, moved)
        self._circuits = [one for one in self._circuits if one[0] > self.clock.now()]

    def _moved(self, policy: str, key: str, state: str) -> None:
        self.run.breakers.append(Transition(self.clock.now(), policy, key, state))

    def _batch(self, batch: Batch) -> Iterator[Step]:
        jobs = [self._jobs[job] for job in batch.jobs if self._jobs[job].state not in FINISHED]
        for job_id, attempt in zip(batch.jobs, batch.attempts, strict=True):
            self._jobs[job_id].document.attempt = attempt
            self._jobs[job_id].segment = batch.segment
        if not jobs:
            return
        for job in jobs:
            job.document.gone = False
            job.document.fields = self._fields(job, batch.ts)
        topology = self.definitions.topology(batch)
        stages = self.definitions.stages(batch, jobs[0].document.offline)
        self.run.versions[f"topology of {batch.pipeline}"] = self.definitions.version(batch)
        ports = _RunPorts(self, batch)
        claimed = executed.Batch(batch.id, batch.pipeline, batch.version, batch.segment, tuple(stages))
        executor = BatchExecutor(claimed, Pipeline.of(topology), [job.document for job in jobs], ports, ports)
        for name in stages:
            for document in executor.present():
                document.gone = not self._is_due(document.job_id, name, batch)
            if executor.present() and self._is_within(name, topology):
                self.clock.at_least(batch.began.get(name, batch.ts))
                yield from self._stage(topology.stage(name), executor, ports)
        if not batch.lost:
            executor.finish()

    def _fields(self, job: _Job, moment: float) -> Mapping[str, object]:
        """The job's fields as they were when its batch was claimed."""
        owner = job.document.job_id
        return {name: value for ts, of, name, value in self.history.fields if of == owner and ts <= moment}

    def _is_due(self, job_id: str, stage: str, batch: Batch) -> bool:
        """Whether the stage ran for the job in this batch: not so where the batch was lost, or the job did not come to an end."""
        ended = self.history.run.states[job_id] in FINISHED
        if ended and not batch.lost:
            return True
        recorded = self.recorded.get((job_id, stage, self._jobs[job_id].times[stage]))
        return recorded is not None and recorded.batch == batch.id

    def _is_within(self, stage: str, topology: Topology) -> bool:
        rank, until = self.definitions.rank, self.choices.until
        return until is None or rank(topology, stage) <= rank(topology, until)

    def _stage(self, stage: StageDefinition, executor: BatchExecutor, ports: "_RunPorts") -> Iterator[Step]:
        self._types[stage.name] = stage.type
        jobs = [document.job_id for document in executor.present()]
        self._before(stage.name, jobs)
        ports.steps = {job: self.step(job, stage.name, executor.batch.id) for job in jobs}
        away = executor.step(stage.name)
        if away is not None:
            raise away
        for step in ports.steps.values():
            step.t1 = self.clock.now()
            yield step

    def step(self, job_id: str, stage: str, batch: str) -> Step:
        """A new step of the run: the stage for the job, once more."""
        job = self._jobs[job_id]
        step = Step(job_id, job.document.doc_id, stage, job.times[stage], batch, t0=self.clock.now())
        job.times[stage] += 1
        self.run.steps.append(step)
        return step

    def set_positions(
        self, documents: Sequence[BatchItem], state: str, segment: int = 0, gate: str | None = None
    ) -> None:
        """Take down how jobs stand now, and where they go on."""
        for document in documents:
            job = self._jobs[document.job_id]
            job.state, job.gate = state, gate
            job.segment = segment or job.segment

    def _pdf(self, action: PdfRead) -> Iterator[Step]:
        job = self._jobs[action.job]
        if job.state != "waiting_gate":
            return
        self.clock.at_least(action.ts)
        step = self.step(action.job, job.gate or action.gate, "")
        self._read_pdf(job, step)
        step.t1 = self.clock.now()
        if step.status == "failed":
            job.state = "failed"
        elif step.status == "completed" or self._was_opened(action.job):
            job.state = "queued"
        yield step

    def _was_opened(self, job_id: str) -> bool:
        opened = (event.data for event in self.incident.events if isinstance(event.data, GateOpened))
        return any(data.how == "manual" and job_id in data.jobs for data in opened)

    def _read_pdf(self, job: _Job, step: Step) -> None:
        live = step.stage in self.choices.live
        payload = job.document.value("payload", self.store.get)
        known = self.recorded.get(step.key)
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
            return not self.store.get(sha256).startswith(PDF_STAND_IN)
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
                yield from self._batch(replace(following, lost=False, ts=self.clock.now()))


class _RunPorts:
    """`Ports` and `Listener` of one batch. `steps` are those of the stage that runs, by job."""

    def __init__(self, run: Replay, batch: Batch) -> None:
        self._run = run
        self._batch = batch
        self._limit: float | None = None
        self.artifacts, self.circuits = run.store, run.registry
        self.loops: Loops = run.loops
        self.now = run.clock.now
        self.steps: dict[str, Step] = {}

    def http(self, stage: str, document: BatchItem) -> HttpClient:
        """The recording, or the real outside where that was chosen."""
        if stage in self._run.choices.live:
            return BlockingHttpClient(RecordingHttpClient(self._run.live, document.job_id, stage, document.attempt))
        return RecordedHttpClient(self._run.recording, document.job_id, stage, self._limit)

    def choose(self, stage: StageDefinition, documents: Sequence[BatchItem]) -> Chosen:
        """The archived definitions' stage, or what was chosen instead. Raises LabError."""
        recorded = self._run.recorded.get(self.steps[documents[0].job_id].key)
        chosen = self._run.definitions.choice(stage, self._batch, recorded)
        definition = stage.model_copy(update={"implementation": chosen.implementation, "with_": chosen.with_})
        built = self._run.stage_factory.stage(definition, self._run.definitions.profile(self._batch))
        policy = self._run.definitions.policies(self._batch).get(stage.policy)
        self._run.remember_circuits(policy.name)
        timed = built.implementation.lane is Lane.NETWORK and not documents[0].offline
        self._limit = float(policy.timeout_seconds) if timed else None
        return Chosen(built, policy)

    def answered(
        self, stage: StageDefinition, documents: Sequence[BatchItem]
    ) -> tuple[list[BatchItem], list[StoredOutput]]:
        """The documents that the stage runs for, and the recorded outputs of those that it does not run for here."""
        left, kept = [], []
        for document in documents:
            step = self.steps[document.job_id]
            known = self._run.recorded.get(step.key)
            if known is None or not self._is_elsewhere(stage, document):
                left.append(document)
                continue
            for name in _COPIED:
                setattr(step, name, getattr(known, name))
            step.how = "recorded"
            if step.status == "failed":
                self._leave([document], "failed")
            elif known.ref and known.kind:
                kept.append(self._recorded_output(document, known.kind, known.ref))
        return left, kept

    def _recorded_output(self, document: BatchItem, kind: str, ref: str) -> StoredOutput:
        document.outputs[kind] = ref
        document.values.pop(kind, None)
        value = document.value(kind, self.artifacts.get) if kind == PAYLOAD else None
        return StoredOutput(document, value, KINDS[kind], ref, 0.0)

    def _is_elsewhere(self, stage: StageDefinition, document: BatchItem) -> bool:
        """Whether the stage does not run here for the document: before the chosen start, on a GPU, or reading a file."""
        topology, start = self._run.definitions.topology(self._batch), self._run.choices.start
        rank = self._run.definitions.rank
        if start is not None and rank(topology, stage.name) < rank(topology, start):
            return True
        if stage.name in self._run.choices.live:
            return False
        return (
            self._needs_gpu(stage)
            or self._lacks_model(stage, document)
            or (stage.type is StageType.INGEST and _is_file(document))
        )

    def _lacks_model(self, stage: StageDefinition, document: BatchItem) -> bool:
        """Whether the stage would embed with a model that was not brought along."""
        recorded = self._run.recorded.get(self.steps[document.job_id].key)
        if recorded is None or recorded.made_with.get("model") not in self._run.absent_models:
            return False
        return self._run.definitions.choice(stage, self._batch, recorded).implementation == recorded.implementation

    def _needs_gpu(self, stage: StageDefinition) -> bool:
        choice = self._run.definitions.choice(stage, self._batch, None)
        implementation = find(choice.implementation)
        return bool(implementation.needs(implementation.parse_options(choice.with_)))

    def turn(self, stage: str, built: BuiltStage, documents: int) -> AbstractContextManager[None]:
        """Nothing is waited for."""
        return nullcontext()

    def document_begins(self, job_id: str | None) -> None:
        """Nobody watches over a run."""

    def called(self, built: BuiltStage, outcomes: Sequence[StageOutcome]) -> None:
        """Nothing is measured."""

    def stage_started(self, stage: str, documents: Sequence[BatchItem], t0: float) -> None:
        """The steps are there already."""

    def stage_skipped(self, stage: str, documents: Sequence[BatchItem], why: str) -> None:
        """Note it in the stage's steps, or in those of a stage that would have come later."""
        for document in documents:
            job = document.job_id
            step = self.steps[job] if why == CONDITION else self._run.step(job, stage, self._batch.id)
            step.status, step.reason = "skipped", why

    def stage_retrying(
        self, stage: str, documents: Sequence[BatchItem], attempt: int, delay: float, error: BaseException
    ) -> None:
        """Note a failed attempt."""
        for document in documents:
            tried = {"attempt": attempt, "kind": failure_kind(error), "reason": reason(error)}
            self.steps[document.job_id].tries.append(tried)

    def stage_failed(self, stage: str, failed: FailedDocument, t0: float) -> None:
        """Note what went wrong."""
        step, error = self.steps[failed.document.job_id], failed.error
        step.status, step.error = "failed", type(error).__name__
        step.failure_kind, step.reason = failure_kind(error), reason(error)
        self._leave([failed.document], "failed")

    def stage_completed(self, stage: str, built: BuiltStage, kept: Sequence[StoredOutput], t0: float) -> None:
        """Note what the stage gave."""
        for each in kept:
            step = self.steps[each.document.job_id]
            step.kind, step.ref, step.count = each.kind.name, each.sha256, each.kind.count(each.value)
            step.implementation, step.device = built.implementation.name, built.implementation.device
            step.made_with = dict(getattr(built.stage, "made_with", {}))
            step.how = "live" if stage in self._run.choices.live else "ran"

    def jobs_completed(self, documents: Sequence[BatchItem], unchanged: bool) -> None:
        """The jobs are done."""
        self._leave(documents, "completed")

    def jobs_advanced(self, documents: Sequence[BatchItem], following: Segment) -> None:
        """The jobs go on."""
        self._run.set_positions(documents, "queued", following.index)

    def gate_waiting(self, documents: Sequence[BatchItem], gate: StageDefinition, following: Segment) -> None:
        """The jobs wait at a gate."""
        self._run.set_positions(documents, "waiting_gate", following.index, gate.name)

    def _leave(self, documents: Sequence[BatchItem], state: str) -> None:
        for document in documents:
            document.gone = True
        self._run.set_positions(documents, state)


def _is_file(document: BatchItem) -> bool:
    content = document.submission.content
    return content is not None and content.uri is not None
