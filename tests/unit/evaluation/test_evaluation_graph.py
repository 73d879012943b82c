"""Labelled edges: read, found again whatever their line breaks, and counted."""

from dataclasses import asdict
from pathlib import Path

import pytest

from medkg_lab.evaluation.errors import DatasetUnreadable
from medkg_lab.evaluation.graph import Place, counted, place_of, read_labels
from medkg_lab.models.documents import Edge


def edge(text: str, word: str, relation: str = "MENTIONS") -> Edge:
    start = text.index(word)
    return Edge(
        source="doc:x",
        relation=relation,
        target="mesh:D1",
        doc_id="x",
        chunk_id="x#0",
        start=start,
        end=start + len(word),
    )


def test_a_place_is_found_again_in_other_lines() -> None:
    one, other = "He had no fever, and left.", "He had no\n\nfever,  and left."
    assert place_of("a", edge(one, "fever"), one) == place_of("a", edge(other, "fever"), other)
    assert place_of("a", edge(one, "fever"), one) != place_of("a", edge(one, "left"), one)


def test_labels_are_read_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "labels.tsv"
    path.write_text("# read by hand\na\tMENTIONS\tn1\taa\t1\na\tMENTIONS\tn2\tbb\t0\na\tMENTIONS\tn3\tcc\t1\n")
    labels = read_labels(path)
    made = {Place("a", "MENTIONS", "n1", "aa"), Place("a", "MENTIONS", "n2", "bb"), Place("b", "MENTIONS", "n3", "cc")}
    assert asdict(counted(labels, made, "MENTIONS")) == {"labelled": 3, "made": 2, "right": 1, "precision": 0.5}
    assert counted(labels, [], "MENTIONS").precision == 0


def test_a_line_that_is_no_label_is_named(tmp_path: Path) -> None:
    path = tmp_path / "labels.tsv"
    path.write_text("a\tMENTIONS\tn1\taa\tyes\n")
    with pytest.raises(DatasetUnreadable, match="line 1"):
        read_labels(path)
