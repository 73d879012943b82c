"""Descriptors and supplementary records from MeSH XML, one record at a time."""

from collections.abc import Iterator
from typing import IO, Any

from medkg_lab.mesh.record import Record
from medkg_lab.xml_source import walk

_RECORDS = {"DescriptorRecord": "Descriptor", "SupplementalRecord": "SupplementalRecord"}
_CLASS = "SCRClass"


def read_xml(file: IO[bytes]) -> Iterator[Record]:
    """The records in the file. Raises NotXml at the place where it is not well formed."""
    return (_record(element, _RECORDS[str(element.tag)]) for element in walk(file, tuple(_RECORDS)))


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
