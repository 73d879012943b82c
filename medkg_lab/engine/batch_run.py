"""Running one claimed batch: Dagster calls its stages, the executor runs them, and the ledger is told of each transition."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import NoReturn

from pydantic import ValidationError

from medkg_lab.artifacts.store import ArtifactStore
from medkg_lab.engine.batch_executor import Batch, BatchExecutor, Chosen
from medkg_lab.engine.batch_items import BatchItem, read
from medkg_lab.engine.batch_sizing import BatchSizing
from medkg_lab.engine.definitions import Definitions
from medkg_lab.engine.errors import BatchLost, BatchSurrendered
from medkg_lab.engine.gpu_lock import GpuLock
from medkg_lab.engine.http_recording import RecordingHttpClient, SharedHttpClient
from medkg_lab.engine.lease import Lease
from medkg_lab.engine.ledger_listener import LedgerListener
from medkg_lab.engine.loops import EngineLoops
from medkg_lab.engine.stage_calls import StageOutcome
from medkg_lab.engine.stage_execution import StoredOutput
from medkg_lab.engine.stage_factory import BuiltStage, StageFactory
from medkg_lab.ledger.answers import BatchJob, ClaimedBatch
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.orchestration.drive import Driver
from medkg_lab.resilience.resilient_call import BreakerRegistry
from medkg_lab.stages.contracts import HttpClient
from medkg_lab.topology.models import StageDefinition

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EngineContext:
    """What every batch of an engine uses. `hurry` says that the engine should give its batch back at the next stage.

    `loading` names the servers of the profile that are loading now.
    """

    ledger: LedgerClient
    artifacts: ArtifactStore
    definitions: Definitions
    stage_factory: StageFactory
    driver: Driver
    lease: Lease
    sizing: BatchSizing
    http: SharedHttpClient
    hurry: Callable[[], bool]
    circuits: BreakerRegistry
    loops: EngineLoops
    gpu: GpuLock
    loading: Callable[[], Sequence[str]] = tuple
    now: Callable[[], float] = time.time


class BatchRun:
    """One claimed batch, and the executor's way to the engine. `used` are the implementations that it used, in order.

    `at_stage` is called when a stage begins, with the seconds that it and that those after it are thought to take; not while some
    of them were never measured.
    """

    def __init__(
        self, bench: EngineContext, batch: ClaimedBatch, at_stage: Callable[[float, float], None] = lambda *_: None
    ) -> None:
        self._bench = bench
        self._at_stage = at_stage
        self._id = batch.batch_id
        self._compiled = bench.definitions.pipeline(batch.pipeline, batch.pipeline_version)
        self._half = self._compiled.phases[batch.half]
        self._profile, self._policies = bench.definitions.profile, bench.definitions.policies
        self._listener = LedgerListener(bench.ledger, bench.artifacts, bench.http, bench.now, self._id, len(batch.jobs))
        claimed = Batch(self._id, batch.pipeline, batch.pipeline_version, batch.segment, batch.stages)
        documents = [document for job in batch.jobs if (document := self._read(job)) is not None]
        self._executor = BatchExecutor(claimed, self._compiled.pipeline, documents, self, self._listener)
        stages = map(self._compiled.pipeline.topology.stage, claimed.stages)
        self._implementations = {stage.name: self._profile.choice(stage).implementation for stage in stages}
        self._began = 0.0
        self.artifacts, self.circuits, self.loops = bench.artifacts, bench.circuits, bench.loops
        self.now = bench.now
        self.document_begins = bench.lease.stage
        self.used: list[str] = []

    def run(self) -> None:
        """Run the batch's stages and say how each of its jobs goes on; what was said last may still be on its way.

        Raises BatchLost when another engine has the batch, BatchSurrendered after giving it back, and OSError when outputs
        cannot be kept.
        """
        self._bench.driver.drive(self._compiled.jobs[self._half.name], self._id, self._executor.left[:], self.step)
        if self._bench.lease.lost:
            raise BatchLost(batch_id=self._id)
        self._executor.finish()
        self._listener.flush(urgent=True)

    def step(self, name: str) -> None:
        """Run the stage called `name` for the documents that are still in the batch."""
        if self._bench.lease.lost:
            raise BatchLost(batch_id=self._id)
        if self._bench.hurry():
            self._surrender("the engine is stopping")
        for document in self._executor.present():
            document.gone = document.job_id in self._bench.lease.cancelled
        away = self._executor.step(name)
        if away is not None:
            self._surrender(str(away))

    def _read(self, job: BatchJob) -> BatchItem | None:
        try:
            return read(job)
        except ValidationError as error:
            self._listener.unreadable(job.job_id, error)
            return None

    def _surrender(self, why: str) -> NoReturn:
        """Give the batch back behind what is told of it. Raises BatchSurrendered."""
        self._listener.flush(urgent=True)
        self._bench.ledger.drain(self._id)
        if self._executor.present():
            self._bench.ledger.surrender(self._id, None)
        raise BatchSurrendered(batch_id=self._id, why=why)

    def http(self, stage: str, document: BatchItem) -> HttpClient:
        """The outside of one document in one stage: recorded."""
        return RecordingHttpClient(self._bench.http, document.job_id, stage, document.attempt)

    def choose(self, stage: StageDefinition, documents: Sequence[BatchItem]) -> Chosen:
        """The stage that the profile of the moment asks for. Raises LabError."""
        return Chosen(self._bench.stage_factory.stage(stage, self._profile), self._policies.get(stage.policy))

    def answered(
        self, stage: StageDefinition, documents: Sequence[BatchItem]
    ) -> tuple[list[BatchItem], list[StoredOutput]]:
        """Every stage is called."""
        return list(documents), []

    @contextmanager
    def turn(self, stage: str, built: BuiltStage, documents: int) -> Iterator[None]:
        """Wait for the GPU where it is needed; the stage's deadline counts from then on."""
        gpu = built.implementation.gpu is not None
        if gpu:
            self._bench.lease.waiting()
        with self._bench.gpu.acquired() if gpu else nullcontext():
            self._bench.lease.stage()
            self._predict(stage, documents)
            self._began = time.perf_counter()
            yield

    def called(self, built: BuiltStage, outcomes: Sequence[StageOutcome]) -> None:
        """Measure the stage. Raises what kept a retry from being told."""
        self._listener.raise_refused()
        took = (time.perf_counter() - self._began) * 1e3
        # What all of a batch wait for at once, each batch waits for once, however large it is.
        waited = max(each.waited_ms for each in outcomes)
        self._bench.sizing.measured(built.implementation.name, len(outcomes), max(0.0, took - waited))
        self.used.append(built.implementation.name)

    def _predict(self, stage: str, documents: int) -> None:
        here, *after = (
            self._bench.sizing.predicted(self._implementations[name], documents)
            for name in (stage, *self._executor.left)
        )
        known = [seconds for seconds in after if seconds is not None]
        if here is not None and len(known) == len(after):
            self._at_stage(here, sum(known))
