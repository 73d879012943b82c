"""The index and graph stages against a real knowledge process."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medkg_lab.engine.errors import own_part
from medkg_lab.errors import LabError, PartAway
from medkg_lab.knowledge.errors import (
    BatchFenced,
    KnowledgeUnavailable,
    MixedModels,
    NoKnowledgeProcess,
    UnusableDocument,
)
from medkg_lab.models.documents import Block, BlockKind, Chunk, ChunkSpan, Document, Edge, Extraction, Node, Place
from medkg_lab.models.stored import Stored
from medkg_lab.rpc import RemoteFailure
from medkg_lab.stages.contracts import BatchStage, Embeddings, IndexInput, KGInput, Receipt, StageContext, StageType
from medkg_lab.stages.index.implementation import INDEX
from medkg_lab.stages.kg.implementation import GRAPH
from medkg_lab.stages.registry import Resources
from tests.integration.knowledge.harness import DIMENSION, MODEL, FakeLedger, KnowledgeProcess, vector


def context(doc_id: str, batch: str = "b1") -> StageContext:
    unused: Any = None
    return StageContext(
        tenant_id="default",
        job_id=f"job-{doc_id}",
        doc_id=doc_id,
        correlation_id="c",
        pipeline="p",
        pipeline_version="1",
        batch_id=batch,
        stage="index",
        attempt=1,
        now=lambda: 0.0,
        content=unused,
        store=unused,
        http=unused,
    )


def document(doc_id: str, text: str) -> Document:
    block = Block(kind=BlockKind.PARAGRAPH, text=text, place=Place(element="p"))
    reference = Block(kind=BlockKind.REFERENCE, text="Someone 2019. 10.1234/one", place=Place(element="r"))
    metadata: dict[str, Any] = {"year": 2020}
    return Document(
        doc_id=doc_id, source="file", title="T", identifiers={"pmid": "1"}, metadata=metadata, blocks=(block, reference)
    )


def index_input(doc_id: str, text: str, model: str = MODEL, named: str | None = None) -> IndexInput:
    span = ChunkSpan(block=0, start=0, end=len(text))
    chunk = Chunk(chunk_id=f"{doc_id}#0", doc_id=doc_id, number=0, text=text, spans=(span,))
    embeddings = Embeddings(model, DIMENSION, "cpu", (named or chunk.chunk_id,), vector(text)[np.newaxis])
    return IndexInput(document(doc_id, text), (chunk,), embeddings)


def graph_input(doc_id: str) -> KGInput:
    nodes = tuple(Node(node_id=f"term:{name}", kind="term", name=name) for name in ("a", "b"))
    edge = Edge(source="term:a", relation="r", target="term:b", doc_id=doc_id)
    return KGInput(document(doc_id, "x"), Extraction(doc_id=doc_id, nodes=nodes, edges=(edge,)))


@pytest.fixture
def lab(short_tmp: Path) -> Iterator[tuple[KnowledgeProcess, FakeLedger]]:
    process = KnowledgeProcess(short_tmp)
    ledger = FakeLedger(process.locations.socket("ledger"))
    ledger.start()
    yield process, ledger
    process.stop()
    ledger.stop()


def resources(process: KnowledgeProcess) -> Resources:
    return Resources(cache=process.locations.cache, knowledge_socket=process.locations.socket("knowledge"))


def test_both_stages_store_a_batch_that_its_completion_shows(lab: tuple[KnowledgeProcess, FakeLedger]) -> None:
    process, ledger = lab
    client = process.start()
    index = INDEX.build(resources(process), INDEX.parse_options({}))
    graph = GRAPH.build(resources(process), GRAPH.parse_options({}))
    assert isinstance(index, BatchStage)
    assert isinstance(graph, BatchStage)
    assert (INDEX.stage_type, GRAPH.stage_type) == (StageType.INDEX, StageType.KG)
    names = ["file:a", "file:b"]
    contexts = [context(name) for name in names]
    receipts = index.execute_many(contexts, [index_input(name, f"aspirin {name}") for name in names])
    assert receipts == [Receipt(name, 1, {"dimension": DIMENSION, "model": MODEL}) for name in names]
    assert graph.execute(contexts[0], graph_input("file:a")) == Receipt(
        "file:a", 3, {"edges": 1, "mentions": 0, "nodes": 2}
    )
    assert client.caught_up(ledger.complete(*(f"job-{name}" for name in names)), 30)
    assert client.counts() == {"documents": 2, "chunks": 2, "vectors": 2, "nodes": 2, "edges": 1}
    assert client.documents()[0].metadata == {"year": 2020, "pmid": "1", "cites": ["doi:10.1234/one"]}


def test_an_error_stands_for_its_document_and_a_lost_batch_for_all(lab: tuple[KnowledgeProcess, FakeLedger]) -> None:
    process, ledger = lab
    client = process.start()
    index = INDEX.build(resources(process), INDEX.parse_options({}))
    items = [
        index_input("file:a", "aspirin"),
        index_input("file:b", "aspirin", named="file:z#0"),
        index_input("file:c", "aspirin", model="other"),
    ]
    contexts = [context(item.document.doc_id) for item in items]
    assert isinstance(index, BatchStage)
    good, foreign, mixed = index.execute_many(contexts, items)
    assert isinstance(good, Receipt)
    assert isinstance(foreign, UnusableDocument)
    assert isinstance(mixed, MixedModels)
    assert mixed.failure_kind == "mixed_models"
    with pytest.raises(UnusableDocument):
        index.execute(contexts[1], items[1])
    assert client.caught_up(ledger.append("batch.expired", batch="b1"), 30)
    with pytest.raises(BatchFenced):
        index.execute(contexts[0], items[0])


def test_a_process_that_is_away_is_nobody_s_fault(lab: tuple[KnowledgeProcess, FakeLedger]) -> None:
    process, _ = lab
    index = INDEX.build(resources(process), INDEX.parse_options({}))
    with pytest.raises(PartAway):
        index.execute(context("file:a"), index_input("file:a", "aspirin"))
    graph = GRAPH.build(resources(process), GRAPH.parse_options({}))
    with pytest.raises(PartAway):
        graph.execute(context("file:a"), graph_input("file:a"))
    with pytest.raises(NoKnowledgeProcess):
        INDEX.build(Resources(cache=process.locations.cache), INDEX.parse_options({}))


def test_a_stage_waits_for_a_process_that_restarts(lab: tuple[KnowledgeProcess, FakeLedger]) -> None:
    process, _ = lab
    process.start()
    index = INDEX.build(replace(resources(process), patience=60.0), INDEX.parse_options({}))
    assert index.execute(context("file:a"), index_input("file:a", "aspirin"))
    process.stop()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(index.execute, context("file:b"), index_input("file:b", "aspirin"))
        process.start()
        receipt = waiting.result(60)
    assert isinstance(receipt, Receipt)
    assert receipt.count == 1


def test_one_that_fails_at_everything_is_the_lab_s_own_fault() -> None:
    class Failing:
        def index(self, batch_id: str, documents: Sequence[Mapping[str, object]]) -> list[Stored | LabError]:
            raise RemoteFailure(path="knowledge.sock", op="index", detail="OSError: no room")

        graph = index

    index = INDEX.build(Resources(cache=Path(), knowledge=Failing()), INDEX.parse_options({}))
    with pytest.raises(KnowledgeUnavailable) as raised:
        index.execute(context("file:a"), index_input("file:a", "aspirin"))
    assert own_part(raised.value) == "knowledge"
