"""Pages of PDFs that are images of text: which they are, and their text by OCR where that is installed (the extra `ocr`)."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from operator import itemgetter
from pathlib import Path
from typing import Any

import msgspec
import pypdfium2
import pypdfium2.raw as pdfium

from medkg_lab.pdf.middle_json import Middle, Page
from medkg_lab.stages.parse.pdf_ir.middle import OCR_PAGES
from medkg_lab.stages.parse.pdf_ir.text import readable

PACKAGE = "rapidocr"
INSTALL = "pip install 'medkg-lab[ocr]'"
PAGE_TIMEOUT_S = 60.0
"""Wall-clock time that OCR may take for each page; eight are usual on an idle core."""
_PREVIEW_SIDE = 200
_LEAST_CONTRAST = 24
"""Grey levels between the darkest and the lightest of a page that may show something."""
_WHOLE_PAGE = 0.7
"""An image that covers this share of a page is a scan of it."""
_LITTLE_TEXT = 200
"""Characters, such as a stamp's or a running header's, that a scan may have besides its image."""


def is_installed() -> bool:
    """Whether scanned pages can be read here."""
    return find_spec(PACKAGE) is not None


def reader_version() -> str:
    """What reads them here, as `rapidocr-3.10.0`."""
    return f"{PACKAGE}-{version(PACKAGE)}"


def was_read(tool_version: str | None) -> bool:
    """Whether a converter of that version has read scanned pages by OCR."""
    return f"+{PACKAGE}-" in (tool_version or "")


def scanned_pages(path: Path, pages: Sequence[Page], blank: Collection[int], hidden: Collection[int]) -> list[int]:
    """The pages (from 0) of a PDF that are images of text: with no readable text, or with little before an image of the page.

    `pages` are those of the converter's middle JSON; `hidden` have text behind their image.
    """
    texts = {page.index: " ".join(_texts(page.blocks)) for page in pages}
    with pypdfium2.PdfDocument(path) as document:
        candidates = [index for index in range(len(document)) if index not in blank and index not in hidden]
        thin = [index for index in candidates if len(texts.get(index, "")) < _LITTLE_TEXT or not readable(texts[index])]
        return [index for index in thin if _is_scan(document, index, readable(texts.get(index, "")))]


class ReadPage(msgspec.Struct, frozen=True):
    """What OCR read on a page, as blocks of the middle JSON, and how sure it is."""

    blocks: list[dict[str, Any]]
    note: str


def with_note(middle: Mapping[str, Any], note: str) -> dict[str, Any]:
    """The middle JSON with one more note of its conversion."""
    made = Middle.read(middle)
    made.note(note)
    return made.to_json()


def with_pages(middle: Mapping[str, Any], found: Mapping[str, ReadPage]) -> dict[str, Any]:
    """The middle JSON with the text that OCR `found`, by page number (from 0), in place of what these pages had."""
    made = Middle.read(middle)
    pages = {page.index: page for page in made.pages}
    numbered = sorted(((int(number), page) for number, page in found.items()), key=itemgetter(0))
    for number, page in numbered:
        pages[number] = Page(number, page.blocks, pages[number].raw if number in pages else {})
        made.note(page.note)
    made.pages = [pages[index] for index in sorted(pages)]
    if numbered:
        made.extensions |= {OCR_PAGES: [str(number + 1) for number, _ in numbered]}
    return made.to_json()


def named(scans: Sequence[int]) -> str:
    """Pages (from 0) as people count them."""
    return ", ".join(str(index + 1) for index in scans)


def _texts(blocks: Any) -> Iterator[str]:
    for block in blocks if isinstance(blocks, list) else ():
        content = block.get("content") if isinstance(block, dict) else None
        if isinstance(content, str):
            yield content
        else:
            yield from _texts(content)


def _is_scan(document: pypdfium2.PdfDocument, index: int, has_text: bool) -> bool:
    """Whether a page shows anything, and if it has some text, whether an image covers it."""
    try:
        page = document[index]
        if has_text and not _is_covered(page):
            return False
        scale = _PREVIEW_SIDE / max(page.get_size())
        pixels = page.render(scale=scale, grayscale=True).to_numpy()
    except pypdfium2.PdfiumError:
        return False
    return int(pixels.max()) - int(pixels.min()) >= _LEAST_CONTRAST


def _is_covered(page: Any) -> bool:
    width, height = page.get_size()
    boxes = [item.get_bounds() for item in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE])]
    return any((x1 - x0) * (y1 - y0) >= _WHOLE_PAGE * width * height for x0, y0, x1, y1 in boxes)
