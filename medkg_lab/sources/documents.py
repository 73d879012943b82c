"""The documents that bytes hold: one, or every member of an array, an API page or an article set.

What cannot be recognised is still one document, so that it ends as a job that failed with a reason instead of vanishing.
"""

import hashlib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from medkg_lab.models.identity import FILE_SOURCE
from medkg_lab.sources import jats, sniff, studies
from medkg_lab.xml_source import NotXml, local_name, parse_xml

AUTO = "auto"
PDF_PIPELINE = "pdf-two-phase"
TRIALS_SOURCE = "clinicaltrials"
ARTICLES_SOURCE = "pmc"
_MAX_KEY = 1024


@dataclass(frozen=True)
class LocalDocument:
    """One document found in local bytes: `source` and `key` name it, `pipeline` is the one made for its format."""

    data: bytes
    media_type: str
    name: str
    source: str
    key: str
    pipeline: str


def documents_in(data: bytes, name: str, key: str) -> Iterator[LocalDocument]:
    """The documents in `data`; `name` is its file's name, `key` what identifies it when its content names no id of its own."""
    kind = sniff.media_type(data)
    if kind == sniff.OTHER:
        kind = sniff.promised(name) or sniff.OTHER
    found = _FINDERS[kind](data, name, bounded_key(key)) if kind in _FINDERS else None
    yield from found or (_unrecognised(data, kind, name, bounded_key(key)),)


def bounded_key(key: str) -> str:
    """`key` as a submission can carry it: its characters composed, at most 1,024 of them; a longer one ends in its hash."""
    key = unicodedata.normalize("NFC", key)
    if len(key) <= _MAX_KEY:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return f"{key[: _MAX_KEY - len(digest) - 1]}~{digest}"


def _unrecognised(data: bytes, media_type: str, name: str, key: str) -> LocalDocument:
    pipeline = PDF_PIPELINE if media_type == sniff.PDF else AUTO
    return LocalDocument(data, media_type, name, FILE_SOURCE, key, pipeline)


def _in_pdf(data: bytes, name: str, key: str) -> list[LocalDocument]:
    return [_unrecognised(data, sniff.PDF, name, key)]


def _in_json(data: bytes, name: str, key: str) -> list[LocalDocument] | None:
    try:
        value = orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        return None
    if studies.is_study(value):
        return [_study(data, studies.study_key(value), name, key)]
    members = studies.members(value)
    if members is None:
        return None
    return [_member(item, f"{key}#{number}", name) for number, item in enumerate(members, 1)]


def _member(item: object, key: str, name: str) -> LocalDocument:
    nct_id = studies.study_key(item) if isinstance(item, dict) and studies.is_study(item) else ""
    return _study(studies.serialise(item), nct_id, name, key)


def _study(data: bytes, nct_id: str, name: str, key: str) -> LocalDocument:
    source = TRIALS_SOURCE if nct_id else FILE_SOURCE
    return LocalDocument(data, studies.MEDIA_TYPE, name, source, nct_id or bounded_key(key), AUTO)


def _in_xml(data: bytes, name: str, key: str) -> list[LocalDocument] | None:
    try:
        root = parse_xml(data)
    except NotXml:
        return None
    if jats.is_article(root):
        return [_article(jats.Article(data, jats.article_key(root), True), name, key)]
    if local_name(root) != jats.ARTICLE_SET:
        return None
    articles = enumerate(jats.split_article_set(root), 1)
    return [_article(article, name, f"{key}#{number}") for number, article in articles]


def _article(article: jats.Article, name: str, key: str) -> LocalDocument:
    if not article.recognised:
        return _unrecognised(article.data, sniff.XML, name, bounded_key(key))
    source = ARTICLES_SOURCE if article.key else FILE_SOURCE
    return LocalDocument(article.data, jats.MEDIA_TYPE, name, source, bounded_key(article.key or key), AUTO)


_FINDERS = {sniff.PDF: _in_pdf, sniff.JSON: _in_json, sniff.XML: _in_xml}
