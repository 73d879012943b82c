"""How the conversion of a PDF can end without a document."""

from typing import ClassVar

from medkg_lab.errors import DocumentError, ServiceError


class EncryptedPdf(DocumentError):
    """The PDF is encrypted and does not open without its password. Submit a copy without a password."""


class DamagedPdf(DocumentError):
    """The PDF cannot be read: {detail}. Get another copy of the file; opening and printing it to PDF often fixes it."""


class NoTextInPdf(DocumentError):
    """None of the PDF's {pages} pages gives readable text: it holds images of text and needs OCR. Install that with
    `pip install 'medkg-lab[ocr]'` in the lab's environment and submit the PDF with `--again`, or submit a copy that went
    through OCR, or set `pdf.tool: mineru` with a tier that does OCR."""


class EmptyPdf(DocumentError):
    """None of the PDF's {pages} pages holds anything. Check that the right file was submitted."""


class PdfTooBig(DocumentError):
    """The PDF is too big to convert: {detail}. Split it, or raise `pdf.memory_mib` or `pdf.max_bytes` in settings.yaml."""


class PdfTooSlow(DocumentError):
    """The PDF was not converted within {seconds:g} s. Split it, or raise `pdf.timeout_seconds` in settings.yaml."""

    failure_kind: ClassVar[str] = "timeout"


class NoPdf(DocumentError):
    """The job waits for the text of a PDF, and no stage before the gate gave it one. Change the pipeline, then submit the
    document again."""


class ConverterFailed(ServiceError):
    """The PDF converter did not do its part: {detail}. Look at `medkg-lab logs pdf`, then retry the job."""


class MineruUnreachable(ServiceError):
    """The MinerU server at {base_url} does not answer: {detail}. Start it, or set `pdf.tool: docvortex` in settings.yaml."""


class MineruFailed(ServiceError):
    """The MinerU server at {base_url} did not convert the PDF: {detail}. Look at the server's log, then retry the job."""


class ConversionStopped(ServiceError):
    """The conversion was stopped because the process ends. It starts again with the lab."""


class NotAPdfRequest(ServiceError):
    """The message is not a PDF request: {detail}. Only the lab's bridge should write to this topic."""


class PdfRequestDisagrees(ServiceError):
    """The message asks for a PDF with another {fields} than job {job_id} has in the ledger. It was dropped, and the job is served
    as the ledger says; somebody else wrote to this topic."""
