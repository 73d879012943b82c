"""Test collections in every form that they are published in, and what is said of broken ones."""

import gzip
import json
from pathlib import Path

import pytest

from medkg_lab.evaluation.dataset import Item, load, printed_array, read_judgements, read_queries
from medkg_lab.evaluation.errors import DatasetAmbiguous, DatasetMissing, DatasetUnreadable, NothingJudged


def beir(folder: Path) -> Path:
    (folder / "qrels").mkdir()
    (folder / "corpus.jsonl").write_text(
        '{"_id": "d1", "title": "One", "text": "first"}\n\n{"_id": "d2", "title": "", "text": "second"}\n'
    )
    (folder / "queries.jsonl").write_text('{"_id": "q1", "text": "what"}\n{"_id": "q2", "text": "who"}\n')
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td2\t0\n")
    return folder


def test_a_beir_folder(tmp_path: Path) -> None:
    found = load(beir(tmp_path))
    assert found.items == (Item("d1", "One", "first"), Item("d2", "", "second"))
    assert found.queries == {"q1": "what"}
    assert found.judgements == {"q1": {"d1": 1}}


def test_the_test_judgements_come_first_and_others_can_be_named(tmp_path: Path) -> None:
    folder = beir(tmp_path)
    (folder / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\nq2\td1\t1\n")
    assert list(load(folder).queries) == ["q1"]
    assert list(load(folder, qrels=folder / "qrels" / "train.tsv").queries) == ["q2"]
    (folder / "qrels" / "test.tsv").unlink()
    (folder / "qrels" / "dev.tsv").write_text("q1\td1\t1\n")
    with pytest.raises(DatasetAmbiguous, match=r"dev.tsv, train.tsv.*--qrels"):
        load(folder)


def test_scifact_as_its_tables_hold_it(tmp_path: Path) -> None:
    (tmp_path / "corpus_train.csv").write_text(
        'doc_id,title,abstract,structured\n7,A title,"[\'It\\\'s one.\'\n ""And \'two\'.""]",False\n'
    )
    (tmp_path / "claims_train.csv").write_text("id,claim,evidence_doc_id\n3,A claim,7\n3,A claim,8\n")
    (tmp_path / "beir_train_qrels.tsv").write_text("query-id\tcorpus-id\tscore\n3\t7\t1\n")
    found = load(tmp_path)
    assert found.items == (Item("7", "A title", "It's one. And 'two'."),)
    assert found.queries == {"3": "A claim"}


def test_scifact_as_its_authors_publish_it(tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl").write_text(json.dumps({"doc_id": 7, "title": "T", "abstract": ["One.", "Two."]}))
    (tmp_path / "claims_dev.jsonl").write_text(json.dumps({"id": 3, "claim": "A claim"}))
    (tmp_path / "qrels.scifact.test.txt").write_text("3 0 7 1\n4 0 7 1\n")
    found = load(tmp_path)
    assert found.items == (Item("7", "T", "One. Two."),)
    assert (found.queries, found.unknown_queries) == ({"3": "A claim"}, 1)


def test_judgements_as_trec_and_as_beir_write_them(tmp_path: Path) -> None:
    trec, plain = tmp_path / "a.txt", tmp_path / "b.tsv"
    trec.write_text("q1 0 d1 2\nq1 Q0 d2 -1\n")
    plain.write_text("q1\td1\t2\nq1\td2\t-1\n")
    assert read_judgements(trec) == read_judgements(plain) == {"q1": {"d1": 2, "d2": -1}}


def test_queries_from_a_gzipped_table(tmp_path: Path) -> None:
    path = tmp_path / "topics.test.tsv.gz"
    path.write_bytes(gzip.compress(b"1\tone two\n2\tthree\n"))
    assert read_queries(path) == {"1": "one two", "2": "three"}


def test_a_printed_array_is_not_evaluated_as_a_program() -> None:
    assert printed_array("['a' __import__('os')]") == ["a", "os"]
    assert printed_array("no array") == ["no array"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("corpus.jsonl", b'{"_id": "d1"}'),
        ("corpus.jsonl", b"[1]"),
        ("corpus.jsonl", b"{"),
        ("corpus.jsonl", b"\xff"),
        ("queries.jsonl", b'{"_id": "q1"}'),
        ("qrels/test.tsv", b"head\nq1\td1\n"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, name: str, content: bytes) -> None:
    folder = beir(tmp_path)
    (folder / name).write_bytes(content)
    with pytest.raises(DatasetUnreadable, match=Path(name).name):
        load(folder)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetMissing, match=r"corpus.jsonl"):
        load(tmp_path)
    folder = beir(tmp_path)
    (folder / "queries.jsonl").write_text('{"_id": "other", "text": "what"}\n')
    with pytest.raises(NothingJudged, match="None of the 1 judged"):
        load(folder)
