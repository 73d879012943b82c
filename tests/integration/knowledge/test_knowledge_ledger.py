"""The knowledge process beside the real ledger."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medkg_lab.knowledge.client import KnowledgeClient
from medkg_lab.knowledge.errors import BatchFenced
from medkg_lab.ledger.answers import ClaimedBatch
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.models.stored import Stored
from medkg_lab.topology import versions
from medkg_lab.topology.loader import load_topology
from tests.integration.knowledge.harness import KnowledgeProcess, graph_document, text_document
from tests.told import event, specs
from tests.waiting import wait_until

TOPOLOGY = load_topology(
    'version: "1.0"\nname: store\nstages:\n'
    "  - {name: ingest, type: IngestStage}\n"
    "  - {name: parse, type: ParseStage, depends_on: [ingest]}\n"
    "  - {name: chunk, type: ChunkStage, depends_on: [parse]}\n"
    "  - {name: embed, type: EmbedStage, depends_on: [chunk]}\n"
    "  - {name: index, type: IndexStage, depends_on: [embed]}\n"
    "  - {name: extract, type: ExtractStage, depends_on: [index]}\n"
    "  - {name: kg, type: KGStage, depends_on: [extract]}\n"
)
VERSION = versions.version_of(TOPOLOGY)
SHA = "0" * 64
KINDS = {
    "ingest": "payload",
    "parse": "document",
    "chunk": "chunks",
    "embed": "embeddings",
    "index": "index_receipt",
    "extract": "extraction",
    "kg": "kg_receipt",
}


class Lab:
    """Both processes, and an engine's part of the conversation."""

    def __init__(self, home: Path) -> None:
        self.process = KnowledgeProcess(home)
        command = [sys.executable, "-m", "medkg_lab.ledger", "--home", str(home)]
        self._ledgerd = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self._ledgerd.stdout is not None
        assert self._ledgerd.stdout.readline()
        self.ledger = LedgerClient(self.process.locations.socket("ledger"))
        self.ledger.register("topology", "store", VERSION, versions.to_json(TOPOLOGY))
        self.knowledge: KnowledgeClient = self.process.start()

    def stop(self) -> None:
        assert self.process.stop() == 0
        self.ledger.close()
        self._ledgerd.terminate()
        self._ledgerd.wait(30)

    def submit(self, job: str) -> None:
        spec = {"job_id": job, "tenant_id": "default", "correlation_id": "c", "source": "file", "doc_key": "a"}
        spec |= {"doc_id": "file:a", "pipeline": "store", "pipeline_version": VERSION, "offline": True, "again": False}
        spec |= {"priority": 0, "segment": 0, "lane": "compute", "half": 0, "content": None, "submitted_at": 0.0}
        self.ledger.submit(specs([{**spec, "submission": {"source": "file", "key": "a"}}]))

    def claim(self) -> ClaimedBatch:
        batch = self.ledger.claim("worker", ["compute"], 10, 30.0, 10.0)
        assert batch is not None
        return batch

    def done(self, batch: ClaimedBatch, *stages: str) -> None:
        jobs = [job.job_id for job in batch.jobs]
        for stage in stages:
            told = {"kind": KINDS[stage], "implementation": f"knowledge.{stage}", "refs": [SHA]}
            events = (event("stage.started", jobs, stage), event("stage.completed", jobs, stage, **told))
            self.ledger.record(batch.batch_id, [one.data for one in events])

    def end(self, batch: ClaimedBatch, name: str, /, **data: Any) -> None:
        jobs = [job.job_id for job in batch.jobs]
        self.ledger.record(batch.batch_id, [event(name, jobs, **data).data])
        self.wait()

    def wait(self) -> None:
        assert self.knowledge.caught_up(self.ledger.counts().head, 30)


@pytest.fixture
def lab(short_tmp: Path) -> Iterator[Lab]:
    found = Lab(short_tmp)
    yield found
    found.stop()


def test_a_retry_behind_the_index_stage_still_ends_with_a_document_that_is_found(lab: Lab) -> None:
    lab.submit("j1")
    first = lab.claim()
    lab.knowledge.index(first.batch_id, [text_document("file:a", ["aspirin"], job="j1")])
    lab.done(first, "ingest", "parse", "chunk", "embed", "index", "extract")
    lab.end(first, "job.failed", kind="service", reason="it was away", error="ServiceError", stage="kg")
    assert lab.knowledge.counts()["documents"] == 0
    lab.ledger.retry("j1", by="a person")
    second = lab.claim()
    assert "index" in second.jobs[0].done
    lab.knowledge.graph(second.batch_id, [graph_document("file:a", [("Aspirin", "treats", "Pain")], job="j1")])
    lab.done(second, "kg")
    lab.end(second, "job.completed", unchanged=False, content=[SHA])
    assert lab.knowledge.counts() == {"documents": 1, "chunks": 1, "vectors": 1, "nodes": 2, "edges": 1}
    assert lab.knowledge.search("aspirin").hits[0].doc_id == "file:a"
    wait_until(lambda: lab.ledger.positions().get("knowledge"), what="the position reported to the ledger")
    lab.ledger.position("knowledge", 0)
    wait_until(lambda: lab.ledger.positions()["knowledge"] > 0, what="the position reported to a ledger that lost it")


def test_a_batch_that_was_taken_back_is_refused(lab: Lab) -> None:
    lab.submit("j1")
    first = lab.claim()
    lab.ledger.surrender(first.batch_id, "index")
    lab.wait()
    with pytest.raises(BatchFenced):
        lab.knowledge.index(first.batch_id, [text_document("file:a", ["aspirin"], job="j1")])
    second = lab.claim()
    assert lab.knowledge.index(second.batch_id, [text_document("file:a", ["aspirin"], job="j1")]) == [
        Stored("file:a", 1)
    ]
