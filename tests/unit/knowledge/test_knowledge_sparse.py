"""The sparse leg: exact inner products whatever is added, replaced and filtered, and its place beside the other legs."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.errors import LabError
from medkg_lab.knowledge.effects import Action, Effect
from medkg_lab.knowledge.encoders import Encoders
from medkg_lab.knowledge.errors import MixedModels, UnusableDocument
from medkg_lab.knowledge.passages import Block
from medkg_lab.knowledge.search import Question
from medkg_lab.knowledge.service import Knowledge
from medkg_lab.knowledge.sparse_index import SparseIndex
from medkg_lab.models.stored import Stored
from medkg_lab.settings import SearchSettings
from medkg_lab.stages.contracts import SparseVectors
from medkg_lab.stages.embed.splade import from_coordinates
from tests.integration.knowledge.harness import MODEL, SPARSE, Letters, Weigher, text_document

TERMS = 12
WEIGHTS = st.dictionaries(st.integers(0, TERMS - 1), st.sampled_from([0.25, 0.5, 1.0, 2.0]), max_size=5)
TEXTS = st.lists(WEIGHTS, min_size=1, max_size=4)
CHANGES = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from(["x", "y"]), st.sampled_from("st"), TEXTS), max_size=25
)


def vectors(texts: list[dict[int, float]]) -> SparseVectors:
    found = [(row, term, weight) for row, text in enumerate(texts) for term, weight in text.items()]
    rows, terms, weights = (
        (np.array(column) for column in zip(*found, strict=True)) if found else (np.zeros(0, int),) * 3
    )
    return from_coordinates("m", len(texts), rows, terms, weights.astype(np.float32))


def product(one: dict[int, float], other: dict[int, float]) -> float:
    return sum(weight * other.get(term, 0.0) for term, weight in one.items())


@given(CHANGES, WEIGHTS, st.integers(1, 6), st.sampled_from(["x", "y"]), st.sampled_from([None, ["s"], ["s", "t"], []]))
def test_it_finds_what_a_plain_product_with_every_live_text_finds(
    changes: list[tuple[str, str, str, list[dict[int, float]]]],
    query: dict[int, float],
    limit: int,
    tenant: str,
    sources: list[str] | None,
) -> None:
    index, live, first = SparseIndex(), {}, 1
    for name, owner, source, texts in changes:
        block = Block(first, len(texts), owner, source, name)
        before = live.pop((name, owner), None)
        index.swap([(block, vectors(texts))], [before[0].first_key] if before else [])
        live[name, owner] = (block, texts)
        first += len(texts)
    expected = [
        (block.first_key + place, score)
        for block, texts in live.values()
        if block.tenant == tenant and (sources is None or block.source in sources)
        for place, text in enumerate(texts)
        if (score := product(text, query)) > 0
    ]
    expected.sort(key=lambda pair: (-pair[1], pair[0]))
    assert index.search(vectors([query]), limit, tenant, sources) == expected[:limit]
    assert len(index) == sum(block.chunks for block, _ in live.values())


@given(TEXTS)
def test_sparse_vectors_survive_their_bytes(texts: list[dict[int, float]]) -> None:
    packed = vectors(texts).pack()
    again = SparseVectors.unpack("m", len(texts), packed)
    assert again.pack() == packed
    parts = [again.part(n, n + 1) for n in range(len(texts))]
    assert [dict(zip(part.terms.tolist(), part.weights.tolist(), strict=True)) for part in parts] == texts


@given(st.binary(max_size=80), st.integers(0, 4))
def test_other_bytes_are_refused_or_taken_as_they_are(data: bytes, texts: int) -> None:
    try:
        found = SparseVectors.unpack("m", texts, data)
    except ValueError:
        return
    assert found.pack() == data


ENCODERS = Encoders({MODEL: Letters}, {SPARSE: Weigher})


def opened(folder: Path, encoders: Encoders = ENCODERS) -> Knowledge:
    return Knowledge(folder, encoders, "gpu", SearchSettings(fusion="rrf"))


@pytest.fixture
def knowledge(tmp_path: Path) -> Iterator[Knowledge]:
    found = opened(tmp_path)
    yield found
    found.close()


def publish(knowledge: Knowledge, *jobs: str) -> None:
    knowledge.apply([Effect(Action.PUBLISH, job) for job in jobs], 1)


def put(knowledge: Knowledge, doc_id: str, texts: list[str], **given: Any) -> list[Stored | LabError]:
    document = text_document(doc_id, texts, **{"sparse": SPARSE, **given})
    answers = knowledge.stage_text(f"batch-{document['job_id']}", [document])
    publish(knowledge, document["job_id"])
    return answers


def ranked(knowledge: Knowledge, query: str, **how: Any) -> list[str]:
    found = knowledge.searcher.rank(Question(query=query, **how))
    return [found.owners[key] for key, _ in found.rankings["sparse"]]


def test_a_leg_of_its_own_with_rank_score_and_explanation(knowledge: Knowledge) -> None:
    put(knowledge, "file:a", ["zzz zebra"])
    put(knowledge, "file:b", ["zest", "nothing"])
    answer = knowledge.searcher.search(Question(query="zz", explain=True))
    assert answer.legs == {"bm25": "on", "dense": "on", "sparse": "on"}
    first = answer.hits[0]
    assert (first.doc_id, first.ranks["sparse"], first.scores["sparse"]) == ("file:a", 1, 8.0)
    assert first.explanation.parts["sparse"] == pytest.approx(1 / 2.8)
    second = next(hit for hit in answer.hits if hit.chunk_id == "file:b#0")
    assert (second.ranks["sparse"], second.scores["sparse"]) == (2, 2.0)
    unmatched = next(hit for hit in answer.hits if hit.chunk_id == "file:b#1")
    assert unmatched.ranks["sparse"] is None


def test_filters_hold_before_ranking(knowledge: Knowledge) -> None:
    for number in range(60):
        source, tenant = ("pmc" if number % 3 else "file"), ("other" if number % 2 else "default")
        put(knowledge, f"{source}:{number}", ["z" * (60 - number)], tenant=tenant)
    assert ranked(knowledge, "z", limit=1, sources=("file",)) == [f"file:{n}" for n in range(0, 60, 6)]
    assert len(ranked(knowledge, "z", limit=1, tenant="other")) == 30


def test_a_newer_generation_replaces_the_sparse_vectors(knowledge: Knowledge) -> None:
    put(knowledge, "file:a", ["zzz"], job="j1")
    put(knowledge, "file:a", ["quiz", "qqq"], job="j2")
    assert ranked(knowledge, "z") == ["file:a"]
    found = knowledge.searcher.rank(Question(query="q"))
    assert [score for _, score in found.rankings["sparse"]] == [3.0, 1.0]
    assert knowledge.health().sparse_chunks == 2
    put(knowledge, "file:a", ["plain"], job="j3", sparse=None)
    assert "sparse" not in knowledge.searcher.rank(Question(query="q")).rankings
    assert knowledge.health().sparse_chunks == 0


def test_what_was_published_is_there_again_after_opening_and_what_was_staged_is_not(tmp_path: Path) -> None:
    knowledge = opened(tmp_path)
    put(knowledge, "file:a", ["zzz"])
    put(knowledge, "file:b", ["zq"])
    put(knowledge, "file:b", ["qq"], job="j2")
    knowledge.stage_text("b3", [text_document("file:c", ["zzzz"], sparse=SPARSE)])
    knowledge.close()
    knowledge = opened(tmp_path)
    assert (ranked(knowledge, "z"), ranked(knowledge, "q")) == (["file:a"], ["file:b"])
    publish(knowledge, "job-file:c")
    assert ranked(knowledge, "z") == ["file:c", "file:a"]
    knowledge.close()


def test_two_sparse_models_do_not_mix(knowledge: Knowledge) -> None:
    put(knowledge, "file:a", ["zzz"])
    [answer] = put(knowledge, "file:b", ["zz"], sparse="another")
    assert isinstance(answer, MixedModels)
    assert ranked(knowledge, "z") == ["file:a"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows[:-1], "are not the sparse vectors"),
        (lambda rows: rows[:-4] + np.array([-1], "<f4").tobytes(), "not positive"),
        (lambda rows: rows[:-4] + np.array([np.nan], "<f4").tobytes(), "not positive"),
        (lambda rows: rows[:24] + rows[24:28] * 2 + rows[32:], "do not ascend"),
        (lambda rows: b"\xff" * 8 + rows[8:], "do not ascend from 0"),
    ],
)
def test_broken_sparse_vectors_are_refused(knowledge: Knowledge, change: Any, said: str) -> None:
    document = text_document("file:a", ["zq", "z"], sparse=SPARSE)
    document["sparse"]["rows"] = base64.b64encode(change(base64.b64decode(document["sparse"]["rows"]))).decode()
    [answer] = knowledge.stage_text("b", [document])
    assert isinstance(answer, UnusableDocument)
    assert said in str(answer)


def test_a_profile_without_the_model_says_so(tmp_path: Path) -> None:
    knowledge = opened(tmp_path)
    assert knowledge.searcher.search(Question(query="z")).legs["sparse"] == "off: nothing is indexed yet"
    put(knowledge, "file:a", ["zzz"])
    knowledge.close()
    knowledge = opened(tmp_path, Encoders({MODEL: Letters}))
    answer = knowledge.searcher.search(Question(query="z"))
    assert answer.legs["sparse"] == f"off: the profile has no query encoder for {SPARSE}"
    assert [hit.doc_id for hit in answer.hits] == ["file:a"]
    knowledge.close()


def test_a_store_of_the_first_format_is_brought_up_to_date(tmp_path: Path) -> None:
    knowledge = opened(tmp_path)
    put(knowledge, "file:a", ["zzz"], sparse=None)
    knowledge.close()
    with duckdb.connect(str(tmp_path / "knowledge.duckdb")) as old:
        old.execute(
            "DROP TABLE sparse; ALTER TABLE edge DROP COLUMN rule; UPDATE position SET seq = 1 WHERE name = 'schema'"
        )
    knowledge = opened(tmp_path)
    assert [hit.doc_id for hit in knowledge.searcher.search(Question(query="zzz")).hits] == ["file:a"]
    put(knowledge, "file:b", ["zz"])
    assert ranked(knowledge, "z") == ["file:b"]
    assert knowledge.database.position("schema") == 3
    knowledge.close()
