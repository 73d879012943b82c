"""Precision of the graph's statements on labelled samples: people read an edge in its place and said whether the text says so.

A label file has one edge per line: file (without its ending), relation, node, a hash of the text around the mention, and 1 or
0. No text is
in it. An edge that is not made any more counts for nothing; how many of the sample still are is told beside the precision.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medkg_lab.evaluation.errors import DatasetUnreadable
from medkg_lab.evaluation.lines import MAX_BYTES, text_lines
from medkg_lab.files import read_regular
from medkg_lab.models.ir import Edge
from medkg_lab.stages.chunk.splitter import HaystackSplitter
from medkg_lab.stages.extract.structured import StructuredExtractor
from medkg_lab.stages.parse.auto import parse

_AROUND = 40
_DIGITS = 12
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
    start, end = edge.start or 0, edge.end or 0
    parts = (text[:start], text[start:end], text[end:])
    before, mention, after = (_NOT_ALPHANUMERIC.sub("", part).lower() for part in parts)
    around = f"{before[-_AROUND:]}|{mention}|{after[:_AROUND]}"
    return Place(file, edge.relation, edge.target, hashlib.sha256(around.encode()).hexdigest()[:_DIGITS])


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


def evaluate(
    folder: Path, labels: Mapping[Place, bool], extractor: StructuredExtractor, splitter: HaystackSplitter
) -> dict[str, Any]:
    """Read the labelled files below `folder` again, and count by relation. Files that are not there are told."""
    wanted = {place.file for place in labels}
    paths = {
        path.stem: path
        for path in sorted(folder.rglob("*"))
        if path.stem in wanted and path.suffix in (".json", ".nxml", ".xml")
    }
    made = {place for stem in sorted(paths) for place in _places(stem, paths[stem], extractor, splitter)}
    return {
        "eval": "graph",
        "vocabulary": extractor.made_with["vocabulary"],
        "files": len(paths),
        "files_missing": len(wanted) - len(paths),
        "relations": {
            relation: counted(labels, made, relation) for relation in sorted({one.relation for one in labels})
        },
    }


def counted(labels: Mapping[Place, bool], made: Iterable[Place], relation: str) -> dict[str, float]:
    """The labelled edges of a relation: how many, how many of them are `made`, how many of these are right, and the share."""
    sample = [one for one in labels if one.relation == relation]
    kept = set(sample) & set(made)
    right = sum(labels[one] for one in kept)
    return {"labelled": len(sample), "made": len(kept), "right": right, "precision": right / len(kept) if kept else 0.0}


def _places(stem: str, path: Path, extractor: StructuredExtractor, splitter: HaystackSplitter) -> Iterator[Place]:
    document = parse(read_regular(path, MAX_BYTES), f"eval:{stem}", "eval")
    chunks = splitter.chunk(document)
    texts = {chunk.chunk_id: chunk.text for chunk in chunks}
    for edge in extractor.extract(document, chunks).edges:
        if edge.chunk_id:
            yield place_of(stem, edge, texts[edge.chunk_id])
