"""MeSH files of any of the known formats, told apart by their beginning, merged by id."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

from medkg_lab.files import open_regular
from medkg_lab.mesh import packages
from medkg_lab.mesh.annotated import learnt
from medkg_lab.mesh.errors import MeshUnreadable, NothingInMesh
from medkg_lab.mesh.ntriples import read_ntriples
from medkg_lab.mesh.pubtator import Abstract, is_pubtator, read_abstracts
from medkg_lab.mesh.record import Record, concepts
from medkg_lab.mesh.tables import read_table
from medkg_lab.mesh.xml import read_xml
from medkg_lab.stages.extract.vocabulary import Concept

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
