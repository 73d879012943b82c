"""The evaluation of search on a tiny collection, with the packaged model and the lab's own store."""

from pathlib import Path

import msgspec
import pytest

from medkg_lab.evaluation.dataset import Dataset, Item
from medkg_lab.evaluation.retrieval import evaluate, rankings, report, retrievers_off, score
from medkg_lab.knowledge.effects import Action, Effect
from medkg_lab.knowledge.encoders import Encoders
from medkg_lab.knowledge.service import Knowledge
from medkg_lab.settings import RetrieverWeights, SearchSettings
from tests.integration.knowledge.harness import MODEL, SPARSE, Letters, Weigher, text_document
from tests.unit.embed.test_embed_minilm import model_folder as model_folder

ITEMS = (
    Item("d1", "Heart attack", "Myocardial infarction damages the muscle of the heart."),
    Item("d2", "Rain", "It rained in the valley all week."),
    Item("d3", "Statins", "Cholesterol fell under atorvastatin."),
)


@pytest.fixture
def dataset() -> Dataset:
    queries = {"q1": "cardiac arrest and infarction", "q2": "atorvastatin"}
    return Dataset("tiny", ITEMS, queries, {"q1": {"d1": 1}, "q2": {"d3": 1}}, 0)


def test_every_leg_is_scored_and_the_fusion_compared(dataset: Dataset, model_folder: Path, tmp_path: Path) -> None:
    said: list[str] = []
    found = evaluate(dataset, model_folder, SearchSettings(), said.append, tmp_path)
    assert set(found.legs) == {"bm25", "dense", "fused"}
    assert msgspec.to_builtins(found.legs["fused"]) == {"ndcg@10": 1.0, "recall@100": 1.0}
    assert set(found.fused_against) == {"bm25", "dense"}
    assert found.legs_off == {"sparse": "profile cpu has no SPLADE model"}
    assert found.settings["fusion"] == "calibrated"
    assert list(tmp_path.iterdir()) == []
    again: list[str] = []
    assert evaluate(dataset, model_folder, SearchSettings(), again.append, tmp_path) == found
    assert any("embedding" in one for one in said)
    assert not any("embedding" in one for one in again)


def test_settings_change_what_is_measured(dataset: Dataset, model_folder: Path, tmp_path: Path) -> None:
    wrong = Dataset("tiny", ITEMS, {"q": "heart muscle valley"}, {"q": {"d3": 1}}, 0)
    by_words = SearchSettings(weights=RetrieverWeights(dense=0.0))
    found = evaluate(wrong, model_folder, by_words, lambda _: None, tmp_path).legs
    assert found["bm25"].ndcg == 0
    assert found["dense"].recall == 1


def test_a_sparse_leg_is_scored_like_the_others(dataset: Dataset, tmp_path: Path) -> None:
    knowledge = Knowledge(tmp_path, Encoders({MODEL: Letters}, {SPARSE: Weigher}), "gpu")
    documents = [text_document(item.doc_id, [item.text], job=item.doc_id, sparse=SPARSE) for item in ITEMS]
    knowledge.stage_text("b", documents)
    knowledge.apply([Effect(Action.PUBLISH, item.doc_id) for item in ITEMS], 1)
    found = [(query, rankings(knowledge, text)) for query, text in dataset.queries.items()]
    measured = report(dataset, score(found, dataset), SearchSettings(), MODEL, {})
    assert set(measured.legs) == {"bm25", "dense", "sparse", "fused"}
    assert measured.legs["sparse"].recall == 1
    assert set(measured.fused_against) == {"bm25", "dense", "sparse"}
    assert retrievers_off(knowledge, dataset) == {}
    knowledge.close()
