"""The messages on `pdf.requests.v1`: one for each job that comes to a PDF gate. They wake the PDF process and do nothing else."""

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medkg_lab.pdf.errors import NotAPdfRequest, PdfRequestDisagrees
from medkg_lab.pdf.waiting import WaitingPdf

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
        first = error.errors()[0]
        raise NotAPdfRequest(detail=f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
