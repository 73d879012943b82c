"""A batch's stages in their order: which documents each runs for, what becomes of them, and where they go from here.

The engine and a run of an incident execute batches with this one class. It knows no ledger and no clock: what happens is told to
a `Listener`, and everything else comes through `Ports`.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from medkg_lab.artifacts.store import ArtifactStore
from medkg_lab.engine.batch_items import BatchItem
from medkg_lab.engine.errors import is_full
from medkg_lab.engine.loops import Loops
from medkg_lab.engine.stage_calls import StageOutcome
from medkg_lab.engine.stage_execution import FailedDocument, StoredOutput, run_stage, store_outputs
from medkg_lab.engine.stage_factory import BuiltStage
from medkg_lab.errors import LabError, PartAway
from medkg_lab.resilience.policies import ResiliencePolicyConfig
from medkg_lab.resilience.resilient_call import BreakerRegistry
from medkg_lab.stages.contracts import HttpClient, StageContext
from medkg_lab.stages.kinds import OUTPUT_KIND
from medkg_lab.topology.graph import Segment, order, segments
from medkg_lab.topology.models import StageDefinition, Topology

SUBMISSIONS = "submissions"
PAYLOAD = "payload"
CONDITION, UNCHANGED = "condition", "unchanged"
"""Why a stage is skipped."""


@dataclass(frozen=True)
class Pipeline:
    """A topology version as batches go by it: the segments of jobs whose bytes are known, and of the others.

    `payload_from` is the last stage that gives a payload, the one that is parsed.
    """

    topology: Topology
    offline: tuple[Segment, ...]
    online: tuple[Segment, ...]
    payload_from: str | None

    @classmethod
    def of(cls, topology: Topology) -> "Pipeline":
        """The pipeline of a topology."""
        stages = [topology.stage(name) for name in reversed(order(topology))]
        payload_from = next((one.name for one in stages if not one.is_gate and OUTPUT_KIND[one.type] == PAYLOAD), None)
        return cls(topology, segments(topology, True), segments(topology, False), payload_from)

    def segments(self, offline: bool) -> tuple[Segment, ...]:
        """The segments of a job."""
        return self.offline if offline else self.online


class Chosen(NamedTuple):
    """What a stage is called with."""

    built: BuiltStage
    policy: ResiliencePolicyConfig


@dataclass(frozen=True)
class Batch:
    """A batch as it is executed: the `stages` of its segment in order."""

    id: str
    pipeline: str
    version: str
    segment: int
    stages: tuple[str, ...]


class Listener(Protocol):
    """Who is told what becomes of a batch's documents."""

    def stage_started(self, stage: str, documents: Sequence[BatchItem], t0: float) -> None: ...
    def stage_skipped(self, stage: str, documents: Sequence[BatchItem], why: str) -> None: ...
    def stage_retrying(
        self, stage: str, documents: Sequence[BatchItem], attempt: int, delay: float, error: BaseException
    ) -> None: ...
    def stage_failed(self, stage: str, failed: FailedDocument, t0: float) -> None: ...
    def stage_completed(self, stage: str, built: BuiltStage, kept: Sequence[StoredOutput], t0: float) -> None: ...
    def jobs_completed(self, documents: Sequence[BatchItem], unchanged: bool) -> None: ...
    def jobs_advanced(self, documents: Sequence[BatchItem], following: Segment) -> None: ...
    def gate_waiting(self, documents: Sequence[BatchItem], gate: StageDefinition, following: Segment) -> None: ...


class Ports(Protocol):
    """What an executor needs of the world around it: time, artifacts, the outside, and how stages are chosen and called."""

    artifacts: ArtifactStore
    circuits: BreakerRegistry
    loops: Loops

    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    def http(self, stage: str, document: BatchItem) -> HttpClient:
        """The outside of one document in one stage."""
        ...

    def choose(self, stage: StageDefinition, documents: Sequence[BatchItem]) -> Chosen:
        """What the stage is called with. Raises LabError, which ends its documents."""
        ...

    def answered(
        self, stage: StageDefinition, documents: Sequence[BatchItem]
    ) -> tuple[list[BatchItem], list[StoredOutput]]:
        """The documents that the stage is to be called for, and outputs of others that are there without it."""
        ...

    def turn(self, stage: str, built: BuiltStage, documents: int) -> AbstractContextManager[None]:
        """Around the stage's calls: wait until they may be made."""
        ...

    def document_begins(self, job_id: str | None) -> None:
        """The stage is called for this job alone, or for one of several that are under way."""
        ...

    def called(self, built: BuiltStage, outcomes: Sequence[StageOutcome]) -> None:
        """All calls are made. What this raises ends the batch."""
        ...


class BatchExecutor:
    """Executes one batch for its `documents`: `step` for each stage in turn, then `finish`."""

    def __init__(
        self, batch: Batch, pipeline: Pipeline, documents: Sequence[BatchItem], ports: Ports, listener: Listener
    ) -> None:
        self.batch = batch
        self._pipeline = pipeline
        self._ports = ports
        self._listener = listener
        self.documents = list(documents)
        self.left = list(batch.stages)

    def present(self) -> list[BatchItem]:
        """The documents that are still in the batch."""
        return [document for document in self.documents if not document.gone]

    def step(self, name: str) -> PartAway | None:
        """Run the stage called `name` for the documents that are still in the batch.

        Returns the error of another process of the lab that is away: its documents are still in the batch, which cannot go on.
        Raises OSError when the machine is full, and what the ports raise.
        """
        self.left.remove(name)
        stage = self._pipeline.topology.stage(name)
        documents, given = self._ports.answered(stage, self._conditional(stage))
        away = self._run(stage, documents) if documents else None
        self._leave_early(stage, given)
        return away

    def _conditional(self, stage: StageDefinition) -> list[BatchItem]:
        """The documents for which the stage's condition holds; the others skip it."""
        documents = self.present()
        met = [document for document in documents if meets(stage, document)]
        if len(met) < len(documents):
            unmet = [document for document in documents if document not in met]
            self._listener.stage_skipped(stage.name, unmet, CONDITION)
        return met

    def _run(self, stage: StageDefinition, documents: Sequence[BatchItem]) -> PartAway | None:
        t0 = self._ports.now()
        self._listener.stage_started(stage.name, documents, t0)
        try:
            chosen = self._ports.choose(stage, documents)
        except LabError as error:
            self._fail([FailedDocument(document, error) for document in documents], stage.name, t0)
            return None
        outcomes = self._call(stage, chosen, documents)
        kept, failed = store_outputs(stage.type, documents, outcomes, self._ports.artifacts)
        if full := next((each.error for each in failed if is_full(each.error)), None):
            raise full
        away = next((each.error for each in failed if isinstance(each.error, PartAway)), None)
        self._fail([each for each in failed if not isinstance(each.error, PartAway)], stage.name, t0)
        if kept:
            self._listener.stage_completed(stage.name, chosen.built, kept, t0)
        self._leave_early(stage, kept)
        return away

    def _call(self, stage: StageDefinition, chosen: Chosen, documents: Sequence[BatchItem]) -> list[StageOutcome]:
        def retrying(places: Sequence[int], attempt: int, delay: float, error: BaseException) -> None:
            self._listener.stage_retrying(stage.name, [documents[n] for n in places], attempt, delay, error)

        ports = self._ports
        with ports.turn(stage.name, chosen.built, len(documents)):
            outcomes = run_stage(
                stage,
                chosen.built,
                chosen.policy,
                documents,
                ports.artifacts,
                self._context,
                retrying,
                ports.circuits,
                ports.loops,
                ports.document_begins,
            )
        ports.called(chosen.built, outcomes)
        return outcomes

    def _context(self, stage: StageDefinition, document: BatchItem) -> StageContext:
        return StageContext(
            tenant_id=document.tenant_id,
            job_id=document.job_id,
            doc_id=document.doc_id,
            correlation_id=document.correlation_id,
            pipeline=self.batch.pipeline,
            pipeline_version=self.batch.version,
            batch_id=self.batch.id,
            stage=stage.name,
            attempt=document.attempt,
            now=self._ports.now,
            content=self._ports.artifacts.get,
            store=self._ports.artifacts.stage,
            http=self._ports.http(stage.name, document),
            metadata=document.submission.metadata,
        )

    def _fail(self, failed: Sequence[FailedDocument], stage: str, t0: float) -> None:
        for each in failed:
            each.document.gone = True
            self._listener.stage_failed(stage, each, t0)

    def _leave_early(self, stage: StageDefinition, kept: Sequence[StoredOutput]) -> None:
        """Complete the jobs that need no further stage: those that stand for many documents, and unchanged ones."""
        self._completed([each.document for each in kept if each.kind.name == SUBMISSIONS], unchanged=False)
        if stage.name == self._pipeline.payload_from:
            same = [each.document for each in kept if _is_unchanged(each)]
            for name in self.left if same else ():
                self._listener.stage_skipped(name, same, UNCHANGED)
            self._completed(same, unchanged=True)

    def _completed(self, documents: Sequence[BatchItem], unchanged: bool) -> None:
        if documents:
            self._listener.jobs_completed(documents, unchanged)
            for document in documents:
                document.gone = True

    def finish(self) -> None:
        """Say where the documents that are still in the batch go from here."""
        documents = self.present()
        if not documents:
            return
        known = self._pipeline.segments(documents[0].offline)
        here, following = (known[n] if n < len(known) else None for n in (self.batch.segment, self.batch.segment + 1))
        if here is None or following is None:
            self._completed(documents, unchanged=False)
        elif here.gate is None:
            self._listener.jobs_advanced(documents, following)
        else:
            self._listener.gate_waiting(documents, self._pipeline.topology.stage(here.gate), following)


def meets(stage: StageDefinition, document: BatchItem) -> bool:
    """Whether the stage's condition holds for a document, where it has one."""
    condition = stage.condition
    return condition is None or _is(document.fields.get(condition.ledger_field), condition.equals)


def _is_unchanged(kept: StoredOutput) -> bool:
    document = kept.document
    same = kept.kind.name == PAYLOAD and kept.value.sha256 == document.last_content
    return same and not document.again


def _is(value: Any, wanted: Any) -> bool:
    """Whether a field has exactly the wanted value; True and 1 are not the same."""
    return type(value) is type(wanted) and bool(value == wanted)
