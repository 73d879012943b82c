"""A Haystack pipeline asks the lab."""

import runpy

import pytest
from haystack import Document, Pipeline

from medkg_lab import Lab
from medkg_lab.haystack import LabDocumentStore, LabRetriever
from medkg_lab.haystack.store import LabIsReadOnly
from tests.integration.reach.conftest import EXAMPLES

pytestmark = pytest.mark.timeout(400)


def test_the_example_builds_a_prompt_with_sources(lab: Lab) -> None:
    example = runpy.run_path(str(EXAMPLES / "ask_with_haystack.py"))
    pipeline = example["make_pipeline"](str(lab.home))
    question = "Is apixaban safe in patients on dialysis?"
    found = pipeline.run({"retriever": {"query": question}, "prompt": {"query": question}})["prompt"]["prompt"]
    assert "apixaban-in-dialysis.md" in found
    assert found.endswith(f"Question: {question}")


def test_a_pipeline_survives_yaml(lab: Lab) -> None:
    pipeline = Pipeline()
    pipeline.add_component("retriever", LabRetriever(LabDocumentStore(str(lab.home)), top_k=2))
    again = Pipeline.loads(pipeline.dumps())
    documents = again.run({"retriever": {"query": "metformin lactic acidosis"}})["retriever"]["documents"]
    assert len(documents) == 2
    assert documents[0].score >= documents[1].score > 0
    assert all("metformin" in one.content.lower() for one in documents)


def test_the_store_is_read_as_haystack_reads_stores(lab: Lab) -> None:
    store = LabDocumentStore(str(lab.home))
    everything = store.filter_documents()
    assert store.count_documents() == len(everything) == len(lab.documents())
    trials = store.filter_documents({"field": "meta.source", "operator": "==", "value": "clinicaltrials"})
    assert 0 < len(trials) < len(everything)
    with pytest.raises(LabIsReadOnly, match="submit"):
        store.write_documents([Document(content="x")])
    with pytest.raises(LabIsReadOnly, match="delete"):
        store.delete_documents(["x"])
