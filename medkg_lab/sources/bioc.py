"""BioC collections (http://bioc.sourceforge.net) in XML and in JSON, as PubMed Central, PubTator and corpora give them.

Documents of one collection are told apart here; what they say is for the parse stage.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from lxml import etree

from medkg_lab.models.identifiers import Scheme, parse
from medkg_lab.xml_source import local_name, text_of

SOURCE = "bioc"
_MARKS = {Scheme.PMC: "article-id_pmc", Scheme.PMID: "article-id_pmid", Scheme.DOI: "article-id_doi"}
_WRAPPERS = ("PubTator3", "documents")


def is_collection_xml(root: etree._Element) -> bool:
    """Whether `root` is a BioC collection: a `collection` with documents that have passages."""
    return local_name(root) == "collection" and root.find("document") is not None


def is_document(value: Any) -> bool:
    """Whether `value` is a BioC document: an object with a list of passages."""
    return isinstance(value, dict) and isinstance(value.get("passages"), list)


def collections(value: Any) -> list[dict[str, Any]] | None:
    """The collections in a JSON value, each an object with a list of documents; None when there is no BioC in it.

    A collection alone, a list of them as PMC's service gives it, and documents without a collection as PubTator gives them.
    """
    if is_document(value):
        return [{"documents": [value]}]
    if isinstance(value, list) and value and all(map(is_document, value)):
        return [{"documents": value}]
    found = [
        {**one, "documents": documents}
        for one in (value if isinstance(value, list) else [value])
        if isinstance(one, dict)
        for wrapper in _WRAPPERS
        if isinstance(documents := one.get(wrapper), list) and documents and any(map(is_document, documents))
    ]
    return found or None


def split_json(value: Any) -> Iterator[tuple[bytes, str]]:
    """Each document of the collections in `value` as a collection of its own, with its identifier or an empty string."""
    for collection in collections(value) or ():
        source = str(collection.get("source") or "")
        for document in collection["documents"]:
            alone = {"documents": [document], "source": source}
            yield orjson.dumps(alone, option=orjson.OPT_SORT_KEYS), json_key(document, source)


def split_xml(root: etree._Element) -> Iterator[tuple[bytes, str]]:
    """Each document of a collection as a collection of its own, with its identifier or an empty string."""
    source = root.findtext("source") or ""
    for document in root.iterfind("document"):
        alone = etree.Element("collection")
        etree.SubElement(alone, "source").text = source
        key = xml_key(document, source)
        alone.append(document)
        yield bytes(etree.tostring(alone, encoding="UTF-8", xml_declaration=True)), key


def json_key(document: Any, source: str) -> str:
    """The PMC id, PubMed id or DOI of a document, or an empty string."""
    if not is_document(document):
        return ""
    passages = document["passages"]
    infons = dict(_mapping(document.get("infons")))
    infons |= _mapping(passages[0].get("infons")) if passages and isinstance(passages[0], dict) else {}
    return document_key(str(document.get("id") or ""), source, infons)


def xml_key(document: etree._Element, source: str) -> str:
    """The PMC id, PubMed id or DOI of a document, or an empty string."""
    infons = {item.get("key") or "": text_of(item) for item in document.findall("infon")}
    infons |= {item.get("key") or "": text_of(item) for item in document.findall("passage[1]/infon")}
    return document_key(document.findtext("id") or "", source, infons)


def document_key(number: str, source: str, infons: Mapping[str, Any]) -> str:
    """What identifies a document: what its infons say, else its own number, which PMC's collections count by PMC ids."""
    return next((found[scheme] for scheme in _MARKS if scheme in (found := identifiers(number, source, infons))), "")


def identifiers(number: str, source: str, infons: Mapping[str, Any]) -> dict[str, str]:
    """The identifiers of a document by scheme, in their canonical form."""
    given = {scheme: str(infons.get(name) or "") for scheme, name in _MARKS.items()}
    given[Scheme.PMC] = f"PMC{given[Scheme.PMC].upper().removeprefix('PMC')}" if given[Scheme.PMC] else ""
    found = {scheme: one.value for scheme, text in given.items() if (one := parse(text)) and one.scheme is scheme}
    own = parse(f"PMC{number}" if number.isdecimal() and source.upper() == "PMC" else number)
    if own is not None:
        found.setdefault(own.scheme, own.value)
    return {str(scheme): value for scheme, value in found.items()}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
