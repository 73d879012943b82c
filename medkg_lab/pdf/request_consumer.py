"""Reading `pdf.requests.v1`: each message is compared with the ledger, and one that says something else is set aside."""

import contextlib
import logging
from collections.abc import Callable

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medkg_lab.artifacts.store import ArtifactDamaged, ArtifactMissing, ArtifactStore
from medkg_lab.broker.client import Consumer, Producer, Record
from medkg_lab.broker.errors import CommitFailed, DeliveryFailed
from medkg_lab.errors import LabError
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.pdf.errors import NoPdf, NotAPdfRequest, PdfRequestDisagrees
from medkg_lab.pdf.waiting import WaitingPdf, still_waits, waiting_pdf
from medkg_lab.validation import first_flaw

# The messages on `pdf.requests.v1`: one for each job that comes to a PDF gate. They wake the PDF process and do nothing else.
_MAX_REQUEST_BYTES = 64 * 1024
_COMPARED = ("doc_id", "tenant_id", "pipeline", "gate", "content", "name")


class PdfRequest(BaseModel):
    """What a message says of a PDF to convert; the ledger's record of the job is what counts."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    job_id: str = Field(min_length=1, max_length=64)
    doc_id: str
    tenant_id: str
    pipeline: str
    gate: str
    content: str
    name: str = ""

    def check(self, waiting: WaitingPdf) -> None:
        """Raise PdfRequestDisagrees when it says something else than the job's own record."""
        fields = [name for name in _COMPARED if getattr(self, name) != getattr(waiting, name)]
        if fields:
            raise PdfRequestDisagrees(fields=", ".join(fields), job_id=waiting.job_id)


def parse(message: bytes) -> PdfRequest:
    """Read a message. Raises NotAPdfRequest."""
    if len(message) > _MAX_REQUEST_BYTES:
        raise NotAPdfRequest(detail=f"it has {len(message)} bytes")
    try:
        return PdfRequest.model_validate_json(message)
    except ValidationError as error:
        raise NotAPdfRequest(detail=first_flaw(error.errors()).text()) from None


log = logging.getLogger(__name__)

_MAX_VALUE_BYTES = 64 * 1024
_POLL_S = 0.2


class RequestConsumer:
    """Polls the topic; losing a message, or the whole topic, only makes a job wait for the next look at the ledger."""

    def __init__(
        self, consumer: Consumer, producer: Producer, deadletter: str, ledger: LedgerClient, artifacts: ArtifactStore
    ) -> None:
        self._consumer = consumer
        self._producer = producer
        self._deadletter = deadletter
        self._ledger = ledger
        self._artifacts = artifacts

    def poll(self, wake: Callable[[], None]) -> None:
        """Call `wake` if messages came, and be done with them. Raises ConsumeFailed."""
        records = self._consumer.poll(_POLL_S)
        if not records:
            return
        wake()
        for record in records:
            try:
                self._check(record)
            except (NotAPdfRequest, PdfRequestDisagrees) as error:
                self._set_aside(record, error)
            except LabError as error:
                log.info("a request was not compared with the ledger: %s", error)
        try:
            self._producer.flush()
            self._consumer.commit(records)
        except (DeliveryFailed, CommitFailed) as error:
            log.warning("%s", error)

    def _check(self, record: Record) -> None:
        request = parse(record.value or b"")
        job = self._ledger.get(request.job_id)
        if job is None:
            raise NotAPdfRequest(detail=f"the ledger has no job {request.job_id}")
        if still_waits(job):
            # What is wrong with the job itself ends it when its turn comes.
            with contextlib.suppress(NoPdf, ArtifactMissing, ArtifactDamaged):
                request.check(waiting_pdf(job, self._artifacts.get))

    def _set_aside(self, record: Record, error: LabError) -> None:
        origin = f"{record.topic}/{record.partition}@{record.offset}"
        log.warning("dead letter from %s: %s", origin, error)
        headers = {
            "medkg-reason": str(error).encode()[:2000],
            "medkg-error": type(error).__name__.encode(),
            "medkg-origin": origin.encode(),
        }
        key = None if record.key is None else record.key[:1024]
        try:
            self._producer.send(self._deadletter, (record.value or b"")[:_MAX_VALUE_BYTES], key=key, headers=headers)
        except DeliveryFailed as failure:
            log.warning("%s", failure)

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()
