"""A batch of a run: the executor's way to what was recorded, and what it tells as the run's steps."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from medkg_lab.engine.batch_executor import CONDITION, PAYLOAD, Chosen
from medkg_lab.engine.batch_items import BatchItem
from medkg_lab.engine.errors import failure_kind, reason
from medkg_lab.engine.http_recording import RecordingHttpClient
from medkg_lab.engine.loops import Loops
from medkg_lab.engine.stage_calls import StageOutcome
from medkg_lab.engine.stage_execution import FailedDocument, StoredOutput
from medkg_lab.engine.stage_factory import BuiltStage
from medkg_lab.repro.history import Batch
from medkg_lab.repro.recorded_http import BlockingHttpClient, RecordedHttpClient
from medkg_lab.repro.runs import Step
from medkg_lab.stages.contracts import HttpClient, Lane, StageType
from medkg_lab.stages.kinds import KINDS
from medkg_lab.stages.registry import find
from medkg_lab.topology.graph import Segment
from medkg_lab.topology.models import StageDefinition

if TYPE_CHECKING:
    from medkg_lab.repro.replay import Replay

_COPIED = (
    *("status", "kind", "ref", "count", "implementation", "device", "made_with", "facts", "tries"),
    *("error", "failure_kind", "reason"),
)
"""What a step that is answered from the recording has of the recorded one."""


class RunPorts:
    """`Ports` and `Listener` of one batch. `steps` are those of the stage that runs, by job."""

    def __init__(self, run: "Replay", batch: Batch) -> None:
        self._run = run
        self._batch = batch
        self._limit: float | None = None
        self.artifacts, self.circuits = run.store, run.registry
        self.loops: Loops = run.loops
        self.now = run.clock.now
        self.steps: dict[str, Step] = {}

    def outside(self, stage: str, document: BatchItem) -> HttpClient:
        """The recording, or the real outside where that was chosen."""
        if stage in self._run.choices.live:
            return BlockingHttpClient(RecordingHttpClient(self._run.live, document.job_id, stage, document.attempt))
        return RecordedHttpClient(self._run.recording, document.job_id, stage, self._limit)

    def choose(self, stage: StageDefinition, documents: Sequence[BatchItem]) -> Chosen:
        """The archived definitions' stage, or what was chosen instead. Raises LabError."""
        recorded = self._run.recorded.get(self.steps[documents[0].job_id].key)
        chosen = self._run.definitions.choice(stage, self._batch, recorded)
        definition = stage.model_copy(update={"implementation": chosen.implementation, "with_": chosen.with_})
        built = self._run.workshop.stage(definition, self._run.definitions.profile(self._batch))
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
        return self._needs_gpu(stage) or (stage.type is StageType.INGEST and _is_file(document))

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
        self._run.settle(documents, "queued", following.index)

    def gate_waiting(self, documents: Sequence[BatchItem], gate: StageDefinition, following: Segment) -> None:
        """The jobs wait at a gate."""
        self._run.settle(documents, "waiting_gate", following.index, gate.name)

    def _leave(self, documents: Sequence[BatchItem], state: str) -> None:
        for document in documents:
            document.gone = True
        self._run.settle(documents, state)


def _is_file(document: BatchItem) -> bool:
    content = document.submission.content
    return content is not None and content.uri is not None
