"""The knowledge process over its socket, following a ledger."""

import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from medkg_lab import rpc
from medkg_lab.knowledge.client import KnowledgeClient
from medkg_lab.knowledge.errors import (
    BatchFenced,
    NodeNotFound,
    PassageNotFound,
    QueryBlank,
    QueryInvalid,
    QueryTooLong,
)
from medkg_lab.models.stored import Stored
from medkg_lab.stages.embed.implementation import MINILM
from medkg_lab.stages.registry import Resources
from tests.integration.knowledge.harness import FakeLedger, KnowledgeProcess, graph_document, text_document
from tests.unit.contexts import stage_context
from tests.waiting import wait_until


class Lab:
    """A ledger and a knowledge process in a home of their own."""

    def __init__(self, home: Path) -> None:
        self.process = KnowledgeProcess(home)
        self.ledger = FakeLedger(self.process.locations.socket("ledger"))
        self.ledger.start()
        self.client = self.process.start()

    def restart(self) -> None:
        assert self.process.stop() == 0
        self.client = self.process.start()

    def publish(self, *jobs: str) -> None:
        assert self.client.caught_up(self.ledger.complete(*jobs), 30)

    def ids(self, query: str, **how: object) -> list[str]:
        return [hit.chunk_id for hit in self.client.search(query, **how).hits]  # type: ignore[arg-type]


@pytest.fixture
def lab(short_tmp: Path) -> Iterator[Lab]:
    found = Lab(short_tmp)
    yield found
    assert found.process.stop() == 0
    found.ledger.stop()


@pytest.fixture(scope="module")
def shared() -> Iterator[Lab]:
    """A lab for tests that leave each other's documents alone."""
    home = Path(tempfile.mkdtemp(prefix="mk", dir="/tmp"))
    found = Lab(home)
    yield found
    assert found.process.stop() == 0
    found.ledger.stop()
    shutil.rmtree(home)


def test_a_document_goes_from_staged_to_found_and_survives_a_restart(lab: Lab) -> None:
    assert lab.client.search("aspirin").legs["dense"] == "off: nothing is indexed yet"
    assert lab.client.index("b1", [text_document("file:a", ["aspirin eases pain"])]) == [Stored("file:a", 1)]
    assert lab.client.graph("b1", [graph_document("file:a", [("Aspirin", "treats", "Pain")])]) == [Stored("file:a", 3)]
    assert lab.ids("aspirin") == []
    lab.publish("job-file:a")
    wait_until(lambda: lab.ledger.positions.get("knowledge") == 1, what="the position reported to the ledger")
    for _ in range(2):
        hit = lab.client.search("aspirin").hits[0]
        assert hit.snippet == "aspirin eases pain"
        assert hit.marks == [(0, 7)]
        assert hit.provenance.doc_id == "file:a"
        assert lab.client.counts() == {"documents": 1, "chunks": 1, "vectors": 1, "nodes": 2, "edges": 1}
        mentioned = {mention.node_id for mention in lab.client.passage("file:a#0").mentions}
        assert mentioned == {"term:aspirin", "term:pain"}
        assert lab.client.path("aspirin", "pain").hops == 1
        assert [document.doc_id for document in lab.client.documents()] == ["file:a"]
        health = lab.client.health()
        assert health.text_revision == health.vector_revision == health.revision == 1
        lab.restart()


def test_replacing_dropping_and_fencing_follow_the_ledger(lab: Lab) -> None:
    lab.client.index("b1", [text_document("file:a", ["aspirin"], job="j1")])
    lab.publish("j1")
    lab.client.index("b2", [text_document("file:a", ["ibuprofen"], job="j2"), text_document("file:b", ["codeine"])])
    lab.ledger.append("job.failed", ["job-file:b"])
    lab.publish("j2")
    assert lab.client.counts()["documents"] == 1
    assert lab.client.search("ibuprofen").hits[0].text == "ibuprofen"
    assert lab.ids("aspirin") == []
    lab.client.index("b3", [text_document("file:c", ["ketamine"])])
    seq = lab.ledger.append("batch.expired", ["job-file:c"], batch="b3", data={"reason": "lease"})
    assert lab.client.caught_up(seq, 30)
    with pytest.raises(BatchFenced):
        lab.client.graph("b3", [graph_document("file:c", [("A", "r", "B")])])
    lab.restart()
    with pytest.raises(BatchFenced):
        lab.client.index("b3", [text_document("file:c", ["ketamine"])])


def test_errors_travel_as_themselves(shared: Lab) -> None:
    with pytest.raises(PassageNotFound):
        shared.client.passage("file:none#0")
    with pytest.raises(NodeNotFound):
        shared.client.node("nothing")
    for limit in (0, 100_000):
        with pytest.raises(rpc.BadRequest):
            shared.client.search("aspirin", limit=limit)
    for query, error in (("x" * 100_000, QueryTooLong), (" ", QueryBlank), ('gout "', QueryInvalid)):
        with pytest.raises(error):
            shared.client.search(query)
    with pytest.raises(rpc.BadRequest):
        shared.client.documents(limit=-1)
    with pytest.raises(rpc.BadRequest):
        shared.client.path("a", "b", max_hops=99)
    assert not shared.client.caught_up(1_000, 0.05)


def test_a_store_of_fp32_vectors_is_searched_and_goes_on_in_fp32(lab: Lab) -> None:
    weights = pytest.importorskip("medkg_lab.stages.embed.weights")
    minilm = pytest.importorskip("medkg_lab.stages.embed.minilm")
    locations = lab.process.locations
    encoder = minilm.MiniLM(locations.cache, precision="fp32")
    texts = {
        "file:heart": "The patient had a heart attack and was given clot-dissolving drugs.",
        "file:bones": "Vitamin D supplements did not lower the rate of fractures.",
    }
    for doc, text in texts.items():
        vectors = np.asarray(encoder.encode([text]))
        lab.client.index("b1", [text_document(doc, [text], title="-", model=weights.MODEL_ID, vectors=vectors)])
    lab.publish(*(f"job-{doc}" for doc in texts))
    answer = lab.client.search("thrombolysis for myocardial infarction", weights={"bm25": 0.0})
    assert answer.legs["dense"] == "on"
    assert answer.hits[0].doc_id == "file:heart"
    assert answer.hits[0].ranks["dense"] == 1
    assert lab.client.vector_model() == weights.MODEL_ID
    stage = MINILM.build(
        Resources(cache=locations.cache, knowledge_socket=locations.socket("knowledge")), MINILM.parse_options({})
    )
    assert stage.execute(stage_context(), ()).model == weights.MODEL_ID


def test_searches_see_one_generation_or_the_other_while_documents_are_replaced(shared: Lab) -> None:
    def staged(turn: int) -> list[str]:
        documents = [text_document(f"file:{n}", [f"aspirin turn{turn}"] * 3, job=f"j{turn}-{n}") for n in range(10)]
        shared.client.index(f"b{turn}", documents)
        return [document["job_id"] for document in documents]

    shared.publish(*staged(0))
    reader = KnowledgeClient(shared.process.locations.socket("knowledge"))
    for turn in range(1, 6):
        seq = shared.ledger.complete(*staged(turn))
        done = False
        while not done:
            done = shared.client.caught_up(seq, 0)
            hits = reader.search("aspirin", limit=100).hits
            assert len(hits) == 30
            assert len({hit.text for hit in hits}) == 1, "a search mixed two generations published together"
    assert reader.search("aspirin").hits[0].text == "aspirin turn5"


def test_files_are_private_and_the_client_is_light(shared: Lab) -> None:
    shared.client.index("b1", [text_document("file:a", ["aspirin"])])
    shared.publish("job-file:a")
    for path in [shared.process.folder, *shared.process.folder.rglob("*")]:
        assert not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO), path
    heavy = "{'duckdb', 'faiss', 'tantivy', 'numpy', 'onnxruntime'} & set(sys.modules)"
    code = f"import sys, medkg_lab.knowledge.client; sys.exit(bool({heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_it_waits_for_a_ledger_that_is_not_there_yet_and_stops_cleanly(short_tmp: Path) -> None:
    process = KnowledgeProcess(short_tmp)
    client = process.start()
    wait_until(lambda: client.health().ledger == "waiting for the ledger", what="waiting for the ledger")
    ledger = FakeLedger(process.locations.socket("ledger"))
    ledger.start()
    wait_until(lambda: client.health().ledger == "following", what="following the ledger")
    client.index("b1", [text_document("file:a", ["aspirin"])])
    assert client.caught_up(ledger.complete("job-file:a"), 30)
    ledger.stop()
    assert process.stop() == 0
