"""Generations in the store and its indexes, without a process around them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medkg_lab.knowledge.effects import Action, Effect
from medkg_lab.knowledge.encoders import Encoders
from medkg_lab.knowledge.errors import BatchFenced, KnowledgeDamaged, KnowledgeInUse, MixedModels, UnusableDocument
from medkg_lab.knowledge.faiss_index import CpuFlatIndex
from medkg_lab.knowledge.search import Question
from medkg_lab.knowledge.service import Knowledge
from medkg_lab.models.stored import Stored
from medkg_lab.settings import FieldBoosts, SearchSettings
from tests.integration.knowledge.harness import MODEL, Letters, graph_document, text_document, vector

EMBEDDER = Encoders({MODEL: Letters, "other": Letters})


def opened(folder: Path, settings: SearchSettings = SearchSettings(fusion="rrf")) -> Knowledge:  # noqa: B008
    return Knowledge(folder, EMBEDDER, "cpu", settings)


@pytest.fixture
def knowledge(tmp_path: Path) -> Iterator[Knowledge]:
    found = opened(tmp_path)
    yield found
    found.close()


def publish(knowledge: Knowledge, *jobs: str, seq: int = 1) -> None:
    knowledge.apply([Effect(Action.PUBLISH, job) for job in jobs], seq)


def ids(knowledge: Knowledge, query: str, **how: Any) -> list[str]:
    return [hit.chunk_id for hit in knowledge.searcher.search(Question(query=query, **how)).hits]


def agree(knowledge: Knowledge) -> None:
    """The store and both indexes are of one revision and size."""
    state = knowledge.health()
    assert state.text_revision == state.vector_revision == state.revision
    assert state.text_chunks == state.vector_chunks == state.chunks


def test_what_is_staged_is_invisible_until_its_job_completes(knowledge: Knowledge) -> None:
    knowledge.stage_text("b1", [text_document("file:a", ["aspirin"])])
    knowledge.stage_graph("b1", [graph_document("file:a", [("Aspirin", "treats", "Pain")])])
    assert ids(knowledge, "aspirin") == []
    assert set(knowledge.counts().values()) == {0}
    publish(knowledge, "job-file:a")
    assert ids(knowledge, "aspirin") == ["file:a#0"]
    assert knowledge.counts() == {"documents": 1, "chunks": 1, "vectors": 1, "nodes": 2, "edges": 1}
    agree(knowledge)


def test_staging_and_publishing_again_change_nothing(knowledge: Knowledge) -> None:
    for _ in range(2):
        knowledge.stage_text("b1", [text_document("file:a", ["aspirin", "ibuprofen"])])
        knowledge.stage_graph("b1", [graph_document("file:a", [("Aspirin", "treats", "Pain")])])
    for _ in range(2):
        publish(knowledge, "job-file:a")
        knowledge.stage_text("b1", [text_document("file:a", ["aspirin", "ibuprofen"])])
        knowledge.stage_graph("b1", [graph_document("file:a", [("Aspirin", "treats", "Pain")])])
    publish(knowledge, "job-file:a")
    assert knowledge.counts() == {"documents": 1, "chunks": 2, "vectors": 2, "nodes": 2, "edges": 1}
    assert knowledge.health().revision == 1
    agree(knowledge)


def test_a_deleted_document_is_nowhere(knowledge: Knowledge) -> None:
    knowledge.stage_text("b1", [text_document("file:a", ["aspirin"]), text_document("file:b", ["ibuprofen"])])
    knowledge.stage_graph("b1", [graph_document("file:a", [("Aspirin", "treats", "Pain")])])
    publish(knowledge, "job-file:a", "job-file:b")
    knowledge.stage_text("b2", [text_document("file:a", ["aspirin again"], job="parked")])
    # Submitted and staged after the deletion, of which the follower has yet to hear.
    knowledge.stage_text("b3", [text_document("file:a", ["aspirin anew"], job="later")])
    knowledge.apply([Effect(Action.DELETE, "job-file:a"), Effect(Action.DELETE, "parked")], 2)
    assert ids(knowledge, "aspirin", sources=None) == ["file:b#0"], "only the vectors still find something"
    assert knowledge.counts() == {"documents": 1, "chunks": 1, "vectors": 1, "nodes": 0, "edges": 0}
    assert knowledge.database.rows("SELECT DISTINCT job_id FROM generation ORDER BY 1") == [("job-file:b",), ("later",)]
    assert knowledge.database.rows("SELECT count(*) FROM node") == [(0,)]
    agree(knowledge)
    # An engine that has not heard of it yet.
    knowledge.stage_text("b1", [text_document("file:a", ["aspirin"])])
    publish(knowledge, "job-file:a", seq=3)
    assert knowledge.counts()["documents"] == 1
    publish(knowledge, "later", seq=4)
    assert ids(knowledge, "aspirin")[0] == "file:a#0"
    agree(knowledge)


def test_a_newer_generation_replaces_the_document_everywhere(knowledge: Knowledge) -> None:
    for job, words in (("j1", ["aspirin old", "aspirin more"]), ("j2", ["ibuprofen new"])):
        knowledge.stage_text("b", [text_document("file:a", words, job=job)])
        knowledge.stage_graph("b", [graph_document("file:a", [(words[0], "is", job)], job=job)])
        publish(knowledge, job)
    assert ids(knowledge, "aspirin") == ["file:a#0"], "only the vectors still find something"
    assert ids(knowledge, "ibuprofen") == ["file:a#0"]
    assert [n.name for n in knowledge.graph.export(10, "default").nodes] == ["ibuprofen new", "j2"]
    assert knowledge.counts()["chunks"] == 1
    agree(knowledge)


def test_two_generations_of_a_document_completed_together_leave_the_later(knowledge: Knowledge) -> None:
    for job in ("j1", "j2"):
        knowledge.stage_text("b", [text_document("file:a", [f"aspirin {job}"], job=job)])
    publish(knowledge, "j2", "j1")
    assert knowledge.searcher.search(Question(query="aspirin")).hits[0].text == "aspirin j1"
    assert knowledge.counts()["documents"] == 1
    agree(knowledge)


def test_a_parked_generation_is_published_when_a_retry_completes(knowledge: Knowledge) -> None:
    knowledge.stage_text("b1", [text_document("file:a", ["aspirin"])])
    knowledge.apply([Effect(Action.PARK, "job-file:a")], 1)
    assert ids(knowledge, "aspirin") == []
    knowledge.stage_graph("b2", [graph_document("file:a", [("Aspirin", "treats", "Pain")])])
    publish(knowledge, "job-file:a")
    assert knowledge.counts() == {"documents": 1, "chunks": 1, "vectors": 1, "nodes": 2, "edges": 1}


def test_a_parked_generation_goes_when_another_job_publishes_its_document(knowledge: Knowledge) -> None:
    knowledge.stage_text("b1", [text_document("file:a", ["aspirin"], job="failed")])
    knowledge.apply([Effect(Action.PARK, "failed")], 1)
    knowledge.stage_text("b2", [text_document("file:a", ["ibuprofen"], job="good")])
    publish(knowledge, "good", "failed")
    assert [row[0] for row in knowledge.database.rows("SELECT text FROM chunk")] == ["aspirin"]
    knowledge.stage_text("b3", [text_document("file:a", ["codeine"], job="failed-too")])
    knowledge.apply([Effect(Action.PARK, "failed-too")], 2)
    knowledge.stage_text("b4", [text_document("file:a", ["ketamine"], job="better")])
    publish(knowledge, "better")
    publish(knowledge, "failed-too")
    assert knowledge.database.rows("SELECT text FROM chunk") == [("ketamine",)]


def test_a_job_run_again_from_a_later_stage_keeps_its_text(knowledge: Knowledge) -> None:
    knowledge.stage_text("b1", [text_document("file:a", ["aspirin"])])
    knowledge.stage_graph("b1", [graph_document("file:a", [("Aspirin", "treats", "Pain")])])
    publish(knowledge, "job-file:a")
    knowledge.stage_graph("b2", [graph_document("file:a", [("Aspirin", "eases", "Fever")])])
    publish(knowledge, "job-file:a")
    assert ids(knowledge, "aspirin") == ["file:a#0"]
    assert [e.relation for e in knowledge.graph.export(10, "default").edges] == ["eases"]
    agree(knowledge)


def test_another_jobs_text_takes_the_old_graph_away(knowledge: Knowledge) -> None:
    knowledge.stage_text("b1", [text_document("file:a", ["aspirin"], job="j1")])
    knowledge.stage_graph("b1", [graph_document("file:a", [("Aspirin", "treats", "Pain")], job="j1")])
    publish(knowledge, "j1")
    knowledge.stage_text("b2", [text_document("file:a", ["ibuprofen"], job="j2")])
    publish(knowledge, "j2")
    assert knowledge.counts() == {"documents": 1, "chunks": 1, "vectors": 1, "nodes": 0, "edges": 0}


def test_a_fenced_batch_writes_nothing(knowledge: Knowledge) -> None:
    knowledge.apply([Effect(Action.FENCE, "b1")], 1)
    with pytest.raises(BatchFenced):
        knowledge.stage_text("b1", [text_document("file:a", ["aspirin"])])
    with pytest.raises(BatchFenced):
        knowledge.stage_graph("b1", [graph_document("file:a", [("A", "r", "B")])])
    publish(knowledge, "job-file:a", seq=2)
    assert set(knowledge.counts().values()) == {0}


def test_tenants_do_not_see_each_other(knowledge: Knowledge) -> None:
    for tenant in ("one", "two"):
        knowledge.stage_text("b", [text_document("file:a", [f"aspirin {tenant}"], job=tenant, tenant=tenant)])
        knowledge.stage_graph("b", [graph_document("file:a", [(tenant, "is", "Tenant")], job=tenant, tenant=tenant)])
    publish(knowledge, "one", "two")
    for tenant in ("one", "two"):
        hits = knowledge.searcher.search(Question(query="aspirin", tenant=tenant)).hits
        assert [hit.text for hit in hits] == [f"aspirin {tenant}"]
        assert tenant in {node.name for node in knowledge.graph.export(10, tenant).nodes}
        assert len(knowledge.graph.export(10, tenant).edges) == 1
    assert ids(knowledge, "aspirin", tenant="three") == []
    assert knowledge.counts()["documents"] == 2


def test_a_filter_holds_before_ranking_in_both_legs(knowledge: Knowledge) -> None:
    near = [text_document(f"near:{n}", ["aspirin aspirin aspirin"]) for n in range(150)]
    far = [text_document(f"far:{n}", ["aspirin zzz qqq with a great many other words"]) for n in range(50)]
    knowledge.stage_text("b", [*near, *far])
    publish(knowledge, *(doc["job_id"] for doc in [*near, *far]))
    answer = knowledge.searcher.search(Question(query="aspirin", sources=("far",)))
    assert len(answer.hits) == 10
    assert {hit.provenance.source for hit in answer.hits} == {"far"}
    for leg in ("bm25", "dense"):
        assert sorted(hit.ranks[leg] for hit in answer.hits) == list(range(1, 11))


def test_a_document_takes_only_a_few_places_and_the_search_looks_deeper(knowledge: Knowledge) -> None:
    knowledge.stage_text("b", [text_document("file:long", ["aspirin"] * 300)])
    knowledge.stage_text(
        "b", [text_document(f"file:{n}", ["aspirin among many other words", "nothing"]) for n in range(5)]
    )
    publish(knowledge, "job-file:long", *(f"job-file:{n}" for n in range(5)))
    found = [name.partition("#")[0] for name in ids(knowledge, "aspirin", limit=8)]
    assert found.count("file:long") == 3
    assert len(set(found)) == 6
    one_each = [name.partition("#")[0] for name in ids(knowledge, "aspirin", limit=8, per_document=1)]
    assert len(one_each) == len(set(one_each)) == 6


def test_ten_asked_of_one_long_document_are_ten(knowledge: Knowledge) -> None:
    knowledge.stage_text("b", [text_document("file:long", ["aspirin"] * 50)])
    publish(knowledge, "job-file:long")
    assert len(set(ids(knowledge, "aspirin", limit=10))) == 10
    assert len(ids(knowledge, "aspirin", limit=10, per_document=4)) == 4


def test_an_explanation_adds_up_and_names_the_words(knowledge: Knowledge) -> None:
    documents = [text_document("file:a", ["aspirins helped"], title="Aspirin"), text_document("file:b", ["rinaspi"])]
    knowledge.stage_text("b", documents)
    publish(knowledge, "job-file:a", "job-file:b")
    plain = knowledge.searcher.search(Question(query="the aspirin"))
    answer = knowledge.searcher.search(Question(query="the aspirin", explain=True))
    assert plain.how is None
    assert answer.how.words == {"aspirin": "aspirin"}
    assert answer.how.skipped == ["the"]
    assert (answer.how.fusion, answer.how.rrf_k) == ("rrf", 60)
    for hit, same in zip(answer.hits, plain.hits, strict=True):
        assert hit.chunk_id == same.chunk_id
        parts = hit.explanation.parts
        assert sum(part or 0 for part in parts.values()) == pytest.approx(hit.score)
    assert answer.hits[0].explanation.words == {"aspirin": ["title", "body"]}
    assert answer.hits[1].explanation.words == {}


def test_ranks_scores_and_legs_are_shown(knowledge: Knowledge) -> None:
    documents = [text_document("file:a", ["aspirin"]), text_document("file:b", ["rinaspi"])]
    knowledge.stage_text("b", documents)
    publish(knowledge, "job-file:a", "job-file:b")
    answer = knowledge.searcher.search(Question(query="aspirin"))
    first, second = answer.hits
    assert answer.legs["bm25"] == answer.legs["dense"] == "on"
    assert answer.legs["sparse"] == "off: profile cpu has no SPLADE model"
    assert (first.doc_id, first.ranks) == ("file:a", {"bm25": 1, "dense": 1, "sparse": None})
    assert (second.doc_id, second.ranks) == ("file:b", {"bm25": None, "dense": 2, "sparse": None})
    assert first.scores["dense"] == pytest.approx(float(vector("aspirin") @ vector("aspirin")), abs=1e-5)
    assert first.score == pytest.approx(1.0)
    assert first.provenance.spans == [{"block": 0, "start": 0, "end": 7}]
    assert (first.page, first.section) == (1, ("Results", "Part 0"))


def test_words_count_by_field(tmp_path: Path) -> None:
    knowledge = opened(tmp_path, SearchSettings(boosts=FieldBoosts(title=2.0)))
    documents = [
        text_document("file:b", ["one aspirin"], title="Nothing"),
        text_document("file:t", ["two"], title="Aspirin"),
    ]
    knowledge.stage_text("b", documents)
    publish(knowledge, "job-file:b", "job-file:t")
    hits = knowledge.searcher.search(Question(query="aspirin", weights={"dense": 0.0})).hits
    assert hits[0].doc_id == "file:t"
    assert ids(knowledge, "?!") == []
    knowledge.close()
    knowledge = opened(tmp_path, SearchSettings(boosts=FieldBoosts(title=0.0)))
    assert ids(knowledge, "aspirin", weights={"dense": 0.0}, limit=1) == ["file:b#0"]
    knowledge.close()


def test_words_that_only_connect_are_left_out_unless_there_are_no_others(knowledge: Knowledge) -> None:
    knowledge.stage_text("b", [text_document("file:a", ["the of and"]), text_document("file:b", ["aspirin"])])
    publish(knowledge, "job-file:a", "job-file:b")
    found = knowledge.searcher.rank(Question(query="the aspirin"))
    assert [found.owners[key] for key, _ in found.rankings["bm25"]] == ["file:b"]
    alone = knowledge.searcher.rank(Question(query="the"))
    assert [alone.owners[key] for key, _ in alone.rankings["bm25"]] == ["file:a"]


def test_a_word_of_several_tokens_is_no_error(knowledge: Knowledge) -> None:
    knowledge.stage_text("b", [text_document("file:a", ["snake_case in a title"], title="snake_case")])
    publish(knowledge, "job-file:a")
    assert ids(knowledge, "snake_case") == ["file:a#0"]


def test_vectors_of_another_model_are_refused_for_their_document_alone(knowledge: Knowledge) -> None:
    good, wrong = text_document("file:a", ["aspirin"]), text_document("file:b", ["aspirin"], model="other")
    answers = knowledge.stage_text("b", [good, wrong])
    assert answers[0] == Stored("file:a", 1)
    assert isinstance(answers[1], MixedModels)
    publish(knowledge, "job-file:a", "job-file:b")
    assert knowledge.counts()["documents"] == 1
    assert knowledge.health().model == MODEL


def test_an_index_that_holds_no_vectors_takes_another_model(knowledge: Knowledge) -> None:
    knowledge.stage_text("b", [text_document("file:a", ["aspirin"])])
    publish(knowledge, "job-file:a")
    knowledge.stage_text("b", [text_document("file:a", [], job="empty")])
    publish(knowledge, "empty")
    knowledge.stage_text("b", [text_document("file:a", ["aspirin"], model="other", job="again")])
    publish(knowledge, "again")
    assert knowledge.health().model == "other"
    assert ids(knowledge, "aspirin") == ["file:a#0"]
    agree(knowledge)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"vectors": "AAAA"}, "bytes of vectors"),
        ({"vectors": "?"}, "base64"),
        ({"job_id": ""}, "job_id"),
        ({"tenant_id": "a/b"}, "tenant_id"),
        ({"chunks": [{"text": "x"}]}, "chunks.0"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_message_that_does_not_fit_together_is_refused_alone(
    knowledge: Knowledge, change: dict[str, Any], says: str
) -> None:
    good = text_document("file:a", ["aspirin"])
    answers = knowledge.stage_text("b", [{**text_document("file:b", ["x"]), **change}, good])
    assert isinstance(answers[0], UnusableDocument)
    assert says in str(answers[0])
    assert answers[1] == Stored("file:a", 1)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, 2.0])
def test_vectors_that_are_not_of_length_one_are_refused(knowledge: Knowledge, value: float) -> None:
    vectors = np.zeros((1, 4), dtype=np.float32)
    vectors[0, 0] = value
    answers = knowledge.stage_text("b", [text_document("file:a", ["aspirin"], vectors=vectors)])
    assert isinstance(answers[0], UnusableDocument)


def test_dead_vectors_are_left_behind(knowledge: Knowledge) -> None:
    for turn in range(12):
        knowledge.stage_text("b", [text_document("file:a", ["aspirin"] * 5, job=f"j{turn}")])
        publish(knowledge, f"j{turn}")
    agree(knowledge)
    assert isinstance(knowledge._vectors._flat, CpuFlatIndex)
    assert len(knowledge._vectors._flat) <= 6
    assert len(ids(knowledge, "aspirin", per_document=10)) == 5


def test_odd_characters_survive(knowledge: Knowledge, tmp_path: Path) -> None:
    text = "β-blocker \x00 \u202e “quoted” 💊 aspirin"
    knowledge.stage_text("b", [text_document("file:ä/ö 'x'", [text], title="Tïtle;--")])
    publish(knowledge, "job-file:ä/ö 'x'")
    hit = knowledge.searcher.search(Question(query="aspirin")).hits[0]
    assert (hit.text, hit.doc_id, hit.title) == (text, "file:ä/ö 'x'", "Tïtle;--")


def test_a_store_is_used_by_one_process_and_one_that_is_damaged_is_named(tmp_path: Path) -> None:
    first = opened(tmp_path)
    with pytest.raises(KnowledgeInUse):
        opened(tmp_path)
    first.close()
    (tmp_path / "knowledge.duckdb").write_bytes(b"not a database" * 1000)
    with pytest.raises(KnowledgeDamaged):
        opened(tmp_path)


def test_a_store_of_another_format_is_refused(tmp_path: Path) -> None:
    first = opened(tmp_path)
    with first.database.transaction():
        first.database.move("schema", 99)
    first.close()
    with pytest.raises(KnowledgeDamaged, match="format 99"):
        opened(tmp_path)
