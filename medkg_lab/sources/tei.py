"""TEI as GROBID writes it (https://grobid.readthedocs.io): articles read from PDFs, with a header, a text and references."""

from lxml import etree

from medkg_lab.models.identifiers import Scheme, parse
from medkg_lab.xml_source import local_name, text_of

SOURCE = "tei"
_ORDER = (Scheme.DOI, Scheme.PMC, Scheme.PMID)


def is_tei(root: etree._Element) -> bool:
    """Whether `root` is a TEI text with a header."""
    return local_name(root) == "TEI" and any(local_name(child) == "teiHeader" for child in root)


def identifiers(root: etree._Element) -> dict[str, str]:
    """What the header says the article's identifiers are, by scheme; those of its references are not its own."""
    found: dict[str, str] = {}
    for item in root.iterfind("{*}teiHeader//{*}idno"):
        one = parse(f"{item.get('type') or ''}:{text_of(item)}") or parse(text_of(item), bare_numbers=False)
        if one is not None:
            found.setdefault(str(one.scheme), one.value)
    return found


def tei_key(root: etree._Element) -> str:
    """The article's DOI, PMC id or PubMed id, or an empty string."""
    found = identifiers(root)
    return next((found[scheme] for scheme in _ORDER if scheme in found), "")
