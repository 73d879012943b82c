"""What a JATS article says of itself: identifiers, authors, journal, dates, licence and keywords."""

from dataclasses import dataclass, field

from medkg_lab.models.documents import Code, Place
from medkg_lab.stages.parse.jats_inline import inline_text
from medkg_lab.stages.parse.jats_statements import Metadata, read_fate, read_related, read_statements
from medkg_lab.stages.parse.paths import Paths
from medkg_lab.stages.parse.xml import Element, child, children, descend, local_name

_XLINK = "{http://www.w3.org/1999/xlink}href"
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_LICENCE_CHARACTERS = 600
_NOT_SUBJECTS = {"abbreviations", "abbr", "abr"}


@dataclass
class Front:
    """The article's front matter, ready for a Document."""

    title: str = ""
    title_element: Element | None = None
    language: str = "en"
    identifiers: dict[str, str] = field(default_factory=dict)
    metadata: Metadata = field(default_factory=dict)
    codes: list[Code] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def read_front(article: Element, paths: Paths) -> Front:
    """Read `article`'s front matter; anything may be missing."""
    front = Front(language=(article.get(_LANG) or "en").strip().lower().replace("_", "-") or "en")
    if kind := article.get("article-type"):
        front.metadata["article_type"] = kind
    head = child(article, "front", "front-stub")
    meta = descend(head, "article-meta")
    meta = meta if meta is not None else head
    if meta is None:
        return front
    _title(front, meta)
    front.identifiers = _identifiers(meta)
    _journal(front.metadata, head)
    _article(front.metadata, meta)
    _licence(front.metadata, meta)
    read_statements(front.metadata, article, meta)
    related = read_related(meta, paths)
    front.warnings = read_fate(front.metadata, front.title, related)
    front.codes = [*_keywords(meta, front.language, paths), *related]
    return front


def _title(front: Front, meta: Element) -> None:
    group = child(meta, "title-group")
    if group is not None:
        front.title_element = child(group, "article-title")
        parts = [inline_text(part) for part in children(group, "article-title", "subtitle")]
        front.title = ": ".join(filter(None, parts))


def _identifiers(meta: Element) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in children(meta, "article-id"):
        kind, value = item.get("pub-id-type", ""), (item.text or "").strip()
        if kind in ("pmc", "pmcid") and value:
            digits = value.upper().removeprefix("PMC").partition(".")[0]
            found["pmc"] = f"PMC{digits}"
        elif kind in ("pmid", "doi") and value:
            found[kind] = value
    return found


def _journal(metadata: Metadata, head: Element | None) -> None:
    journal = descend(head, "journal-meta")
    if journal is None:
        return
    titles = [item for item in journal.iter() if local_name(item) == "journal-title"]
    _put(metadata, "journal", titles[0] if titles else None)
    _put(metadata, "publisher", descend(journal, "publisher", "publisher-name"))
    _put(metadata, "issn", child(journal, "issn"))


def _article(metadata: Metadata, meta: Element) -> None:
    for name in ("volume", "issue", "fpage", "lpage"):
        _put(metadata, {"fpage": "first_page", "lpage": "last_page"}.get(name, name), child(meta, name))
    years = [year.text or "" for date in children(meta, "pub-date") for year in children(date, "year")]
    if numbers := [int(year) for year in map(str.strip, years) if year.isdecimal() and len(year) == 4]:
        metadata["year"] = min(numbers)
    authors = [
        _person(person)
        for group in children(meta, "contrib-group")
        for person in children(group, "contrib")
        if person.get("contrib-type", "author") == "author"
    ]
    if authors := [author for author in authors if author]:
        metadata["authors"] = authors
    subjects = [inline_text(item) for item in meta.iter() if local_name(item) == "subject"]
    if subjects := list(dict.fromkeys(filter(None, subjects))):
        metadata["subjects"] = subjects


def _person(person: Element) -> str:
    for item in person.iter():
        name = local_name(item)
        if name == "name":
            parts = (child(item, part) for part in ("given-names", "surname", "suffix"))
            return " ".join(inline_text(part) for part in parts if part is not None)
        if name in ("collab", "string-name"):
            return inline_text(item)
    return ""


def _licence(metadata: Metadata, meta: Element) -> None:
    licence = descend(meta, "permissions", "license")
    if licence is None:
        return
    links = [link for item in licence.iter() if (link := item.get(_XLINK))]
    links += [(item.text or "").strip() for item in licence.iter() if local_name(item) == "license_ref"]
    if links:
        metadata["licence"] = links[0]
    if text := inline_text(licence):
        metadata["licence_text"] = text[:_LICENCE_CHARACTERS]


def _keywords(meta: Element, language: str, paths: Paths) -> list[Code]:
    codes = []
    for group in children(meta, "kwd-group"):
        same = (group.get(_LANG) or language).lower()[:2] == language[:2]
        if not same or (group.get("kwd-group-type") or "").lower() in _NOT_SUBJECTS:
            continue
        for item in group.iter():
            if local_name(item) in ("kwd", "compound-kwd") and (term := inline_text(item)):
                place = Place(element=paths.of(item))
                codes.append(Code(scheme="free", code=None, term=term, role="keyword", place=place))
    return codes


def _put(metadata: Metadata, key: str, element: Element | None) -> None:
    if element is not None and (text := inline_text(element)):
        metadata[key] = text
