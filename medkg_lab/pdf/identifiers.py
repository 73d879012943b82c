"""Which article a PDF is, as it says itself: in its metadata, or at the head or foot of its first page.

A DOI elsewhere on the page may be another paper's, so it counts only when head and foot name exactly one.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pypdfium2

_DOI = re.compile(r"(?:\bdoi\s*[:=]?\s*|doi\.org/)(10\.\d{4,9}/[^\s\"'<>|,;]+)", re.IGNORECASE)
_TAGGED = re.compile(
    r"<(?:prism:doi|pdfx:(?:wps-articledoi|doi)|crossmark:doi|dc:identifier)>\s*(?:doi:\s*|https?://(?:dx\.)?doi\.org/)?"
    r"(10\.\d{4,9}/[^\s<]+)",
    re.IGNORECASE,
)
_PMID = re.compile(r"\bPMID\s*:\s*(\d{1,8})\b")
_PART = re.compile(r"\.[gste]\d{3}$", re.IGNORECASE)
"""The end of the DOI of a figure, table, supplement or equation."""
_KEYS = ("doi", "DOI", "WPS-ARTICLEDOI", "Subject", "Title", "Keywords")
_BAND = 0.18
"""Share of the page's height that is its head, and as much its foot."""
_PACKET = re.compile(rb"<x:xmpmeta.{0,200000}?</x:xmpmeta>", re.DOTALL)
_READ_BYTES = 64 * 1024 * 1024


def identifiers_of(path: Path) -> dict[str, str]:
    """The PDF's own `doi` and `pmid`, as far as it says them; nothing of a PDF that cannot be opened."""
    try:
        with pypdfium2.PdfDocument(path) as document:
            written = [str(document.get_metadata_value(key)) for key in _KEYS]
            edges = _edges(document[0])
    except pypdfium2.PdfiumError:
        return {}
    with path.open("rb") as file:
        packets = [match[0].decode("utf-8", "replace") for match in _PACKET.finditer(file.read(_READ_BYTES))]
    return choose(packets, written, edges)


def choose(packets: Iterable[str], written: Iterable[str], edges: str) -> dict[str, str]:
    """The identifiers in XMP `packets`, else in values `written` in the information dictionary, else in the page's `edges`."""
    found: dict[str, str] = {}
    tagged = (match[1] for packet in packets for match in _TAGGED.finditer(packet))
    for dois in (tagged, _dois("\n".join(written), bare=True), _dois(edges)):
        if len(distinct := {one for one in map(_clean, dois) if not _PART.search(one)}) == 1:
            found["doi"] = distinct.pop()
            break
        if distinct:
            break
    if len(numbers := set(_PMID.findall(edges))) == 1:
        found["pmid"] = numbers.pop()
    return found


def _dois(text: str, bare: bool = False) -> list[str]:
    """The DOIs that `text` marks as such; `bare` takes a line that is nothing else, too."""
    lines = (line.strip() for line in text.splitlines()) if bare else ()
    alone = [line for line in lines if re.fullmatch(r"10\.\d{4,9}/\S+", line)]
    return [*alone, *(match[1] for match in _DOI.finditer(text))]


def _clean(doi: str) -> str:
    """Without what ends a sentence or closes a bracket that the DOI does not open."""
    text = doi.rstrip(".,;:")
    while text.endswith((")", "]")) and text.count("(") + text.count("[") < text.count(")") + text.count("]"):
        text = text[:-1].rstrip(".,;:")
    return text.lower()


def _edges(page: Any) -> str:
    """The text at the head and at the foot of a page."""
    width, height = page.get_size()
    text = page.get_textpage()
    head = text.get_text_bounded(0, height * (1 - _BAND), width, height)
    foot = text.get_text_bounded(0, 0, width, height * _BAND)
    return f"{head}\n{foot}".replace("\r", "")
