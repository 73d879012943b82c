"""Descriptors and supplementary records from MeSH XML: hostile until read, so no DTD, entities or network, and one record at a
time."""

from collections.abc import Iterator
from typing import IO, Any

from lxml import etree

from medkg_lab.mesh.record import Record

_RECORDS = {"DescriptorRecord": "Descriptor", "SupplementalRecord": "SupplementalRecord"}
_CLASS = "SCRClass"


def read_xml(file: IO[bytes]) -> Iterator[Record]:
    """The records in the file. Raises lxml's XMLSyntaxError at the place where it is not well formed."""
    walk = etree.iterparse(
        file,
        events=("end",),
        tag=tuple(_RECORDS),
        load_dtd=False,
        no_network=True,
        resolve_entities=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    for _, element in walk:
        yield _record(element, _RECORDS[str(element.tag)])
        element.clear()
        while element.getprevious() is not None:
            parent = element.getparent()
            if parent is None:
                break
            del parent[0]


def _record(element: Any, prefix: str) -> Record:
    return Record(
        ui=_text(element.findtext(f"{prefix}UI")),
        name=_text(element.findtext(f"{prefix}Name/String")),
        terms=[_text(term.findtext("String")) for term in element.iterfind("ConceptList/Concept/TermList/Term")],
        trees=[_text(tree.text) for tree in element.iterfind("TreeNumberList/TreeNumber")],
        record_class=element.get(_CLASS, ""),
    )


def _text(text: str | None) -> str:
    return " ".join((text or "").split())
