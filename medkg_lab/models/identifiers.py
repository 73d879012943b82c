"""Identifiers of documents as people write them: NCT ids, PMC ids, PubMed ids and DOIs, bare, prefixed or inside an address.

Forms: DOI (ISO 26324, DOI Handbook 2.2), PMCID and PMID (NLM), NCT id (ClinicalTrials.gov). Reading is pure: whether a document
of that identifier exists is for others to find out.
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote


class Scheme(StrEnum):
    """Who gave an identifier; the value is the key under which a parsed document's `identifiers` hold it."""

    NCT = "nct"
    PMC = "pmc"
    PMID = "pmid"
    DOI = "doi"


@dataclass(frozen=True, slots=True)
class Identifier:
    """One identifier in its canonical form: `NCT01234567`, `PMC1234567`, `12345678`, or a DOI in lower case.

    `version` is the one that was named, such as 4 of `PMC5676196.4`; the version is not part of what is identified.
    """

    scheme: Scheme
    value: str
    version: int | None = None

    def __str__(self) -> str:
        return f"{self.scheme}:{self.value}"


_DOI = re.compile(r"10\.\d{4,9}(?:\.\d+)*/\S+")
_NCT = re.compile(r"(?<![A-Z0-9])NCT[\s:#_-]{0,3}(\d{8})(?!\d)", re.IGNORECASE)
_PMC = re.compile(
    r"(?<![A-Z0-9])PMC(?:ID)?[\s:#_-]{0,3}(?:PMC)?(\d{1,9})(?:(?:\.|\s?v)(\d{1,3}))?(?![\d.])", re.IGNORECASE
)
_PMID = re.compile(r"(\d{1,8})(?:\.(\d{1,3}))?")
_MARKED_PMID = re.compile(
    r"(?:pubmed\s+pmid|pmid|pubmed(?:[ _-]?id)?|(?:info:|urn:)?pmid)[\s:#/=_-]{0,3}(\d{1,8})(?:\.(\d{1,3}))?",
    re.IGNORECASE,
)
_DOI_MARK = re.compile(r"(?:info:|urn:)?doi(?:\.org)?[\s:=/]{0,3}(?=10\.|https?:)", re.IGNORECASE)
_REGISTRY_MARK = re.compile(
    r"(?:clinicaltrials(?:\.gov)?(?:\s+(?:identifier|id|number|registration))?|nct(?:[ _-]?(?:id|number))?|trial registration)"
    r"[\s:#,]{0,3}(?=NCT)",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"(?:https?://|www\.)\S+|(?:[a-z0-9-]+\.)+(?:gov|org|com|net|int|eu|uk|de)/\S+", re.IGNORECASE)
_PUBMED_PATH = re.compile(
    r"(?:pubmed(?:\.ncbi\.nlm\.nih\.gov)?[/:]|/med/)(?:\?term=)?(\d{1,8})(?![\d.])", re.IGNORECASE
)
_PMC_PATH = re.compile(r"/pmc/(?:articles/)?(\d{1,9})(?![\d.])", re.IGNORECASE)
_ARCHIVES = re.compile(r"(10\.(?:1101|64898)/\S*?\d)v(\d{1,3})")
"""bioRxiv and medRxiv write a preprint's version behind its DOI; the version is not part of the DOI."""
_VIEW = re.compile(
    r"(?:[./](?:full(?:[.-]?text)?|abstract|pdf|epdf|html?|xml|supplementary-material|meta|fulltext)|\.full\.pdf)+/?$",
    re.IGNORECASE,
)
_UNSEEN = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))
_HYPHENS = {ord(one): "-" for one in "\u2010\u2011"}
_AROUND = "<>[]{}()\"'`“”‘’«»|"
_BEHIND = ".,;:!?…"
_PAIRS = {")": "(", "]": "[", "}": "{", ">": "<"}


def parse(text: str, bare_numbers: bool = True) -> Identifier | None:
    """The one identifier that `text` is, or None when it is anything else or more than that.

    A bare number of up to eight digits is a PubMed id, unless `bare_numbers` is off.
    """
    written = text.translate(_UNSEEN).translate(_HYPHENS).strip()
    if not written or len(written) > 2048:
        return None
    plain = unicodedata.normalize("NFKC", written)
    inner = _bare(plain)
    if _ADDRESS.fullmatch(inner):
        return _in_address(inner)
    return _trial(inner) or _pmc(inner) or _doi(_bare(written)) or _pubmed(inner, bare_numbers)


def _bare(text: str) -> str:
    """`text` without brackets and quotes around it and punctuation behind it."""
    before = None
    while text != before:
        before = text
        text = text.strip().rstrip(_BEHIND).strip()
        if text and text[0] in _AROUND:
            text = text[1:]
        if text and text[-1] in _AROUND and not _closes(text):
            text = text[:-1]
    return text


def _closes(text: str) -> bool:
    """Whether the bracket at the end has its partner inside: it belongs to the identifier."""
    opener = _PAIRS.get(text[-1])
    return opener is not None and text.count(opener) >= text.count(text[-1])


def _trial(text: str) -> Identifier | None:
    text = _REGISTRY_MARK.sub("", text, count=1)
    found = _NCT.fullmatch(text)
    return Identifier(Scheme.NCT, f"NCT{found[1]}") if found else None


def _pmc(text: str) -> Identifier | None:
    found = _PMC.fullmatch(text)
    return _numbered(Scheme.PMC, found[1], found[2]) if found else None


def _pubmed(text: str, bare_numbers: bool) -> Identifier | None:
    found = _MARKED_PMID.fullmatch(text)
    if found is None and bare_numbers and text.isascii() and text.isdigit():
        found = _PMID.fullmatch(text)
    return _numbered(Scheme.PMID, found[1], found[2]) if found else None


def _numbered(scheme: Scheme, digits: str, version: str | None) -> Identifier | None:
    number = digits.lstrip("0")
    if not number or not digits.isascii():
        return None
    prefix = "PMC" if scheme is Scheme.PMC else ""
    return Identifier(scheme, f"{prefix}{number}", int(version) if version else None)


def _doi(text: str) -> Identifier | None:
    while mark := _DOI_MARK.match(text):
        text = text[mark.end() :]
    if _ADDRESS.fullmatch(text):
        return _in_address(text)
    return _canonical_doi(text)


def _canonical_doi(text: str) -> Identifier | None:
    name = _bare(text).lower()
    if not _DOI.fullmatch(name):
        return None
    found = _ARCHIVES.fullmatch(name)
    return Identifier(Scheme.DOI, found[1], int(found[2])) if found else Identifier(Scheme.DOI, name)


def _in_address(address: str) -> Identifier | None:
    """The identifier that a web address leads to: of a DOI resolver, a publisher, NLM, or a registry."""
    address = unquote(address)
    if found := re.search(r"10\.\d{4,9}(?:\.\d+)*/[^\s?#&]+", address):
        return _canonical_doi(_VIEW.sub("", _bare(found[0].rstrip("/"))))
    if found := _NCT.search(address):
        return Identifier(Scheme.NCT, f"NCT{found[1]}")
    if found := _PMC.search(address):
        return _numbered(Scheme.PMC, found[1], found[2])
    if found := _PMC_PATH.search(address):
        return _numbered(Scheme.PMC, found[1], None)
    found = _PUBMED_PATH.search(address)
    return _numbered(Scheme.PMID, found[1], None) if found else None


_WRITTEN_IN_REFERENCE = re.compile(
    r"(?P<doi>10\.\d{4,9}(?:\.\d+)*/\S+)"
    r"|(?<![\w-])(?:(?P<pmc>PMC\s?\d{1,9})|(?:pmid|pubmed(?: id)?)[\s:]{0,3}(?P<marked>\d{1,8})|(?P<bare>\d{7,8}))(?![\w/-])",
    re.IGNORECASE,
)


def in_reference(text: str) -> tuple[Identifier, ...]:
    """The DOIs, PMC ids and PubMed ids that a reference of a bibliography gives, each once, in their order.

    Readers write the elements of a reference without their types, so a number of seven or eight digits alone is a PubMed id:
    years, volumes and pages are shorter.
    """
    found = []
    for match in _WRITTEN_IN_REFERENCE.finditer(text):
        pmid = match["marked"] or match["bare"]
        written = f"pmid:{pmid}" if pmid else f"doi:{match['doi']}" if match["doi"] else match["pmc"]
        if (one := parse(written)) is not None:
            found.append(one)
    return tuple(dict.fromkeys(found))
