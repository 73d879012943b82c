"""Telling what bytes are from their first kilobyte, and what a file's name promises."""

from pathlib import PurePath

PDF = "application/pdf"
JSON = "application/json"
XML = "application/xml"
OTHER = "application/octet-stream"

_BY_SUFFIX = {".pdf": PDF, ".json": JSON, ".xml": XML, ".nxml": XML, ".jats": XML}
_PDF_WINDOW = 1024
"""Bytes in which readers look for the PDF header (ISO 32000-1, annex H, implementation note 13)."""


def is_pdf(data: bytes) -> bool:
    """Whether the PDF header stands in the first 1,024 bytes."""
    return b"%PDF-" in data[:_PDF_WINDOW]


def media_type(data: bytes) -> str:
    """What `data` looks like: PDF, JSON, XML, or `application/octet-stream`."""
    if data.startswith(b"%PDF-"):
        return PDF
    head = data[:_PDF_WINDOW].removeprefix(b"\xef\xbb\xbf").lstrip()
    if head[:1] in (b"{", b"["):
        return JSON
    if head.startswith((b"<?xml", b"<!DOCTYPE", b"<!--")) or (head[:1] == b"<" and head[1:2].isalpha()):
        return OTHER if head[:15].lower().startswith((b"<!doctype html", b"<html")) else XML
    if data.startswith((b"\xff\xfe<\x00", b"\xfe\xff\x00<")):
        return XML
    return PDF if is_pdf(data) else OTHER


def promised(name: str) -> str | None:
    """The media type that the suffix of `name` promises, or None when the suffix promises none of ours."""
    return _BY_SUFFIX.get(PurePath(name).suffix.lower())
