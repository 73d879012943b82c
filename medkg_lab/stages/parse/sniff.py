"""What a file is, from its first bytes: media types and names that sources give are often wrong."""

from enum import StrEnum

_HEAD = 1024
_PDF_WITHIN = 1024
"""PDF readers look for the header within the first 1024 bytes (ISO 32000-1, annex H)."""


class Format(StrEnum):
    """The formats that are told apart; the value is what an error message calls it."""

    JSON = "JSON"
    XML = "XML"
    HTML = "a web page (HTML)"
    PDF = "a PDF file"
    ZIP = "a ZIP archive"
    GZIP = "gzip-compressed data"
    EMPTY = "empty"
    TEXT = "plain text"
    BINARY = "binary data of an unknown kind"


def sniff(data: bytes) -> Format:
    """Tell the format of `data`."""
    head = data[:_HEAD]
    if b"%PDF-" in head[:_PDF_WITHIN]:
        return Format.PDF
    if head.startswith(b"PK\x03\x04"):
        return Format.ZIP
    if head.startswith(b"\x1f\x8b"):
        return Format.GZIP
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        head = head[2:].replace(b"\0", b"")
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        return Format.EMPTY if not data.strip() else Format.BINARY
    if text.startswith((b"{", b"[")):
        return Format.JSON
    if text.startswith(b"<"):
        lower = text.lower()
        return Format.HTML if lower.startswith((b"<!doctype html", b"<html")) else Format.XML
    return Format.BINARY if b"\0" in head else Format.TEXT
