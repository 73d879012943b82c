"""PDFs converted for an evaluation as the PDF process converts them."""

from collections.abc import Callable
from pathlib import Path

from medkg_lab.models.documents import Document
from medkg_lab.pdf.converter import Bounds, DocvortexConverter
from medkg_lab.settings import PdfSettings
from medkg_lab.stages.parse.pdf_ir.middle import PdfSource, read_middle


def reader(settings: PdfSettings) -> Callable[[Path], Document]:
    """A function from a PDF's path to its document. It raises what the converter and the reader raise."""
    bounds = Bounds(settings.timeout_seconds, settings.memory_mib, settings.max_bytes, settings.ocr_pages)
    converter = DocvortexConverter(bounds)

    def read(path: Path) -> Document:
        made = converter.convert(path.read_bytes(), lambda: False)
        source = PdfSource(f"file:{path.name}", path.name, made.pages, made.blank_pages, made.tool, made.tool_version)
        return read_middle(made.middle, source).document

    return read
