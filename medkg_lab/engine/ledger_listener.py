"""What becomes of a batch's documents, as transitions for the ledger."""

from collections.abc import Callable, Sequence

from medkg_lab.artifacts.store import ArtifactStore
from medkg_lab.engine import transitions
from medkg_lab.engine.batch_executor import PAYLOAD, SUBMISSIONS
from medkg_lab.engine.batch_items import BatchItem
from medkg_lab.engine.http_recording import SharedHttpClient
from medkg_lab.engine.stage_execution import FailedDocument, StoredOutput
from medkg_lab.engine.stage_factory import BuiltStage
from medkg_lab.errors import LabError
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.topology.graph import Segment
from medkg_lab.topology.models import StageDefinition

BACKLOG = 8
"""Jobs in a batch from which on others are thought to wait as well."""
LINGER_S = 0.1
"""How long what is told of such a batch may wait for more: each sending, commit and look of a reader is shared by more stages."""


class LedgerListener:
    """Sends the ledger what an executor tells of the batch `batch_id` of `jobs` jobs; `now` gives seconds since the epoch."""

    def __init__(
        self,
        ledger: LedgerClient,
        artifacts: ArtifactStore,
        http: SharedHttpClient,
        now: Callable[[], float],
        batch_id: str,
        jobs: int,
    ) -> None:
        self._ledger = ledger
        self._artifacts = artifacts
        self._http = http
        self._now = now
        self._batch_id = batch_id
        self._within_s = LINGER_S if jobs >= BACKLOG else 0.0
        self._pending: list[transitions.Transition] = []
        self._refused: LabError | OSError | None = None

    def flush(self, urgent: bool = False) -> None:
        """Send what is pending as one command, without waiting for its answer."""
        if self._pending:
            self._ledger.emit(self._batch_id, self._pending, urgent=urgent, within_s=self._within_s)
            self._pending = []

    def raise_refused(self) -> None:
        """Raise what kept a retry from being told, if anything did."""
        if self._refused is not None:
            raise self._refused

    def unreadable(self, job_id: str, error: Exception) -> None:
        """The job's submission no longer reads as one."""
        self._pending.append(transitions.job_failed(job_id, error))

    def stage_started(self, stage: str, documents: Sequence[BatchItem], t0: float) -> None:
        """Send that the stage runs."""
        self._pending.append(transitions.stage_started(stage, _ids(documents), t0))
        self.flush()

    def stage_skipped(self, stage: str, documents: Sequence[BatchItem], why: str) -> None:
        """Tell that the stage does not run."""
        self._pending.append(transitions.stage_skipped(stage, _ids(documents), self._now(), why))

    def stage_retrying(
        self, stage: str, documents: Sequence[BatchItem], attempt: int, delay: float, error: BaseException
    ) -> None:
        """Send that a call is tried again."""
        self._pending.append(transitions.stage_retrying(stage, _ids(documents), attempt, delay, error))
        try:
            self.flush()
        except (LabError, OSError) as refused:
            # Raised here it would become the outcome of the call that is tried again, and fail its documents.
            self._refused = refused

    def stage_failed(self, stage: str, failed: FailedDocument, t0: float) -> None:
        """Tell that a document ends here."""
        document = failed.document
        self._ended(*transitions.failed(stage, document.job_id, t0, self._now(), document.attempt, failed.error))

    def stage_completed(self, stage: str, built: BuiltStage, kept: Sequence[StoredOutput], t0: float) -> None:
        """Tell what the stage gave, kind by kind."""
        t1 = self._now()
        for kind in dict.fromkeys(each.kind for each in kept):
            group = [each for each in kept if each.kind is kind]
            self._ended(
                transitions.stage_completed(
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
            )

    def jobs_completed(self, documents: Sequence[BatchItem], unchanged: bool) -> None:
        """Tell that jobs ended well."""
        content = [self._content(document) for document in documents]
        self._pending.append(transitions.job_completed(_ids(documents), content, unchanged))

    def jobs_advanced(self, documents: Sequence[BatchItem], following: Segment) -> None:
        """Tell that jobs go on in another segment."""
        self._pending.append(transitions.job_advanced(_ids(documents), following.index, following.lane.value))

    def gate_waiting(self, documents: Sequence[BatchItem], gate: StageDefinition, following: Segment) -> None:
        """Tell that jobs wait at a gate."""
        lane, stages = following.lane.value, following.stages
        self._pending.append(transitions.gate_waiting(gate, _ids(documents), following.index, lane, stages))

    def _ended(self, *told: transitions.Transition) -> None:
        """Tell how a stage ended, with the records of what was exchanged meanwhile."""
        if exchanges := self._http.exchanges():
            told = (transitions.with_exchanges(told[0], exchanges), *told[1:])
        self._pending.extend(told)

    def _content(self, document: BatchItem) -> str | None:
        if not document.has(PAYLOAD):
            return document.outputs.get(SUBMISSIONS)
        sha256: str = document.value(PAYLOAD, self._artifacts.get).sha256
        return sha256


def _ids(documents: Sequence[BatchItem]) -> list[str]:
    return [document.job_id for document in documents]
