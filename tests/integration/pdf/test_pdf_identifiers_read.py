"""A PDF's own DOI reaches its document, through the real converter; a cited one does not."""

from medkg_lab.models.documents import Document
from medkg_lab.pdf.converter import Bounds, DocvortexConverter
from medkg_lab.stages.parse.pdf_ir.middle import PdfSource, read_middle
from tests.pdf_files import PAPER, pdf

BOUNDS = Bounds(timeout_seconds=60, memory_mib=4096, max_bytes=10_000_000)


def read(pages: list[list[tuple[str, str]]], **options: object) -> Document:
    made = DocvortexConverter(BOUNDS).convert(pdf(pages, **options), lambda: False)
    source = PdfSource("file:a.pdf", "a.pdf", made.pages, made.blank_pages, made.tool, made.tool_version)
    return read_middle(made.middle, source).document


def test_a_doi_at_the_head_is_the_documents() -> None:
    paper = list(PAPER)
    assert read([[("text", "Journal of Examples 5, doi:10.1000/own.5"), *paper]]).identifiers == {
        "doi": "10.1000/own.5"
    }
    cited = [*paper, ("text", "[2] B. Author, doi:10.1000/cited.1 and doi:10.1000/cited.2")]
    assert read([cited, [("text", "doi:10.1000/on.page.2")]]).identifiers == {}
