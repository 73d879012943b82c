"""What a published document says of itself, in the form in which searches ask for it: pure readings of its metadata."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medkg_lab.knowledge.analysis import atoms
from medkg_lab.models import identity

Atoms = tuple[str, ...]

FIELDS = ("author", "country", "id", "journal", "phase", "relation", "results", "source", "status", "year")
"""Fields of a document as a whole; `relation` is answered by the graph."""

_YEARS = re.compile(r"(\d{4})")
_SPAN = re.compile(r"(\d{4})?\s*(?:-|–|\.\.)\s*(\d{4})?")
_BOUND = re.compile(r"(>=|<=|>|<)\s*(\d{4})")
_ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4"}
_PHASES = ("early1", "1", "2", "3", "4", "na")
_YES_NO = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
_FIRST_YEAR, _LAST_YEAR = 0, 9999
_COUNTRIES = {
    "us": "united states",
    "usa": "united states",
    "united states of america": "united states",
    "uk": "united kingdom",
    "great britain": "united kingdom",
    "south korea": "korea republic of",
    "korea": "korea republic of",
    "turkey": "turkiye",
    "russia": "russian federation",
    "iran": "iran islamic republic of",
    "czech republic": "czechia",
}
"""Countries as people write them, by the registry's name, both as atoms."""


class BadValue(ValueError):
    """A field was given something that it cannot be."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One condition on a document: its `field` has `value`, or begins with it; `years` are the first and last of a span."""

    field: str
    value: str
    is_prefix: bool = False
    years: tuple[int, int] = (_FIRST_YEAR, _LAST_YEAR)

    @classmethod
    def read(cls, field: str, text: str, is_prefix: bool = False) -> "Fact":
        """The condition as a person writes its value. Raises BadValue, whose text says what the field takes."""
        match field:
            case "year":
                return cls(field, text, years=read_years(text))
            case "phase":
                return cls(field, _phase(text))
            case "results":
                if text.lower() not in _YES_NO:
                    raise BadValue(f"results is yes or no, not {text}")
                return cls(field, "yes" if _YES_NO[text.lower()] else "no")
            case "status" | "relation":
                return cls(field, "_".join(atoms(text)))
            case "source" | "id":
                return cls(field, text.strip(), is_prefix)
            case _:
                if not (found := atoms(text)):
                    raise BadValue(f"{field} has no word in it")
                return cls(field, " ".join(found), is_prefix)


def read_years(text: str) -> tuple[int, int]:
    """First and last year of `2020`, `2018-2021`, `2018-`, `-2021`, `>=2018` or `<2000`. Raises BadValue."""
    given = text.strip()
    if match := _YEARS.fullmatch(given):
        return int(given), int(given)
    if (match := _SPAN.fullmatch(given)) and any(match.groups()):
        first, last = int(match[1] or _FIRST_YEAR), int(match[2] or _LAST_YEAR)
        if first > last:
            raise BadValue(f"the years {text} end before they begin")
        return first, last
    if match := _BOUND.fullmatch(given):
        year = int(match[2])
        return {
            ">=": (year, _LAST_YEAR),
            ">": (year + 1, _LAST_YEAR),
            "<=": (_FIRST_YEAR, year),
            "<": (_FIRST_YEAR, year - 1),
        }[match[1]]
    raise BadValue(f"year is such as 2020, 2018-2021, >=2018 or <2000, not {text}")


def _phase(text: str) -> str:
    """A phase as a number; `2/3` is both, separated by a space."""
    if len(parts := text.split("/")) > 1:
        return " ".join(_phase(part) for part in parts)
    found = "".join(atoms(text)).removeprefix("phase")
    found = _ROMAN.get(found, found)
    if found in ("early", "earlyi", "0", "earlyphase1", "earlyphasei"):
        found = "early1"
    if found in ("notapplicable", "none"):
        found = "na"
    if found not in _PHASES:
        raise BadValue(f"phase is 1, 2, 3, 4, early1 or na, not {text}")
    return found


@dataclass(frozen=True, slots=True)
class Facts:
    """What one document says of itself. Names are atoms, ids canonical; `links` are the ids that each relation names."""

    doc_id: str
    source: str
    title: Atoms
    identifiers: frozenset[str]
    authors: tuple[Atoms, ...] = ()
    journal: Atoms = ()
    year: int | None = None
    phases: frozenset[str] = frozenset()
    status: str = ""
    countries: tuple[Atoms, ...] = ()
    has_results: bool | None = None
    is_preprint: bool = False
    version: int = 0
    fate: str = ""
    """What became of it: `retracted`, `under concern`, or nothing that a reader must know."""
    notice: str = ""
    """What it is a notice of, such as `retraction`, if it is one."""
    same_as: frozenset[str] = frozenset()
    """Identifiers of other versions of it, as it names them: the article of a preprint, or the preprint of an article."""
    retracted_by: frozenset[str] = frozenset()
    """Identifiers of the notices that retract it, as it names them."""
    retracts: frozenset[str] = frozenset()
    """Identifiers of the articles that it retracts."""


def meets(facts: Facts, fact: Fact) -> bool:
    """Whether a document meets a condition on any field but `relation`."""
    match fact.field:
        case "year":
            return facts.year is not None and fact.years[0] <= facts.year <= fact.years[1]
        case "phase":
            return facts.phases.issuperset(fact.value.split(" "))
        case "status":
            return bool(facts.status) and (facts.status == fact.value)
        case "results":
            return facts.has_results is not None and facts.has_results == (fact.value == "yes")
        case "source":
            return facts.source.lower() == fact.value.lower()
        case "id":
            return not facts.identifiers.isdisjoint(lookup_keys(fact.value))
        case "country":
            wanted = {fact.value, _COUNTRIES.get(fact.value, fact.value)}
            return any(holds(country, one.split(" "), fact.is_prefix) for country in facts.countries for one in wanted)
        case "journal":
            return holds(facts.journal, tuple(fact.value.split(" ")), fact.is_prefix)
        case _:
            return any(names(author, fact.value.split(" "), fact.is_prefix) for author in facts.authors)


def holds(text: Atoms, wanted: Sequence[str], is_prefix: bool = False) -> bool:
    """Whether `wanted` stands in `text` as a row; with `is_prefix` its last atom may go on."""
    last = len(wanted) - 1
    return any(
        all(
            text[at + n] == atom or (is_prefix and n == last and text[at + n].startswith(atom))
            for n, atom in enumerate(wanted)
        )
        for at in range(len(text) - last)
    )


def names(author: Atoms, wanted: Sequence[str], is_prefix: bool = False) -> bool:
    """Whether all of `wanted` stand in one author's name, in any order, given names as initials too: `Smith J`, `JA Smith`."""
    left = list(author)
    for position, atom in enumerate(wanted):
        whole = next((one for one in left if one == atom), None)
        begun = is_prefix and position == len(wanted) - 1
        if whole is None and begun:
            whole = next((one for one in left if one.startswith(atom)), None)
        if whole is not None:
            left.remove(whole)
        elif not _are_initials(atom, left):
            return False
    return True


_MAX_INITIALS = 3


def _are_initials(atom: str, left: list[str]) -> bool:
    """Whether each letter of `atom` begins another of the names in `left`, which are then used up."""
    if len(atom) > _MAX_INITIALS:
        return False
    for letter in atom:
        named = next((one for one in left if one[0] == letter), None)
        if named is None:
            return False
        left.remove(named)
    return True


_IDENTIFIERS = ("doi", "nct", "org_study_id", "pmc", "pmcid", "pmid", "secondary_ids")
"""Keys of a document's metadata that hold identifiers."""
_NCT = re.compile(r"NCT[\s:#_-]{0,3}(\d{8})", re.IGNORECASE)
_PMC = re.compile(r"PMC(?:ID)?[\s:#_-]{0,3}(?:PMC)?(\d{1,9})(?:\.\d{1,3})?", re.IGNORECASE)
_PMID = re.compile(r"(?:PMID[\s:#_-]{0,3})?(\d{1,8})", re.IGNORECASE)
_DOI = re.compile(r"(?:doi:?\s*)?(10\.\d{4,9}/\S+)", re.IGNORECASE)
_DOI_IN_ADDRESS = re.compile(r"10\.\d{4,9}/[^\s?#]+")
_LAST_OF_ADDRESS = re.compile(r"https?://[^?#]*?([^/?#]+)/?(?:[?#].*)?", re.IGNORECASE)


def identifier(text: str) -> str | None:
    """The identifier that `text` is, as `scheme:value`, however it is written; None when it is none."""
    given = text.strip().rstrip(".,;)")
    is_address = given.lower().startswith(("http://", "https://"))
    if is_address and (match := _DOI_IN_ADDRESS.search(given) or _LAST_OF_ADDRESS.fullmatch(given)):
        given = match[match.lastindex or 0]
    for scheme, pattern, prefix in (("nct", _NCT, "NCT"), ("pmc", _PMC, "PMC"), ("pmid", _PMID, ""), ("doi", _DOI, "")):
        if match := pattern.fullmatch(given):
            return f"{scheme}:{prefix}{match.group(1)}".casefold()
    return None


def lookup_keys(text: str) -> frozenset[str]:
    """What a document's `identifiers` hold if `text` is one of them: the text itself, or the identifier that it writes."""
    own = text.strip().casefold()
    return frozenset({own, found} if (found := identifier(text)) else {own})


_DOI_VERSION = re.compile(r"(doi:10\.12688/.+)\.(\d{1,2})|(doi:.*\d)[./]?v(\d{1,3})")
"""DOIs with a version behind: F1000's platforms number them, archives of preprints write v2, .v2 or /v2."""
_ARCHIVES = (
    "doi:10.1101/",
    "doi:10.64898/",
    "doi:10.21203/",
    "doi:10.20944/",
    "doi:10.48550/",
    "doi:10.31219/",
    "doi:10.2139/",
)
"""Prefixes of DOIs that archives of preprints give: bioRxiv and medRxiv, Research Square, Preprints.org, arXiv, OSF, SSRN."""


def unversioned(identifier: str) -> tuple[str, int]:
    """An identifier without the version that it names, and that version, 0 for none."""
    match = _DOI_VERSION.fullmatch(identifier)
    if match is None:
        return identifier, 0
    return (match[1], int(match[2])) if match[1] else (match[3], int(match[4]))


_RETRACTED = re.compile(r"\[?(?:retracted(?: article)?|withdrawn)\b\]?\s*[:.\]]", re.IGNORECASE)
_FATES = ("retracted", "under concern")


def read_facts(doc_id: str, source: str, title: str, metadata: Mapping[str, Any]) -> Facts:
    """The facts of a document from its metadata; what is missing or of another form there is missing here."""
    values = {key: _texts(value) for key, value in metadata.items()}

    def first(key: str) -> str:
        return next(iter(values.get(key, ())), "")

    ids = {key for name in _IDENTIFIERS for value in values.get(name, ()) for key in lookup_keys(value)}
    bare = {unversioned(key) for key in ids}
    ids |= {key for key, _ in bare} | {doc_id.casefold(), identity.plain(doc_id).casefold()}
    links = _links(values)
    kind = first("article_type").lower()
    is_retracted = metadata.get("retracted") is True or bool(links["retracted_by"] or _RETRACTED.match(title))
    notice = first("notice") or ("retraction" if kind == "retraction" or links["retracts"] else "")
    fate = "retracted" if is_retracted else first("publication_status")
    return Facts(
        doc_id=doc_id,
        source=source,
        title=tuple(atoms(title)),
        identifiers=frozenset(ids),
        authors=tuple(filter(None, (tuple(atoms(name)) for name in values.get("authors", ())))),
        journal=tuple(atoms(first("journal"))),
        year=int(known) if (known := first("year") or first("start_date")[:4]).isdecimal() else None,
        phases=frozenset(_phase_of(value) for value in values.get("phases", ())),
        status="_".join(atoms(first("status"))),
        countries=tuple(tuple(atoms(country)) for country in values.get("countries", ())),
        has_results=metadata["has_results"] if isinstance(metadata.get("has_results"), bool) else None,
        is_preprint="preprint" in kind or any(key.startswith(_ARCHIVES) for key in ids),
        version=max((number for _, number in bare), default=0) or _number(first("version")),
        fate=fate if fate in _FATES and not notice else "",
        notice=notice,
        **links,
    )


_RELATED = "related_articles"
"""The key of a document's metadata that lists relations: each a type, a space, and an identifier."""
_SAME = """article-version preprint has-preprint is-preprint-of preprint-of published-article version-of-record version-of
is-version-of has-version earlier-version later-version updated-article update update-of update-in republished-article
republished-from republished-in corrected-and-republished-from corrected-and-republished-in"""
_RELATIONS = {
    "same_as": _SAME,
    "retracted_by": """retraction-forward retraction retracted-by retraction-in partial-retraction-in withdrawal
withdrawal-forward removal-forward""",
    "retracts": """retracted-article partially-retracted-article withdrawn-article removed-article partial-retraction retracts
retraction-of partial-retraction-of""",
}
_SAYS = {name.replace("-", ""): kind for kind, names in _RELATIONS.items() for name in names.split()}
"""What types of relations say here, by their letters: those of JATS (related-article-type), PubMed (RefType) and Crossref."""


def _links(values: Mapping[str, Sequence[str]]) -> dict[str, frozenset[str]]:
    """The identifiers that a document's metadata names as other versions, as its retraction, or as what it retracts."""
    found: dict[str, set[str]] = {name: set() for name in _RELATIONS}
    for text in values.get(_RELATED, ()):
        relation, _, target = text.partition(" ")
        kind = _SAYS.get(re.sub("[^a-z]", "", relation.lower()))
        if kind is not None and (one := identifier(target)):
            found[kind].add(unversioned(one)[0])
    return {name: frozenset(ids) for name, ids in found.items()}


def _texts(value: Any) -> list[str]:
    """A value of the metadata as texts."""
    given = value if isinstance(value, list) else [value]
    return [str(one) for one in given if isinstance(one, str | int) and not isinstance(one, bool)]


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _phase_of(text: str) -> str:
    """A phase of the registry, such as PHASE2 or EARLY_PHASE1, as `Fact.read` has it."""
    try:
        return _phase(text)
    except BadValue:
        return text.casefold()
