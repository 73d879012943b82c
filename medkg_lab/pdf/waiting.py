"""The PDFs that jobs wait for, as the ledger has them: the only source of what is converted for whom."""

from collections.abc import Callable
from dataclasses import dataclass

from medkg_lab.ledger.answers import JobDetail
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.ledger.named_queries import Named
from medkg_lab.ledger.state import GateState, JobState
from medkg_lab.models.events import NO_EVIDENCE
from medkg_lab.pdf.errors import NoPdf
from medkg_lab.stages.kinds import PAYLOAD

FIELD = "pdf_ir_ready"
"""The ledger's field that opens a PDF gate."""
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class WaitingPdf:
    """A PDF that a job waits for at a gate; `content` is its sha256 in the artifact store."""

    job_id: str
    gate: str
    doc_id: str
    tenant_id: str
    pipeline: str
    content: str
    name: str


def waiting_jobs(ledger: LedgerClient) -> list[str]:
    """The jobs that wait for the text of a PDF that nobody has read yet, those that wait longest first."""
    if not ledger.counts().gates.get("waiting"):
        return []
    return [str(row[0]) for row in ledger.rows(Named.WAITING_FOR, [FIELD], limit=_MOST).rows]


def still_waits(job: JobDetail) -> bool:
    """Whether the job waits at a gate for a document that nobody has made yet."""
    gate = job.gate
    if gate is None or job.state is not JobState.WAITING_GATE or gate.state is not GateState.WAITING:
        return False
    return gate.condition.ledger_field == FIELD and gate.evidence == NO_EVIDENCE


def waiting_pdf(job: JobDetail, load: Callable[[str], bytes]) -> WaitingPdf:
    """The PDF that `job`, which still waits, waits for. Raises NoPdf, and what loading an artifact by its sha256 raises."""
    payload_ref = job.outputs.get("payload")
    if payload_ref is None or job.gate is None:
        raise NoPdf()
    payload = PAYLOAD.decode(load(payload_ref))
    return WaitingPdf(
        job_id=job.job_id,
        gate=job.gate.gate,
        doc_id=job.doc_id,
        tenant_id=job.tenant_id,
        pipeline=job.pipeline,
        content=payload.sha256,
        name=payload.name,
    )
