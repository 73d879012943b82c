"""What the PDF process is asked for: one message on `pdf.requests.v1` per job that waits at a PDF gate."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medkg_lab.models.submission import SHA256
from medkg_lab.pdf.errors import NotAPdfRequest

_MAX_REQUEST = 64 * 1024


class PdfRequest(BaseModel):
    """A PDF to convert, for the job that waits for it; `content` is the PDF's sha256 in the artifact store."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    schema_version: Literal["medkg.pdf.request/1"] = Field(alias="schema")
    job_id: str = Field(min_length=1, max_length=64)
    doc_id: str = Field(min_length=1, max_length=2048)
    tenant_id: str
    pipeline: str
    gate: str
    content: str = Field(pattern=SHA256)
    name: str = ""


def parse(message: bytes) -> PdfRequest:
    """Read a message. Raises NotAPdfRequest."""
    if len(message) > _MAX_REQUEST:
        raise NotAPdfRequest(detail=f"it has {len(message)} bytes")
    try:
        return PdfRequest.model_validate_json(message)
    except ValidationError as error:
        first = error.errors()[0]
        raise NotAPdfRequest(detail=f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
