"""The documents that bytes hold: one, or every member of a container, an array, an API page, a table or a set of articles.

What cannot be recognised is still one document, so that it ends as a job that failed with a reason instead of vanishing. What a
format's documents are is told by one finder each, in `_FINDERS`.
"""

import hashlib
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePath, PurePosixPath
from typing import Any

import orjson

from medkg_lab.models.identity import FILE_SOURCE
from medkg_lab.sources import bioc, containers, jats, pubmed, registry_csv, sniff, studies, tei
from medkg_lab.sources.containers import Refused
from medkg_lab.sources.encodings import NotText, as_utf8, decode, text_head
from medkg_lab.xml_source import NotXml, local_name, parse_xml

AUTO = "auto"
PDF_PIPELINE = "pdf-two-phase"
TRIALS_SOURCE = "clinicaltrials"
ARTICLES_SOURCE = "pmc"
PARTIAL = "partial"
"""The key of a submission's metadata that says that its document holds a part of what its registry gives."""
_MAX_KEY = 1024
_FOLDER_NOTES = (
    "readme",
    "license",
    "licence",
    "changelog",
    "contributing",
    "notice",
    "manifest",
    "copying",
    "authors",
)
"""Names of texts that say what a folder is; they are documents only when they are named themselves."""


@dataclass(frozen=True)
class LocalDocument:
    """One document found in local bytes: `source` and `key` name it, `pipeline` is the one made for its format.

    A `partial` one holds less than its registry gives under the same id: it never takes the place of what is there.
    """

    data: bytes
    media_type: str
    name: str
    source: str
    key: str
    pipeline: str
    partial: bool = False


Found = LocalDocument | Refused
_Finder = Callable[[bytes, str, str], Iterator[LocalDocument]]


def documents_in(data: bytes, name: str, key: str) -> Iterator[Found]:
    """The documents in `data`; `name` is its file's name, `key` what identifies it when its content names no id of its own.

    Members of a container that are not read come as Refused, with the container's key before their path.
    """
    if sniff.sniff(data) in sniff.CONTAINERS:
        yield from _in_container(data, name, key)
    else:
        yield from _plain(data, name, key)


def why_not_read(name: str, data: bytes) -> str | None:
    """Why a file of a folder or a container is not a document, judged by its name and its beginning; None when it may be one."""
    suffix = PurePath(name).suffix.lower()
    kind = sniff.promised(name)
    if kind in sniff.PROSE and PurePath(name).stem.lower() in _FOLDER_NOTES:
        return "it says what its folder is"
    if kind == sniff.CSV and not registry_csv.is_registry_csv(text_head(data[:65_536])):
        return "not the registry's table (.csv)"
    if kind is not None or sniff.media_type(data) in (sniff.PDF, sniff.JSON, sniff.XML):
        return None
    if sniff.sniff(data) in sniff.CONTAINERS and suffix in _CONTAINERS:
        return None
    if suffix in _COMPRESSED:
        return f"compressed ({suffix}): unpack it first"
    return f"not a format that the lab reads ({suffix or 'no suffix'})"


_CONTAINERS = {".gz", ".tgz", ".tar", ".zip"}
_COMPRESSED = {".bz2", ".xz", ".zst", ".7z", ".rar", *_CONTAINERS}


def bounded_key(key: str) -> str:
    """`key` as a submission can carry it: its characters composed, at most 1,024 of them; a longer one ends in its hash."""
    key = unicodedata.normalize("NFC", key)
    if len(key) <= _MAX_KEY:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return f"{key[: _MAX_KEY - len(digest) - 1]}~{digest}"


def _in_container(data: bytes, name: str, key: str) -> Iterator[Found]:
    articles: set[str] = set()
    others: list[str] = []

    def wanted(path: str) -> bool:
        inner = PurePosixPath(path.removesuffix(".gz"))
        if inner.suffix.lower() == ".nxml":
            articles.add(_stem(str(inner)))
        if any(part.startswith(".") or part == "__MACOSX" for part in inner.parts if part not in (".", "..")):
            return False
        if sniff.promised(str(inner)) is None and inner.suffix.lower() not in ("", *_CONTAINERS):
            others.append(path)
            return False
        return True

    for member in containers.members(data, name, wanted):
        path = f"{key}/{member.name}" if member.name else key
        if isinstance(member, Refused):
            yield Refused(path, member.reason)
        elif reason := _why_not_member(member, articles):
            yield Refused(path, reason, is_other=True)
        else:
            yield from _plain(member.data, PurePosixPath(member.name).name, path)
    for path in others:
        reason = f"not a format that the lab reads ({PurePosixPath(path).suffix.lower()})"
        yield Refused(f"{key}/{path}", reason, is_other=True)


def _why_not_member(member: containers.Member, articles: set[str]) -> str | None:
    """Why a member is not a document. A package's PDF is the article that the .nxml before it, by name, gives in full."""
    if member.name.lower().endswith(".pdf") and _stem(member.name) in articles:
        return "the same article as the .nxml beside it"
    return why_not_read(PurePosixPath(member.name).name, member.data)


def _stem(path: str) -> str:
    return path.rpartition(".")[0].lower()


def _plain(data: bytes, name: str, key: str) -> Iterator[LocalDocument]:
    kind = sniff.media_type_of(data, name)
    count = 0
    if kind in _FINDERS:
        for document in _FINDERS[kind](data, name, bounded_key(key)):
            count += 1
            yield document
    if not count:
        yield _unrecognised(data, kind, name, bounded_key(key))


def _unrecognised(data: bytes, media_type: str, name: str, key: str) -> LocalDocument:
    pipeline = PDF_PIPELINE if media_type == sniff.PDF else AUTO
    return LocalDocument(data, media_type, name, FILE_SOURCE, key, pipeline)


def _named(data: bytes, media_type: str, name: str, source: str, own_key: str, key: str) -> LocalDocument:
    """A document of `source` when it names a key of its own, else one of a file."""
    return LocalDocument(data, media_type, name, source if own_key else FILE_SOURCE, bounded_key(own_key or key), AUTO)


def _in_json(data: bytes, name: str, key: str) -> Iterator[LocalDocument]:
    try:
        text, _ = as_utf8(data)
        value = orjson.loads(text)
    except NotText:
        return
    except orjson.JSONDecodeError:
        yield from _in_lines(text, name, key)
        return
    if (members := studies.members(value)) is not None:
        yield from (_member(item, f"{key}#{number}", name) for number, item in enumerate(members, 1))
    elif studies.is_study(value):
        yield _named(data, studies.MEDIA_TYPE, name, TRIALS_SOURCE, studies.study_key(value), key)
    elif bioc.collections(value):
        yield from _several(bioc.split_json(value), data, sniff.JSON, name, bioc.SOURCE, key)


def _in_lines(text: bytes, name: str, key: str) -> Iterator[LocalDocument]:
    """The documents of newline-delimited JSON, one a line, when at least its first line is JSON; a broken line is one too."""
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if len(lines) < 2 or not isinstance(_json_of(lines[0][1]), dict):
        return
    for number, line in lines:
        value = _json_of(line)
        if value is None:
            yield _unrecognised(line, sniff.JSON, name, bounded_key(f"{key}#{number}"))
        elif bioc.collections(value):
            yield from _several(bioc.split_json(value), b"", sniff.JSON, name, bioc.SOURCE, f"{key}#{number}")
        else:
            yield _member(value, f"{key}#{number}", name)


def _json_of(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None


def _member(item: Any, key: str, name: str) -> LocalDocument:
    own = studies.study_key(item) if studies.is_study(item) else ""
    return _named(studies.serialise(item), studies.MEDIA_TYPE, name, TRIALS_SOURCE, own, key)


def _several(
    parts: Iterator[tuple[bytes, str]], data: bytes, media_type: str, name: str, source: str, key: str
) -> Iterator[LocalDocument]:
    """The parts of a set as documents of their own; the only one keeps the file's bytes, `data`."""
    first = next(parts, None)
    second = next(parts, None)
    if first is None:
        return
    if second is None:
        yield _named(data or first[0], media_type, name, source, first[1], key)
        return
    for number, (part, own) in enumerate([first, second], 1):
        yield _named(part, media_type, name, source, own, f"{key}#{number}")
    for number, (part, own) in enumerate(parts, 3):
        yield _named(part, media_type, name, source, own, f"{key}#{number}")


def _in_xml(data: bytes, name: str, key: str) -> Iterator[LocalDocument]:
    try:
        root = parse_xml(data)
    except NotXml:
        return
    match local_name(root):
        case "article" if jats.is_article(root):
            yield _named(data, jats.MEDIA_TYPE, name, ARTICLES_SOURCE, jats.article_key(root), key)
        case jats.ARTICLE_SET:
            yield from _articles(jats.split_article_set(root), name, key)
        case jats.OAI:
            yield from _articles(jats.split_oai(root), name, key)
        case pubmed.RECORD_SET:
            yield from _several(pubmed.split_records(root), data, sniff.XML, name, pubmed.Pubmed.name, key)
        case "collection" if bioc.is_collection_xml(root):
            yield from _several(bioc.split_xml(root), data, sniff.XML, name, bioc.SOURCE, key)
        case "TEI" if tei.is_tei(root):
            yield _named(data, sniff.XML, name, tei.SOURCE, tei.tei_key(root), key)


def _articles(articles: Iterator[jats.Article], name: str, key: str) -> Iterator[LocalDocument]:
    for number, article in enumerate(articles, 1):
        if article.recognised:
            yield _named(article.data, jats.MEDIA_TYPE, name, ARTICLES_SOURCE, article.key, f"{key}#{number}")
        else:
            yield _unrecognised(article.data, sniff.XML, name, bounded_key(f"{key}#{number}"))


def _in_csv(data: bytes, name: str, key: str) -> Iterator[LocalDocument]:
    try:
        text = decode(data).text
        if not registry_csv.is_registry_csv(text[:65_536]):
            return
        rows = list(registry_csv.studies_in(text))
    except (NotText, registry_csv.NotRegistryCsv):
        return
    for number, (own, study) in enumerate(rows, 1):
        if isinstance(study, str):
            yield _unrecognised(study.encode(), sniff.CSV, name, bounded_key(f"{key}#{number}"))
        else:
            yield LocalDocument(studies.serialise(study), studies.MEDIA_TYPE, name, TRIALS_SOURCE, own, AUTO, True)


_FINDERS: dict[str, _Finder] = {sniff.JSON: _in_json, sniff.XML: _in_xml, sniff.CSV: _in_csv}
