"""The parse stage that looks at the bytes and picks the reader; every reader is registered in one of the tables here."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from medkg_lab.models.documents import Document
from medkg_lab.models.submission import Payload
from medkg_lab.sources import bioc, registry_csv, sniff, studies
from medkg_lab.sources.encodings import NotText, as_utf8, decode
from medkg_lab.sources.readers import reader_of
from medkg_lab.sources.sniff import Format
from medkg_lab.stages.contracts import StageContext
from medkg_lab.stages.limits import check_size
from medkg_lab.stages.parse.bioc import read_bioc_json, read_bioc_xml
from medkg_lab.stages.parse.ctgov import read_study
from medkg_lab.stages.parse.errors import EmptyDocument, NotAStudy, UnknownFormat, UnreadableText
from medkg_lab.stages.parse.jats import parse_jats
from medkg_lab.stages.parse.pdf_ir.formats import shape_of
from medkg_lab.stages.parse.pdf_ir.reading import read_alone
from medkg_lab.stages.parse.prose import read_html, read_markdown, read_text
from medkg_lab.stages.parse.pubmed import read_pubmed
from medkg_lab.stages.parse.record import parse_json
from medkg_lab.stages.parse.tei import read_tei
from medkg_lab.stages.parse.xml import Element, parse_xml
from medkg_lab.xml_source import root_name

XML_READERS: Mapping[str, Callable[[Element, str, str], Document]] = {
    "PubmedArticleSet": read_pubmed,
    "PubmedArticle": read_pubmed,
    "PubmedBookArticle": read_pubmed,
    "collection": read_bioc_xml,
    "TEI": read_tei,
}
"""By the name of the root element; every other root is for the JATS reader, which says what it is instead."""
JSON_READERS: Sequence[tuple[Callable[[Any], object], Callable[[Any, str, str], Document]]] = (
    (shape_of, lambda value, doc_id, source: _checked(read_alone(value, doc_id, source))),
    (bioc.collections, read_bioc_json),
)
"""Tried in order; every other value is for the reader of studies, which says what it is instead."""
TEXT_READERS: Mapping[str, Callable[[str, str, str], Document]] = {
    sniff.PLAIN: read_text,
    sniff.MARKDOWN: read_markdown,
    sniff.HTML: read_html,
}
"""By media type: any bytes may be such a text, so only who submitted it says that it is one."""


class AutoParser:
    """Every format that the lab reads without converting it first, told apart by content."""

    def execute(self, context: StageContext, item: Payload) -> Document:
        """Parse the payload's bytes. Raises a DocumentError that names what is wrong with this file."""
        return parse(context.content(item.sha256), context.doc_id, item.source, item.media_type)


def parse(data: bytes, doc_id: str, source: str, media_type: str = "") -> Document:
    """Turn a file's bytes into a Document; `media_type` counts where the bytes could be any text. Raises a DocumentError."""
    found = sniff.sniff(data)
    if media_type in TEXT_READERS and found in (Format.TEXT, Format.HTML, Format.JSON, Format.XML):
        return _read_text(data, doc_id, source, media_type)
    match found:
        case Format.JSON:
            return _read_json(data, doc_id, source)
        case Format.XML:
            reader = XML_READERS.get(root_name(data))
            return reader(parse_xml(data), doc_id, source) if reader else parse_jats(data, doc_id, source)
        case Format.EMPTY:
            raise EmptyDocument(what="file", detail=f"it has {len(data)} bytes")
        case _ if (plugin := reader_of(data, media_type)) is not None and plugin.read is not None:
            return _checked(plugin.read(data, doc_id, source))
        case _:
            raise UnknownFormat(found=found.value)


def _read_json(data: bytes, doc_id: str, source: str) -> Document:
    try:
        text, warning = as_utf8(data)
    except NotText as error:
        raise UnreadableText(detail=str(error)) from None
    value = parse_json(text)
    reader = next((reader for suits, reader in JSON_READERS if suits(value)), _read_study)
    return _warned(reader(value, doc_id, source), warning)


def _read_study(value: Any, doc_id: str, source: str) -> Document:
    if studies.is_study(value):
        try:
            value = studies.unwrapped(value)
        except studies.ColumnWise as error:
            raise NotAStudy(detail=f"{error}, of which no study can be told: write a study a row") from None
    return read_study(value, doc_id, source)


def _read_text(data: bytes, doc_id: str, source: str, media_type: str) -> Document:
    try:
        found = decode(data)
    except NotText as error:
        raise UnreadableText(detail=str(error)) from None
    if media_type == sniff.PLAIN and registry_csv.is_registry_csv(found.text[:65_536]):
        raise UnknownFormat(found="the registry's table, which `medkg-lab submit` splits")
    document = TEXT_READERS[media_type](found.text, doc_id, source)
    return _warned(document, "" if found.is_sure else "the file is not UTF-8; it was read as Windows-1252 (Latin-1)")


def _warned(document: Document, warning: str) -> Document:
    return document.model_copy(update={"warnings": (*document.warnings, warning)}) if warning else document


def _checked(document: Document) -> Document:
    check_size(document.blocks)
    return document
