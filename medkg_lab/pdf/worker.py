"""One PDF from start to end: convert, keep the document and the converter's output, tell the ledger.

What is converted follows from the job's record in the ledger alone, which is asked first: nothing is done twice.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from medkg_lab.artifacts.naming import naming
from medkg_lab.artifacts.store import ArtifactDamaged, ArtifactMissing, ArtifactStore
from medkg_lab.errors import DocumentError, ServiceError
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.logs import fields
from medkg_lab.models.events import Evidence
from medkg_lab.pdf.converter import Conversion, Converter
from medkg_lab.pdf.errors import ConversionStopped, ConverterFailed, EmptyPdf, MineruUnreachable, NoTextInPdf
from medkg_lab.pdf.recorded_http import Exchanges
from medkg_lab.pdf.waiting import FIELD, WaitingPdf, still_waits, waiting_pdf
from medkg_lab.stages.kinds import DOCUMENT
from medkg_lab.stages.parse.errors import UnknownPdfIr
from medkg_lab.stages.parse.pdf_ir.middle import PdfSource, Reading
from medkg_lab.stages.parse.pdf_ir.reading import read_ir

log = logging.getLogger(__name__)

ACTOR = "pdf"
_OCR_ADVISED = "the converter finds the PDF's text thin or doubtful; OCR may give more"


class Outcome(StrEnum):
    """How a job's PDF ended."""

    READY = "ready"
    PAGES_MISSING = "pages_missing"
    FAILED = "failed"
    NOT_WAITING = "not_waiting"


@dataclass(frozen=True)
class Worker:
    """Converts PDFs one at a time."""

    ledger: LedgerClient
    artifacts: ArtifactStore
    converter: Converter
    exchanges: Exchanges = field(default_factory=Exchanges)

    def handle(self, job_id: str, stopping: Callable[[], bool]) -> Outcome:
        """Convert the PDF that the job waits for; when this returns, the ledger has acknowledged it.

        Raises ConversionStopped, MineruUnreachable and what asking the ledger raises: then it is still to be done.
        """
        job = self.ledger.get(job_id)
        if job is None or not still_waits(job):
            return Outcome.NOT_WAITING
        try:
            waiting = waiting_pdf(job, self.artifacts.get)
            with self.exchanges.of(job_id, waiting.gate):
                conversion = self.converter.convert(self.artifacts.get(waiting.content), stopping)
            reading = read_conversion(conversion, waiting.doc_id, waiting.name)
        except (ConversionStopped, MineruUnreachable):
            raise
        except (DocumentError, ServiceError, ArtifactMissing, ArtifactDamaged) as error:
            kind = getattr(error, "failure_kind", "artifact")
            return self._fail(job_id, kind, f"{type(error).__name__}: {error}")
        return self._send_outcome(waiting, conversion, reading)

    def _send_outcome(self, waiting: WaitingPdf, conversion: Conversion, reading: Reading) -> Outcome:
        encoded = DOCUMENT.encode(reading.document)
        with naming(self.artifacts.root):
            return self._name(waiting, conversion, reading, self.artifacts.put_many([encoded, conversion.raw]))

    def _name(self, waiting: WaitingPdf, conversion: Conversion, reading: Reading, stored: Sequence[str]) -> Outcome:
        document, raw = stored
        evidence = Evidence(
            document=document,
            raw=raw,
            pages=conversion.pages,
            missing_pages=tuple(reading.missing_pages),
            tool=conversion.tool,
            tool_version=conversion.tool_version,
            source=waiting.content,
            exchanges=tuple(self.exchanges.taken()),
        )
        complete = not reading.missing_pages
        self.ledger.set_field(waiting.job_id, FIELD, complete, by=ACTOR, evidence=evidence)
        return Outcome.READY if complete else Outcome.PAGES_MISSING

    def _fail(self, job_id: str, kind: str, reason: str) -> Outcome:
        log.info(
            "the PDF of job %s gives no document: %s", job_id, reason, extra=fields(event="pdf.refused", job=job_id)
        )
        evidence = Evidence(exchanges=tuple(self.exchanges.taken()))
        self.ledger.gate_fail(job_id, by=ACTOR, kind=kind, reason=reason, evidence=evidence)
        return Outcome.FAILED


def read_conversion(conversion: Conversion, doc_id: str, name: str) -> Reading:
    """What a conversion gives as a document. Raises EmptyPdf and NoTextInPdf."""
    source = PdfSource(
        doc_id=doc_id,
        name=name or doc_id,
        pages=conversion.pages,
        blank_pages=conversion.blank_pages,
        tool=conversion.tool,
        tool_version=conversion.tool_version,
        warnings=(_OCR_ADVISED,) if conversion.ocr_advised else (),
    )
    try:
        reading = read_ir(conversion.middle, source)
    except UnknownPdfIr as error:
        # The document is not at fault for what its converter wrote.
        raise ConverterFailed(detail=str(error)) from error
    if not reading.document.blocks:
        if len(conversion.blank_pages) == conversion.pages:
            raise EmptyPdf(pages=conversion.pages)
        raise NoTextInPdf(pages=conversion.pages)
    return reading
