"""Running one batch: each stage for all its documents, each transition to the ledger, each output durable before it is told."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, NoReturn

from pydantic import ValidationError

from medkg_lab.artifacts.store import ArtifactStore
from medkg_lab.engine import transitions
from medkg_lab.engine.calls import Outcome
from medkg_lab.engine.definitions import PAYLOAD, Definitions, Pipeline
from medkg_lab.engine.documents import Document, read
from medkg_lab.engine.errors import BatchLost, BatchSurrendered, is_full
from medkg_lab.engine.lease import Lease
from medkg_lab.engine.loops import EngineLoops
from medkg_lab.engine.outside import DocumentOutside, SharedOutside
from medkg_lab.engine.performance import Failed, Kept, keep, perform
from medkg_lab.engine.sizing import Sizing
from medkg_lab.engine.slot import GpuSlot
from medkg_lab.engine.workshop import BuiltStage, Workshop
from medkg_lab.errors import LabError, PartAway
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.orchestration.drive import Driver
from medkg_lab.resilience.executor import BreakerRegistry
from medkg_lab.resilience.policies import ResiliencePolicyConfig
from medkg_lab.stages.contracts import StageContext
from medkg_lab.topology.models import StageDefinition

logger = logging.getLogger(__name__)

SUBMISSIONS = "submissions"
BACKLOG = 8
"""Jobs in a batch from which on others are thought to wait as well."""
GATHER_SECONDS = 0.1
"""How long what is told of such a batch may wait for more: each sending, commit and look of a reader is shared by more stages."""


@dataclass(frozen=True)
class Bench:
    """What every batch of an engine uses. `hurry` says that the engine should give its batch back at the next stage.

    `loading` names the servers of the profile that are loading now.
    """

    ledger: LedgerClient
    artifacts: ArtifactStore
    definitions: Definitions
    workshop: Workshop
    driver: Driver
    lease: Lease
    sizing: Sizing
    outside: SharedOutside
    hurry: Callable[[], bool]
    circuits: BreakerRegistry
    loops: EngineLoops
    gpu: GpuSlot
    loading: Callable[[], Sequence[str]] = tuple
    now: Callable[[], float] = time.time


class BatchRun:
    """One claimed batch. `used` are the implementations that it used, in order.

    `at_stage` is called when a stage begins, with the seconds that it and that those after it are thought to take; not while some
    of them were never measured.
    """

    def __init__(
        self, bench: Bench, batch: Mapping[str, Any], at_stage: Callable[[float, float], None] = lambda *_: None
    ) -> None:
        self._bench = bench
        self._at_stage = at_stage
        self._batch = batch
        self._id: str = batch["batch_id"]
        self._pipeline: Pipeline = bench.definitions.pipeline(batch["pipeline"], batch["pipeline_version"])
        self._profile, self._policies = bench.definitions.profile, bench.definitions.policies
        self._pending: list[transitions.Transition] = []
        self._left: list[str] = list(batch["stages"])
        stages = map(self._pipeline.topology.stage, self._left)
        self._implementations = {stage.name: self._profile.choice(stage).implementation for stage in stages}
        self._documents = [document for job in batch["jobs"] if (document := self._read(job)) is not None]
        self._refused: LabError | OSError | None = None
        self.used: list[str] = []

    def run(self) -> None:
        """Run the batch's stages and say how each of its jobs goes on; what was said last may still be on its way.

        Raises BatchLost when another engine has the batch, BatchSurrendered after giving it back, and OSError when outputs
        cannot be kept.
        """
        half = self._pipeline.halves[self._batch["half"]]
        self._bench.driver.drive(self._pipeline.jobs[half.name], self._id, list(self._left), self.step)
        self._finish()
        self._flush(urgent=True)

    def step(self, name: str) -> None:
        """Run the stage called `name` for the documents that are still in the batch."""
        self._check()
        self._left.remove(name)
        stage = self._pipeline.topology.stage(name)
        documents = self._conditional(stage)
        if not documents:
            return
        t0 = self._bench.now()
        self._tell(transitions.stage_started(name, _ids(documents), t0))
        self._flush()
        try:
            built, policy = self._bench.workshop.stage(stage, self._profile), self._policies.get(stage.policy)
        except LabError as error:
            self._fail([Failed(document, error) for document in documents], name, t0)
            return
        outcomes = self._perform(stage, built, policy, documents)
        kept, failed = keep(stage.type, documents, outcomes, self._bench.artifacts)
        if full := next((each.error for each in failed if is_full(each.error)), None):
            raise full
        away = next((each.error for each in failed if isinstance(each.error, PartAway)), None)
        first = len(self._pending)
        self._fail([each for each in failed if not isinstance(each.error, PartAway)], name, t0)
        self._complete(kept, name, t0, built)
        exchanges = self._bench.outside.exchanges()
        if exchanges and len(self._pending) > first:
            self._pending[first]["data"]["exchanges"] = exchanges
        self._leave_early(stage, kept)
        if away is not None:
            self._give_back(str(away))

    def _read(self, job: Mapping[str, Any]) -> Document | None:
        try:
            return read(job)
        except ValidationError as error:
            self._tell(transitions.job_failed(job["job_id"], error))
            return None

    def _tell(self, *told: transitions.Transition) -> None:
        self._pending.extend(told)

    def _flush(self, urgent: bool = False) -> None:
        """Send what is pending as one command, without waiting for its answer."""
        if self._pending:
            within_s = GATHER_SECONDS if len(self._documents) >= BACKLOG else 0.0
            self._bench.ledger.emit(self._id, self._pending, urgent=urgent, within_s=within_s)
            self._pending = []

    def _present(self) -> list[Document]:
        return [document for document in self._documents if not document.gone]

    def _check(self) -> None:
        if self._bench.lease.lost:
            raise BatchLost(batch_id=self._id)
        if self._bench.hurry():
            self._give_back("the engine is stopping")
        for document in self._present():
            document.gone = document.job_id in self._bench.lease.cancelled

    def _give_back(self, why: str) -> NoReturn:
        """Give the batch back behind what is told of it. Raises BatchSurrendered."""
        self._flush(urgent=True)
        self._bench.ledger.drain(self._id)
        if self._present():
            self._bench.ledger.surrender(self._id, None)
        raise BatchSurrendered(batch_id=self._id, why=why)

    def _conditional(self, stage: StageDefinition) -> list[Document]:
        """The documents for which the stage's condition holds; the others skip it."""
        documents = self._present()
        if stage.condition is None:
            return documents
        met = [each for each in documents if _is(each.fields.get(stage.condition.ledger_field), stage.condition.equals)]
        if unmet := [each for each in documents if each not in met]:
            self._tell(transitions.stage_skipped(stage.name, _ids(unmet), self._bench.now(), "condition"))
        return met

    def _perform(
        self,
        stage: StageDefinition,
        built: BuiltStage,
        policy: ResiliencePolicyConfig,
        documents: Sequence[Document],
    ) -> list[Outcome]:
        def retrying(places: Sequence[int], attempt: int, delay: float, error: BaseException) -> None:
            jobs = [documents[place].job_id for place in places]
            self._tell(transitions.stage_retrying(stage.name, jobs, attempt, delay, error))
            try:
                self._flush()
            except (LabError, OSError) as refused:
                # Raised here it would become the outcome of the call that is tried again, and fail its documents.
                self._refused = refused

        name = built.implementation.name
        with self._turn(built):
            self._bench.lease.stage()
            self._predict(stage.name, len(documents))
            began = time.perf_counter()
            outcomes = perform(
                stage,
                built,
                policy,
                documents,
                self._bench.artifacts,
                self._context,
                retrying,
                self._bench.circuits,
                self._bench.loops,
                self._bench.lease.stage,
            )
        if self._refused is not None:
            raise self._refused
        took = (time.perf_counter() - began) * 1e3
        # What all of a batch wait for at once, each batch waits for once, however large it is.
        self._bench.sizing.measured(name, len(documents), max(0.0, took - max(each.waited_ms for each in outcomes)))
        self.used.append(name)
        return outcomes

    def _predict(self, stage: str, documents: int) -> None:
        here, *after = (
            self._bench.sizing.predicted(self._implementations[name], documents) for name in (stage, *self._left)
        )
        known = [seconds for seconds in after if seconds is not None]
        if here is not None and len(known) == len(after):
            self._at_stage(here, sum(known))

    def _turn(self, built: BuiltStage) -> AbstractContextManager[None]:
        if built.implementation.gpu is None:
            return nullcontext()
        self._bench.lease.waiting()
        return self._bench.gpu.held()

    def _context(self, stage: StageDefinition, document: Document) -> StageContext:
        return StageContext(
            tenant_id=document.tenant_id,
            job_id=document.job_id,
            doc_id=document.doc_id,
            correlation_id=document.correlation_id,
            pipeline=self._batch["pipeline"],
            pipeline_version=self._batch["pipeline_version"],
            batch_id=self._id,
            stage=stage.name,
            attempt=document.attempt,
            now=self._bench.now,
            content=self._bench.artifacts.get,
            store=self._bench.artifacts.stage,
            outside=DocumentOutside(self._bench.outside, document.job_id, stage.name, document.attempt),
            metadata=document.submission.metadata,
        )

    def _fail(self, failed: Sequence[Failed], stage: str, t0: float) -> None:
        for each in failed:
            each.document.gone = True
            t1, document = self._bench.now(), each.document
            self._tell(*transitions.failed(stage, document.job_id, t0, t1, document.attempt, each.error))

    def _complete(self, kept: Sequence[Kept], stage: str, t0: float, built: BuiltStage) -> None:
        t1 = self._bench.now()
        for kind in dict.fromkeys(each.kind for each in kept):
            group = [each for each in kept if each.kind is kind]
            told = transitions.stage_completed(
                stage,
                [each.document.job_id for each in group],
                t0,
                t1,
                ms=[each.ms for each in group],
                counts=[kind.count(each.value) for each in group],
                refs=[each.sha256 for each in group],
                kind=kind.name,
                implementation=built.implementation.name,
                device=built.implementation.device,
                made_with=getattr(built.stage, "made_with", None),
            )
            self._tell(told)

    def _leave_early(self, stage: StageDefinition, kept: Sequence[Kept]) -> None:
        """Complete the jobs that need no further stage: those that stand for many documents, and unchanged ones."""
        expanded = [each.document for each in kept if each.kind.name == SUBMISSIONS]
        self._completed(expanded, unchanged=False)
        if stage.name == self._pipeline.payload_from:
            same = [each.document for each in kept if _unchanged(each)]
            for name in self._left if same else ():
                self._tell(transitions.stage_skipped(name, _ids(same), self._bench.now(), "unchanged"))
            self._completed(same, unchanged=True)

    def _completed(self, documents: Sequence[Document], unchanged: bool) -> None:
        if documents:
            content = [self._content(document) for document in documents]
            self._tell(transitions.job_completed(_ids(documents), content, unchanged))
            for document in documents:
                document.gone = True

    def _content(self, document: Document) -> str | None:
        if not document.has(PAYLOAD):
            return document.outputs.get(SUBMISSIONS)
        sha256: str = document.value(PAYLOAD, self._bench.artifacts.get).sha256
        return sha256

    def _finish(self) -> None:
        """Say where the documents that are still in the batch go from here."""
        if self._bench.lease.lost:
            raise BatchLost(batch_id=self._id)
        documents = self._present()
        if not documents:
            return
        segments = self._pipeline.segments(documents[0].offline)
        here = segments[self._batch["segment"]]
        following = segments[here.index + 1] if here.index + 1 < len(segments) else None
        if following is None:
            self._completed(documents, unchanged=False)
        elif here.gate is None:
            self._tell(transitions.job_advanced(_ids(documents), following.index, following.lane.value))
        else:
            gate = self._pipeline.topology.stage(here.gate)
            lane, stages = following.lane.value, following.stages
            self._tell(transitions.gate_waiting(gate, _ids(documents), following.index, lane, stages))


def _ids(documents: Sequence[Document]) -> list[str]:
    return [document.job_id for document in documents]


def _unchanged(kept: Kept) -> bool:
    document = kept.document
    same = kept.kind.name == PAYLOAD and kept.value.sha256 == document.last_content
    return same and not document.again


def _is(value: Any, wanted: Any) -> bool:
    """Whether a field has exactly the wanted value; True and 1 are not the same."""
    return type(value) is type(wanted) and bool(value == wanted)
