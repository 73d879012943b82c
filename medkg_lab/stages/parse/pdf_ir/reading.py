"""A converter's JSON of any known shape as a document."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from medkg_lab.models.documents import Document
from medkg_lab.models.identity import plain
from medkg_lab.stages.parse.errors import EmptyDocument, UnknownPdfIr
from medkg_lab.stages.parse.pdf_ir import content_list, content_list_v2, pdf_info
from medkg_lab.stages.parse.pdf_ir.checks import MAX_PAGES
from medkg_lab.stages.parse.pdf_ir.formats import ConverterFormat, shape_of
from medkg_lab.stages.parse.pdf_ir.middle import PdfSource, Reading, read_middle, read_pages
from medkg_lab.stages.parse.pdf_ir.text import inline

_SECTION = re.compile(
    r"[\divx.\s]*(abstract|summary|background|introduction|(patients|materials?|subjects)?( and )?methods?|results?|"
    r"discussion|conclusions?|references|acknowledge?ments?|objectives?|aims?)\b.{0,30}",
    re.IGNORECASE,
)


def read_ir(value: Any, source: PdfSource) -> Reading:
    """Read a converter's JSON against what is known of its PDF. Raises UnknownPdfIr."""
    shape = shape_of(value)
    match shape:
        case ConverterFormat.MIDDLE:
            return read_middle(value, source)
        case ConverterFormat.PDF_INFO:
            pages = pdf_info.pages_of(value)
        case ConverterFormat.CONTENT_LIST:
            pages = content_list.pages_of(value)
        case ConverterFormat.CONTENT_LIST_V2:
            pages = content_list_v2.pages_of(value)
        case _:
            raise UnknownPdfIr(detail=f"its top level is a {type(value).__name__} of an unknown structure")
    _name_title(pages)
    return read_pages(pages, source)


def read_alone(value: Any, doc_id: str, source: str) -> Document:
    """Read a converter's JSON whose PDF is not at hand: its pages are those that it names.

    Raises what `read_ir` does, and EmptyDocument when it holds no text.
    """
    known = PdfSource(
        doc_id,
        plain(doc_id).partition(":")[2] or doc_id,
        _pages_named(value),
        frozenset(),
        _tool(value),
        _version(value),
    )
    reading = read_ir(value, known)
    if not reading.document.blocks:
        raise EmptyDocument(what="converted PDF", detail="none of its blocks has text")
    if not reading.missing_pages:
        return reading.document
    silent = ", ".join(map(str, reading.missing_pages))
    warning = f"no text on the pages {silent}: they may be images or blank"
    return reading.document.model_copy(update={"warnings": (*reading.document.warnings, warning)})


def _pages_named(value: Any) -> int:
    if isinstance(value, dict):
        value = pdf_info.raw_pages(value)
    numbers = [item.get("page_idx") for item in value if isinstance(item, dict)]
    named = [number + 1 for number in numbers if isinstance(number, int) and 0 <= number < MAX_PAGES]
    return max(named, default=len(value))


def _tool(value: Any) -> str:
    shape = shape_of(value)
    return shape.value if shape else "unknown"


def _version(value: Any) -> str:
    found = value.get("_version_name", value.get("schema_version")) if isinstance(value, dict) else None
    return found[:40] if isinstance(found, str) else "unknown"


def _name_title(pages: Sequence[Mapping[str, Any]]) -> None:
    """Make the first heading the title: these shapes tell titles and headings apart by level at best.

    It is one when it stands on the first page before any text, others follow, and it does not read like a section's.
    """
    headings = [block for page in pages for block in page["blocks"] if block.get("type") == "paragraph_title"]
    if len(headings) < 2 or headings[0] not in pages[0]["blocks"]:
        return
    before = pages[0]["blocks"][: pages[0]["blocks"].index(headings[0])]
    named_as_section = _SECTION.fullmatch(inline(headings[0].get("content")))
    if not named_as_section and not any(block.get("type") == "text" for block in before):
        headings[0]["type"] = "doc_title"
