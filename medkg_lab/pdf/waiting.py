"""The PDFs that jobs wait for, as the ledger has them: the only source of what is converted for whom."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from medkg_lab.ledger.client import LedgerClient
from medkg_lab.pdf.errors import NoPdf
from medkg_lab.stages.kinds import KINDS

FIELD = "pdf_ir_ready"
"""The ledger's field that opens a PDF gate."""
_MOST = 10_000
_WAITING = (
    "SELECT job_id FROM gate WHERE state = 'waiting' AND json_extract_string(condition, '$.ledger_field') = ? "
    "AND coalesce(evidence::VARCHAR, '{}') IN ('{}', 'null') ORDER BY waiting_since"
)


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
    if not ledger.counts()["gates"].get("waiting"):
        return []
    return [str(row[0]) for row in ledger.rows(_WAITING, [FIELD], limit=_MOST).rows]


def still_waits(job: Mapping[str, Any]) -> bool:
    """Whether the job waits at a gate for a document that nobody has made yet."""
    gate = job.get("gate") or {}
    is_pdf_gate = (gate.get("condition") or {}).get("ledger_field") == FIELD
    return (
        job["state"] == "waiting_gate" and gate.get("state") == "waiting" and is_pdf_gate and not gate.get("evidence")
    )


def waiting_pdf(job: Mapping[str, Any], load: Callable[[str], bytes]) -> WaitingPdf:
    """The PDF that `job`, which still waits, waits for. Raises NoPdf, and what loading an artifact by its sha256 raises."""
    payload_ref = job["outputs"].get("payload")
    if payload_ref is None:
        raise NoPdf()
    payload = KINDS["payload"].decode(load(payload_ref))
    return WaitingPdf(
        job_id=job["job_id"],
        gate=job["gate"]["gate"],
        doc_id=job["doc_id"],
        tenant_id=job["tenant_id"],
        pipeline=job["pipeline"],
        content=payload.sha256,
        name=payload.name,
    )
