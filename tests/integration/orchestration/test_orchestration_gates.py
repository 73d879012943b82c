"""A thousand gates that open at once, in two versions of a pipeline, while dagsterd is killed repeatedly."""

import os
import signal
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from medkg_lab import rpc
from medkg_lab.artifacts.store import ArtifactStore
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.models.documents import Block, BlockKind, Document, Place
from medkg_lab.stages.kinds import KINDS
from medkg_lab.topology.models import Topology
from tests.integration.engine.processes import Lab, all_events, register, running_ledger, spec, topology
from tests.told import specs
from tests.waiting import wait_until

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]

EACH = 500
LIMIT = 48


@pytest.fixture
def lab(short_tmp: Path) -> Iterator[Lab]:
    with running_ledger(short_tmp / "lab") as made:
        yield made


def publish(lab: Lab, client: LedgerClient, description: str) -> Topology:
    """A version of the pipeline, on disk and in the ledger."""
    made = topology("gated", "ingest", "gate", "chunk", "embed").model_copy(update={"description": description})
    folder = lab.locations.config / "pipelines"
    folder.mkdir(exist_ok=True)
    (folder / "gated.yaml").write_text(yaml.safe_dump(made.model_dump(mode="json", by_alias=True, exclude_none=True)))
    register(client, made)
    return made


def bring_to_the_gate(client: LedgerClient, pipeline: Topology) -> list[str]:
    """Documents of this version that wait at its gate."""
    before = client.counts().gates.get("waiting", 0)
    jobs = [spec(pipeline, uuid.uuid4().hex, content="a text") for _ in range(EACH)]
    client.submit(specs(jobs))
    wait_until(lambda: client.counts().gates.get("waiting", 0) == before + EACH, 120, "all to wait at the gate")
    return [job["job_id"] for job in jobs]


def evidence(lab: Lab) -> dict[str, Any]:
    """What opens a gate: a document that was read from somewhere."""
    block = Block(kind=BlockKind.PARAGRAPH, text="read from it", place=Place(element="page/1/block/1"))
    document = Document(doc_id="file:x", source="file", title="t", blocks=(block,))
    store = ArtifactStore(lab.locations.data / "artifacts", writer="pdf")
    sha = store.put(KINDS["document"].encode(document))
    store.close()
    return {"document": sha, "raw": sha, "pages": 1, "missing_pages": [], "tool": "t", "source": sha}


def of_type(client: LedgerClient, kind: str) -> list[dict[str, Any]]:
    return [event for event in all_events(client) if event["type"] == kind]


def test_a_thousand_gates_at_once_are_released_in_batches_without_duplicates(lab: Lab) -> None:
    with lab.client() as client:
        lab.engine()
        old = bring_to_the_gate(client, publish(lab, client, "first"))
        new = bring_to_the_gate(client, publish(lab, client, "second"))
        dagsterd = lab.start("medkg_lab.orchestration")
        opens = evidence(lab)
        with ThreadPoolExecutor(4) as pool:
            done = [
                pool.submit(client.set_field, job_id, "pdf_ir_ready", True, by="pdf", evidence=opens)
                for job_id in [*old, *new]
            ]
            for number in (1, 2):
                wait_until(lambda n=number: len(of_type(client, "gate.released")) >= n, 120, "a release")  # type: ignore[misc]
                os.kill(dagsterd.pid, signal.SIGKILL)
                dagsterd.wait()
                dagsterd = lab.start("medkg_lab.orchestration")
            for each in done:
                each.result()
        wait_until(lambda: client.counts().jobs.get("completed", 0) == 2 * EACH, 300, "all to complete")
        releases = of_type(client, "gate.released")
        assert sum(len(event["jobs"]) for event in releases) == 2 * EACH
        assert max(Counter(job_id for event in releases for job_id in event["jobs"]).values()) == 1
        assert all(len(event["jobs"]) <= LIMIT for event in releases)
        assert len({event["data"]["pipeline_version"] for event in releases}) == 2
        launched = Counter(event["data"]["release_id"] for event in of_type(client, "run.launched"))
        assert launched == Counter(event["data"]["release_id"] for event in releases), "one run for each release"
        after = [event for event in of_type(client, "job.claimed") if event["data"]["half"] == 1]
        assert max(Counter(job_id for event in after for job_id in event["jobs"]).values()) == 1
        assert runs_that_ended(lab, launched.keys()) == {"SUCCESS": len(releases)}


def runs_that_ended(lab: Lab, releases: Any) -> dict[str, int]:
    """How Dagster's runs for these releases ended, once all have."""
    with rpc.Client(lab.locations.socket("dagsterd")) as dagsterd:

        def counted() -> dict[str, int]:
            runs, after = [], None
            while True:
                page = dagsterd.call("runs", after=after, limit=1000)
                runs += page["runs"]
                after = page["next"]
                if after is None:
                    break
            return dict(Counter(run["status"] for run in runs if run["release"] in releases))

        wait_until(lambda: counted() == {"SUCCESS": len(releases)}, 120, "Dagster's runs to end")
        return counted()
