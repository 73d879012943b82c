"""MeSH files of any of the known formats, told apart by their beginning, merged by id."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, cast

from medkg_lab.files import open_regular
from medkg_lab.mesh import packages
from medkg_lab.mesh.annotated import learnt
from medkg_lab.mesh.errors import MeshUnreadable, NothingInMesh
from medkg_lab.mesh.ntriples import read_ntriples
from medkg_lab.mesh.pubtator import Abstract, is_pubtator, read_abstracts
from medkg_lab.mesh.record import Record, concepts
from medkg_lab.stages.extract.vocabulary import Concept
from medkg_lab.xml_source import walk

# Descriptors and supplementary records from MeSH XML, one record at a time.
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


# MeSH as tab-separated tables: headings or tree numbers with a header line, or the lab's own vocabulary format.
_ID, _NAME, _TREE = "mesh_id", "mesh_name", "mesh_tree_number"


def read_table(lines: Iterable[str]) -> Iterator[Record]:
    """One record per row of a table with the columns mesh_id, mesh_name and perhaps mesh_tree_number.

    Raises ValueError when the columns are others.
    """
    rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    if not {_ID, _NAME} <= set(rows.fieldnames or ()):
        raise ValueError(f"its first line does not name the columns {_ID} and {_NAME}")
    for row in rows:
        trees = [row[_TREE]] if row.get(_TREE) else []
        yield Record(row[_ID] or "", row[_NAME] or "", trees=trees)


MAX_BYTES = 4 * 1024**3
"""More than the largest MeSH file, the whole RDF, has after decompression."""
MAX_RECORDS = 2_000_000


class _Bounded(io.RawIOBase):
    """A stream that ends in an error when it gives more than MAX_BYTES: a small archive may hold a very large file."""

    def __init__(self, file: io.BufferedIOBase) -> None:
        self._file = file
        self._left = MAX_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        data = self._file.read(len(view))
        self._left -= len(data)
        if self._left < 0:
            raise ValueError(f"it is larger than {MAX_BYTES} bytes")
        view[: len(data)] = data
        return len(data)


def read(paths: Sequence[Path], with_packages: bool = False) -> list[Concept]:
    """The concepts of MeSH files taken together, and what annotated abstracts among them teach.

    `with_packages` adds the entry terms of the packages of the `terms` extra. Raises MeshUnreadable, NothingInMesh and
    TermsMissing.
    """
    records: dict[str, Record] = {}
    abstracts: list[Abstract] = []
    for path in paths:
        for one in _content(path):
            if isinstance(one, Abstract):
                abstracts.append(one)
            else:
                _merge(records.setdefault(one.ui, Record(one.ui)), one)
            if len(records) + len(abstracts) > MAX_RECORDS:
                raise MeshUnreadable(path=path, detail=f"it has more than {MAX_RECORDS} records")
    records.pop("", None)
    if with_packages:
        packages.add_terms(records)
    found = learnt(concepts(records.values()), abstracts)
    if not found:
        raise NothingInMesh(records=len(records), paths=", ".join(str(path) for path in paths))
    return found


def _merge(known: Record, added: Record) -> None:
    known.name = known.name or added.name
    known.terms += added.terms
    known.trees += added.trees
    known.record_class = known.record_class or added.record_class


def _content(path: Path) -> Iterator[Record | Abstract]:
    try:
        with open_regular(path, MAX_BYTES) as opened, gzip.open(opened) if path.suffix == ".gz" else opened as file:
            stream = io.BufferedReader(_Bounded(cast(io.BufferedIOBase, file)))
            yield from _read(stream)
    except (OSError, EOFError, zlib.error, ValueError, csv.Error) as error:
        raise MeshUnreadable(path=path, detail=str(error)) from None


def _read(stream: "io.BufferedReader[_Bounded]") -> Iterator[Record] | Iterator[Abstract]:
    head = stream.peek(512).lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith(b"<http"):
        return read_ntriples(io.TextIOWrapper(stream, encoding="utf-8"))
    if head.startswith(b"<"):
        return read_xml(stream)
    if is_pubtator(head):
        return read_abstracts(io.TextIOWrapper(stream, encoding="utf-8"))
    return read_table(io.TextIOWrapper(stream, encoding="utf-8"))
