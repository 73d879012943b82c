"""What a JATS article declares besides its text: affiliations, ORCID iDs, funding, interests, data, and what became of it.

Elements by https://jats.nlm.nih.gov/archiving/tag-library/, types of related articles by JATS4R's recommendations.
"""

import re
from collections.abc import Iterator

from medkg_lab.models.documents import Code, Place
from medkg_lab.stages.parse.jats_inline import inline_text, parted_text
from medkg_lab.stages.parse.paths import Paths
from medkg_lab.stages.parse.text import squeeze, words
from medkg_lab.stages.parse.xml import Element, child, children, local_name

Metadata = dict[str, str | int | float | bool | list[str]]

_XLINK = "{http://www.w3.org/1999/xlink}href"
_ORCID = re.compile(r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]")
_INTERESTS = re.compile(
    r"(conflicts?|competing|declarations?|disclosures?) (of )?(competing )?(financial )?interests?", re.I
)
_AVAILABILITY = re.compile(
    r"(data|code|materials?)( and \w+)? (availability|sharing|accessibility|access)|availability of data", re.I
)
_FUNDING = re.compile(r"(source of )?(funding|financial (support|disclosure)|grant support)", re.I)
_INTEREST_TYPES = words("conflict COI-statement coi-statement conflict-interest competing-interests")
_FUNDING_TYPES = words("financial-disclosure funding-information funding supported-by")
_AVAILABILITY_TYPES = words("data-availability data-availability-statement data-accessibility")
_LONGEST_HEADING = 80
_INSTITUTION_ID = re.compile(
    r"https?://(?:ror\.org|(?:www\.)?grid\.ac|isni\.org|dx\.doi\.org/10\.13039)\S*|\bgrid\.\d+\.\w+"
)

_FATES = {
    "retraction-forward": "retracted",
    "retraction": "retracted",
    "retracted-by": "retracted",
    "withdrawal-forward": "retracted",
    "withdrawal": "retracted",
    "removal-forward": "retracted",
    "correction-forward": "corrected",
    "correction": "corrected",
    "addended-by": "corrected",
    "concern-forward": "under concern",
    "expression-of-concern": "under concern",
    "object-of-concern-forward": "under concern",
}
"""What a link to a notice says of the article that has it."""
_NOTICES = {
    "retraction": "retraction",
    "partial-retraction": "partial retraction",
    "withdrawal": "withdrawal",
    "removal": "removal",
    "correction": "correction",
    "corrected-republished-article": "correction",
    "expression-of-concern": "expression of concern",
    "addendum": "addendum",
}
"""Types of articles that are notices of others."""
_SUBJECTS = words(
    """retracted-article partially-retracted-article withdrawn-article removed-article corrected-article object-of-concern
    addended-article partial-retraction"""
)
_TITLE_OF_NOTICE = re.compile(
    r"\W*(retraction|withdrawal|removal|expression of concern|correction|corrigendum|erratum|addendum)\b", re.IGNORECASE
)
_TITLE_RETRACTED = re.compile(r"\[?(retracted( article)?|withdrawn)\b\]?\s*[:.\]]", re.IGNORECASE)
_GRAVITY = ("retracted", "under concern", "corrected")
_SAID = {
    "retracted": "is retracted",
    "under concern": "is under an expression of concern",
    "corrected": "was corrected",
}


def read_statements(metadata: Metadata, article: Element, meta: Element) -> None:
    """Add what the article declares to `metadata`; statements of the back matter count, which stay in the text as well."""
    found: dict[str, list[str]] = {
        "affiliations": [_labelled(item) for item in meta.iter() if local_name(item) == "aff"],
        "orcids": list(_orcids(meta)),
        "corresponding": [
            inline_text(item) for notes in children(meta, "author-notes") for item in children(notes, "corresp")
        ],
        "funding": list(_funding(meta)),
        "author_notes": [],
        "conflicts_of_interest": [],
        "data_availability": [],
    }
    for notes in children(meta, "author-notes"):
        for item in children(notes, "fn", "p"):
            found[_kind_of(item) or "author_notes"].append(_labelled(item))
    for item in meta.iter():
        if local_name(item) == "custom-meta":
            name, value = child(item, "meta-name"), child(item, "meta-value")
            if name is not None and value is not None and _AVAILABILITY.search(inline_text(name)):
                found["data_availability"].append(inline_text(value))
    for item in _declared_behind(article):
        if kind := _kind_of(item):
            found[kind].append(_labelled(item))
    metadata |= {key: kept for key, texts in found.items() if (kept := list(dict.fromkeys(filter(None, texts))))}


def _labelled(item: Element) -> str:
    """The text of an affiliation or note, its label apart from its first word."""
    label = child(item, "label")
    if local_name(item) == "aff":
        # The number of an institution in a register says nothing to who reads.
        text = _INSTITUTION_ID.sub("", parted_text(item, label))
        return text if label is None else squeeze(f"[{inline_text(label)}] {text}")
    if label is None:
        return inline_text(item)
    rest = [inline_text(part) for part in item if part is not label and local_name(part) == "p"]
    text = (
        " ".join(rest) if rest and not squeeze(label.tail or "") else inline_text(item).removeprefix(inline_text(label))
    )
    return squeeze(f"[{inline_text(label)}] {text}")


def _orcids(meta: Element) -> Iterator[str]:
    for person in meta.iter():
        if local_name(person) != "contrib":
            continue
        for item in person.iter():
            if local_name(item) in ("contrib-id", "ext-link", "uri"):
                number = _ORCID.search((item.text or "") + " " + (item.get(_XLINK) or ""))
                if number:
                    yield squeeze(f"{_name(person)} {number[0]}")
                    break


def _name(person: Element) -> str:
    name = next((item for item in person.iter() if local_name(item) == "name"), None)
    parts = [child(name, part) for part in ("given-names", "surname")] if name is not None else []
    return " ".join(inline_text(part) for part in parts if part is not None)


def _funding(meta: Element) -> Iterator[str]:
    for group in children(meta, "funding-group"):
        for award in children(group, "award-group"):
            sources = [inline_text(item) for item in children(award, "funding-source")]
            numbers = [inline_text(item) for item in children(award, "award-id")]
            yield ", ".join(filter(None, [*sources, *numbers]))
        yield from (inline_text(item) for item in children(group, "funding-statement", "open-access"))
    yield from (inline_text(item) for item in children(meta, "contract-sponsor"))


def _declared_behind(article: Element) -> Iterator[Element]:
    back = child(article, "back")
    for item in back.iter() if back is not None else ():
        if local_name(item) in ("fn", "notes", "sec", "ack"):
            yield item


def _kind_of(item: Element) -> str:
    """Which statement a note or section is, by its type or, without one, by its heading or first words; "" for another."""
    given = item.get("fn-type") or item.get("sec-type") or item.get("notes-type") or ""
    if given in _INTEREST_TYPES:
        return "conflicts_of_interest"
    if given in _FUNDING_TYPES:
        return "funding"
    if given in _AVAILABILITY_TYPES:
        return "data_availability"
    title = child(item, "title")
    head = inline_text(title) if title is not None else inline_text(item)
    head = (
        head[:_LONGEST_HEADING]
        if title is None and local_name(item) in ("fn", "p")
        else head
        if title is not None
        else ""
    )
    for kind, pattern in (
        ("conflicts_of_interest", _INTERESTS),
        ("data_availability", _AVAILABILITY),
        ("funding", _FUNDING),
    ):
        if pattern.match(head.lstrip("*†‡ ")):
            return kind
    return ""


def read_related(meta: Element, paths: Paths) -> list[Code]:
    """The articles that this one names as related: `role` is the type of the relation, such as `retraction-forward`."""
    codes = []
    for item in children(meta, "related-article", "related-object"):
        kind = item.get("related-article-type") or item.get("link-type") or "related"
        written = squeeze(item.get(_XLINK) or inline_text(item))
        scheme, value = _identifier(written, item.get("ext-link-type") or "")
        if written:
            place = Place(element=paths.of(item))
            codes.append(Code(scheme=scheme, code=value, term=inline_text(item) or written, role=kind, place=place))
    return codes


def _identifier(written: str, kind: str) -> tuple[str, str | None]:
    found = re.search(r"10\.\d{4,9}/\S+", written)
    if found:
        return "doi", found[0]
    if kind in ("pmid", "pubmed") and written.isdecimal():
        return "pmid", written
    return "free", None


def read_fate(metadata: Metadata, title: str, related: list[Code]) -> list[str]:
    """Say in `metadata` what became of the article (`publication_status`, `retracted`), or of which it is a notice; warn."""
    kind = str(metadata.get("article_type", ""))
    if related:
        metadata["related_articles"] = [f"{code.role} {code.code or code.term}" for code in related]
    of = [code.code or code.term for code in related if code.role in _SUBJECTS]
    titled = _TITLE_OF_NOTICE.match(title) if of else None
    if notice := _NOTICES.get(kind) or (titled[1].lower() if titled else ""):
        metadata["notice"] = notice
        if of:
            metadata["notice_of"] = of
        return [f"this is a notice: {notice}" + (f" of {', '.join(of)}" if of else "")]
    said = {_FATES[code.role] for code in related if code.role in _FATES}
    if kind == "retracted-article" or _TITLE_RETRACTED.match(title):
        said.add("retracted")
    status = next((one for one in _GRAVITY if one in said), None)
    if status is None:
        return []
    metadata["publication_status"] = status
    metadata["retracted"] = status == "retracted"
    notices = [code.code or code.term for code in related if _FATES.get(code.role) == status]
    if notices:
        metadata["notices"] = notices
    return [f"this article {_SAID[status]}" + (f": see {', '.join(notices)}" if notices else "")]
