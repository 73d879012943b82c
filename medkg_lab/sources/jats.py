"""JATS articles as sources deliver them: telling them from other XML, their ids, and one article out of a set.

JATS is ANSI/NISO Z39.96; `pmc-articleset` is the wrapper that NCBI's efetch puts around articles, OAI-PMH the one of harvesting.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from medkg_lab.xml_source import local_name, text_of

MEDIA_TYPE = "application/jats+xml"
ARTICLE_SET = "pmc-articleset"
OAI = "OAI-PMH"
_PMC_TYPES = ("pmc", "pmcid", "pmc-uid", "pmcid-ver")


@dataclass(frozen=True)
class Article:
    """One article of an article set: `key` is its PMC id, else its DOI, else empty; `recognised` says that it is JATS."""

    data: bytes
    key: str
    recognised: bool


def is_article(root: etree._Element) -> bool:
    """Whether `root` is a JATS article: an `article` with a `front`."""
    return local_name(root) == "article" and any(local_name(child) == "front" for child in root)


def article_key(root: etree._Element) -> str:
    """The article's own PMC id as `PMC1234567`, else its DOI, else an empty string."""
    ids: dict[str, str] = {}
    for found in root.findall("{*}front/{*}article-meta/{*}article-id"):
        ids.setdefault(found.get("pub-id-type", ""), text_of(found))
    for kind in _PMC_TYPES:
        if match := re.fullmatch(r"(?:PMC)?(\d{1,12})(?:\.\d{1,3})?", ids.get(kind, ""), re.IGNORECASE):
            return f"PMC{match.group(1)}"
    return ids.get("doi", "").lower()


def split_article_set(root: etree._Element) -> Iterator[Article]:
    """The members of a `pmc-articleset`, each as a document of its own with the set's DOCTYPE.

    The DOCTYPE is kept because an entity that only the absent DTD declares is well-formed with it and an error without.
    """
    doctype = root.getroottree().docinfo.doctype.replace(ARTICLE_SET, "article", 1)  # type: ignore[attr-defined]
    for child in root:
        if isinstance(child.tag, str):
            yield Article(_serialise(child, doctype), article_key(child), is_article(child))


def split_oai(root: etree._Element) -> Iterator[Article]:
    """The JATS articles in the records of an OAI-PMH answer (https://www.openarchives.org/OAI/openarchivesprotocol.html)."""
    for metadata in root.iterfind(".//{*}record/{*}metadata"):
        for child in metadata:
            if isinstance(child.tag, str):
                yield Article(_serialise(child, ""), article_key(child), is_article(child))


def _serialise(element: etree._Element, doctype: str) -> bytes:
    declaration = {"doctype": doctype} if doctype else {}
    return bytes(etree.tostring(element, encoding="UTF-8", xml_declaration=True, with_tail=False, **declaration))  # type: ignore[call-overload]
