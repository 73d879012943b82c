"""The graph's statements on real documents, judged by labels that people gave by reading."""

from pathlib import Path

import pytest

from medkg_lab.evaluation import graph
from medkg_lab.mesh import vocabulary_store
from medkg_lab.stages.chunk.splitter import HaystackSplitter
from medkg_lab.stages.extract.structured import StructuredExtractor
from tests.real.test_text_chunk_extract import splitter

__all__ = ["splitter"]
LABELS = Path(__file__).with_name("graph_labels.tsv")
TARGETS = {"MENTIONS_ABSENCE_OF": 0.90, "EXCLUDES": 0.90, "MENTIONS": 0.92}
LEAST_MADE = 70
"""Edges of a relation's sample that must still be made: precision of few says nothing."""

CLAIM_LABELS = LABELS.with_name("claim_labels.tsv")
CLAIMS = ("ASSOCIATED_WITH", "CAUSES", "COMPARED_WITH", "REDUCES", "STUDIED_TO_TREAT", "TREATS")
LEAST_CLAIMS = 10


@pytest.mark.full
def test_statements_are_right(shared_data: Path, splitter: HaystackSplitter) -> None:
    mesh = shared_data / "mesh"
    extractor = StructuredExtractor(vocabulary_store.of_files([mesh / "terms.tsv", mesh / "tree-numbers.tsv"]))
    found = graph.evaluate(shared_data, graph.read_labels(LABELS), extractor, splitter)
    assert found.files_missing == 0
    _check(found, TARGETS, LEAST_MADE)


@pytest.mark.full
def test_claims_are_right(shared_data: Path, splitter: HaystackSplitter) -> None:
    mesh = shared_data / "mesh"
    extractor = StructuredExtractor(vocabulary_store.of_files([mesh / "terms.tsv", mesh / "tree-numbers.tsv"]))
    found = graph.evaluate(shared_data, graph.read_labels(CLAIM_LABELS), extractor, splitter)
    assert found.files_missing == 0
    _check(found, dict.fromkeys(CLAIMS, 0.85), LEAST_CLAIMS)


def _check(found: graph.GraphReport, targets: dict[str, float], least_made: int) -> None:
    for relation, least in targets.items():
        counted = found.relations[relation]
        assert counted.made >= least_made, (relation, counted)
        assert counted.precision >= least, (relation, counted)
