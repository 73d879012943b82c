"""Telling what bytes are from their beginning, and what a file's name promises: names and media types are often wrong."""

from enum import StrEnum
from pathlib import PurePath

from medkg_lab.sources import readers
from medkg_lab.sources.encodings import is_text, text_head

PDF = "application/pdf"
JSON = "application/json"
XML = "application/xml"
HTML = "text/html"
MARKDOWN = "text/markdown"
PLAIN = "text/plain"
CSV = "text/csv"
OTHER = "application/octet-stream"

_BY_SUFFIX = {
    ".pdf": PDF,
    ".json": JSON,
    ".ndjson": JSON,
    ".jsonl": JSON,
    ".xml": XML,
    ".nxml": XML,
    ".jats": XML,
    ".tei": XML,
    ".html": HTML,
    ".htm": HTML,
    ".xhtml": HTML,
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".txt": PLAIN,
    ".text": PLAIN,
    ".csv": CSV,
}
PROSE = frozenset({HTML, MARKDOWN, PLAIN})
"""Formats that any text has: only a name or a media type says that such a text is meant as a document."""
_WINDOW = 1024
"""Bytes in which readers look for the PDF header (ISO 32000-1, annex H, implementation note 13), and that are looked at."""
_TAR_MARK = slice(257, 262)


class Format(StrEnum):
    """The formats that are told apart by their bytes; the value is what an error message calls it."""

    JSON = "JSON"
    XML = "XML"
    HTML = "a web page (HTML)"
    PDF = "a PDF file"
    ZIP = "a ZIP archive"
    GZIP = "gzip-compressed data"
    TAR = "a tar archive"
    EMPTY = "empty"
    TEXT = "plain text"
    BINARY = "binary data of an unknown kind"


CONTAINERS = frozenset({Format.ZIP, Format.GZIP, Format.TAR})
_MEDIA_TYPES = {Format.PDF: PDF, Format.JSON: JSON, Format.XML: XML, Format.HTML: HTML, Format.TEXT: PLAIN}


def sniff(data: bytes) -> Format:
    """The format of `data`."""
    head = data[:_WINDOW]
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return Format.ZIP
    if head.startswith(b"\x1f\x8b"):
        return Format.GZIP
    if head[_TAR_MARK] == b"ustar":
        return Format.TAR
    if is_pdf(head):
        return Format.PDF
    if not data.strip():
        return Format.EMPTY
    text = text_head(head).lstrip()
    if text.startswith(("{", "[")):
        return Format.JSON
    if text.startswith("<") and text[1:2] in ("?", "!", *_LETTERS):
        return Format.HTML if text[:15].lower().startswith(("<!doctype html", "<html")) else Format.XML
    return Format.TEXT if text and is_text(head) else Format.BINARY


_LETTERS = tuple("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")


def is_pdf(data: bytes) -> bool:
    """Whether the PDF header stands in the first 1,024 bytes."""
    return b"%PDF-" in data[:_WINDOW]


def media_type(data: bytes) -> str:
    """What `data` looks like, or `application/octet-stream`."""
    return _MEDIA_TYPES.get(sniff(data), OTHER)


def promised(name: str) -> str | None:
    """The media type that the suffix of `name` promises, or None when the suffix promises none of ours."""
    suffix = PurePath(name).suffix.lower()
    return _BY_SUFFIX.get(suffix) or readers.promised(suffix)


def media_type_of(data: bytes, name: str) -> str:
    """What a file is: what its bytes show, and where they could be any text, what its name promises."""
    found, wanted = sniff(data), promised(name)
    own = _MEDIA_TYPES.get(found, OTHER)
    if wanted is None or found is Format.PDF:
        return own
    if wanted not in _BY_SUFFIX.values():
        return wanted
    if wanted in PROSE | {CSV} and found is Format.BINARY:
        return OTHER
    if wanted in (HTML, MARKDOWN) or (wanted == PLAIN and found is Format.JSON and not _is_json(data)):
        return wanted
    return own if found in (Format.JSON, Format.XML) else wanted


def _is_json(data: bytes) -> bool:
    """Whether a text that begins with a bracket goes on like JSON, and not like a link or a citation number."""
    return text_head(data[:_WINDOW]).lstrip()[1:].lstrip().startswith(('"', "{", "["))
