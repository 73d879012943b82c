"""Linking of mentions, counted on an abstract whose answers are known."""

from dataclasses import asdict
from pathlib import Path

import pytest

from medkg_lab.evaluation.entities import evaluate
from medkg_lab.evaluation.errors import DatasetUnreadable
from medkg_lab.evaluation.pubtator import read_pubtator
from medkg_lab.stages.extract.vocabulary import Concept, Vocabulary

TITLE = "Aspirin and stroke."
ABSTRACT = "Aspirin prevents stroke, not gout or frobnitis."
CORPUS = f"""1|t|{TITLE}
1|a|{ABSTRACT}
1\t0\t7\tAspirin\tChemical\tMESH:D1
1\t12\t18\tstroke\tDisease\tD2|D9
1\t20\t27\tAspirin\tChemical\tD1
1\t57\t66\tfrobnitis\tDisease\t-1
1\tCID\tD1\tD2

2|t|Gout.
2|a|
2\t0\t4\tGout\tSpecificDisease\t D8
"""
VOCABULARY = Vocabulary(
    [
        Concept("mesh:D1", "drug", "Aspirin", ("Aspirin",)),
        Concept("mesh:D2", "disease", "Stroke", ("Stroke",)),
        Concept("mesh:D3", "disease", "Gout", ("Gout",)),
        Concept("mesh:D4", "procedure", "Prevents", ("Prevents",)),
    ],
    "test",
)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.txt"
    path.write_text(CORPUS)
    return path


def test_pubtator_is_read(corpus: Path) -> None:
    first, second = read_pubtator(corpus)
    assert [first.text[a.start : a.end] for a in first.annotations] == ["Aspirin", "stroke", "Aspirin", "frobnitis"]
    assert [set(a.ids) for a in first.annotations] == [{"D1"}, {"D2", "D9"}, {"D1"}, set()]
    assert (second.pmid, [set(a.ids) for a in second.annotations]) == ("2", [{"D8"}])


def test_mentions_are_counted(corpus: Path) -> None:
    found = evaluate(list(read_pubtator(corpus)), VOCABULARY, "tiny")
    # Found: both aspirins, both strokes and two gouts; the second stroke is not annotated, and the gouts are wrong.
    assert asdict(found.strict) | {"precision": 0, "recall": 0, "f1": 0} == {
        "right": 3, "found": 6, "expected": 4, "precision": 0, "recall": 0, "f1": 0,
    }  # fmt: skip
    assert found.strict.precision == 0.5
    assert found.linkable == 0.75
    assert found.expected_without_id == 1
    assert (found.documents.right, found.documents.found, found.documents.expected) == (2, 4, 4)


@pytest.mark.parametrize("content", ["", "1\t0\t2\tab\tDisease\tD1\n", "1|t|ab\n1|a|c\n1\t0\t99\tab\tDisease\tD1\n"])
def test_what_is_no_pubtator_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.txt"
    path.write_text(content)
    with pytest.raises(DatasetUnreadable, match="PubTator"):
        list(read_pubtator(path))
