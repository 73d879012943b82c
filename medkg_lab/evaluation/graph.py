"""Precision of the graph's statements on labelled samples: people read an edge in its place and said whether the text says so.

A label file has one edge per line: file (without its ending), relation, node, a hash of the text around the mention, and 1 or
0. No text is
in it. An edge that is not made any more counts for nothing; how many of the sample still are is told beside the precision.
"""

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from medkg_lab.evaluation.dataset import read_corpus
from medkg_lab.evaluation.errors import DatasetUnreadable
from medkg_lab.evaluation.lines import MAX_BYTES, text_lines
from medkg_lab.evaluation.pubtator import read_pubtator
from medkg_lab.files import read_regular
from medkg_lab.models import documents
from medkg_lab.models.documents import Block, BlockKind, Document, Edge
from medkg_lab.stages.chunk.splitter import HaystackSplitter
from medkg_lab.stages.extract.structured import StructuredExtractor
from medkg_lab.stages.parse.auto import parse

_AROUND = 40
_DIGITS = 12
_CORPORA = (".csv", ".txt")
"""Endings of corpora of abstracts: SciFact's table, and PubTator."""
_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Place:
    """Where an edge was read: the source file's stem, the relation, the node and the hash of what stands around the mention."""

    file: str
    relation: str
    node_id: str
    around: str


def place_of(file: str, edge: Edge, text: str) -> Place:
    """The place of an edge of the passage `text`; letters and digits alone count, so that new line breaks change nothing."""
    text = text or edge.evidence
    start, end = edge.start or 0, edge.end or 0
    parts = (text[:start], text[start:end], text[end:])
    before, mention, after = (_NOT_ALPHANUMERIC.sub("", part).lower() for part in parts)
    around = f"{before[-_AROUND:]}|{mention}|{after[:_AROUND]}"
    ends = f"{edge.source}>{edge.target}" if edge.rule else edge.target
    return Place(file, edge.relation, ends, hashlib.sha256(around.encode()).hexdigest()[:_DIGITS])


def read_labels(path: Path) -> dict[Place, bool]:
    """The labels of a file; `#` begins a comment. Raises DatasetUnreadable."""
    found: dict[Place, bool] = {}
    for number, line in enumerate(text_lines(path, "labels"), start=1):
        fields = line.split("\t")
        if not line or line.startswith("#"):
            continue
        if len(fields) != 5 or fields[4] not in ("0", "1"):
            raise DatasetUnreadable(
                path=path, part="labels", detail=f"line {number} has not five fields with 1 or 0 at the end"
            )
        found[Place(*fields[:4])] = fields[4] == "1"
    return found


@dataclass(frozen=True, slots=True)
class RelationFigures:
    """The labelled edges of a relation: how many, how many of them are made, how many of these are right, and the share."""

    labelled: int
    made: int
    right: int
    precision: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphReport:
    """What the command prints."""

    eval: str = "graph"
    vocabulary: str
    files: int
    files_missing: int
    relations: Mapping[str, RelationFigures]


def evaluate(
    folder: Path, labels: Mapping[Place, bool], extractor: StructuredExtractor, splitter: HaystackSplitter
) -> GraphReport:
    """Read the labelled files below `folder` again, and count by relation. Files that are not there are told."""
    wanted = {place.file for place in labels}
    stems = {name.partition("#")[0] for name in wanted}
    paths = {
        path.stem: path
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".json", ".nxml", ".xml", *_CORPORA) and path.stem in stems
    }
    made = {
        place for name, document in _documents(paths, wanted) for place in _places(name, document, extractor, splitter)
    }
    return GraphReport(
        vocabulary=extractor.made_with["vocabulary"],
        files=len(paths),
        files_missing=len(stems) - len(paths),
        relations={relation: counted(labels, made, relation) for relation in sorted({one.relation for one in labels})},
    )


def counted(labels: Mapping[Place, bool], made: Iterable[Place], relation: str) -> RelationFigures:
    """The figures of a relation."""
    sample = [one for one in labels if one.relation == relation]
    kept = set(sample) & set(made)
    right = sum(labels[one] for one in kept)
    return RelationFigures(len(sample), len(kept), right, right / len(kept) if kept else 0.0)


def _documents(paths: Mapping[str, Path], wanted: Collection[str]) -> Iterator[tuple[str, Document]]:
    """The documents that labels name, by these names: a file's, or `STEM#ID` for one of the abstracts in a corpus."""
    for stem, path in sorted(paths.items()):
        if path.suffix not in _CORPORA:
            yield stem, parse(read_regular(path, MAX_BYTES), f"eval:{stem}", "eval")
            continue
        if path.suffix == ".csv":
            texts = ((item.doc_id, item.title, item.text) for item in read_corpus(path))
        else:
            texts = ((one.pmid, one.title, one.abstract) for one in read_pubtator(path))
        for doc_id, title, text in texts:
            if f"{stem}#{doc_id}" in wanted:
                yield f"{stem}#{doc_id}", abstract(f"eval:{doc_id}", title, text)


def abstract(doc_id: str, title: str, text: str) -> Document:
    """A document that is a title and an abstract."""
    blocks = [
        Block(kind=kind, text=one, place=documents.Place(element=kind))
        for kind, one in ((BlockKind.TITLE, title), (BlockKind.ABSTRACT, text))
        if one.strip()
    ]
    return Document(doc_id=doc_id, source="eval", title=title, blocks=tuple(blocks))


def _places(
    name: str, document: Document, extractor: StructuredExtractor, splitter: HaystackSplitter
) -> Iterator[Place]:
    chunks = splitter.chunk(document)
    texts = {chunk.chunk_id: chunk.text for chunk in chunks}
    for edge in extractor.extract(document, chunks).edges:
        if edge.chunk_id or edge.rule:
            yield place_of(name, edge, texts[edge.chunk_id] if edge.chunk_id else "")
