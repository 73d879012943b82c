"""A real engine process on a real ledger: what becomes of documents that succeed, fail, or bring a stage down."""

import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import pytest

from medkg_lab.artifacts.store import ArtifactStore
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.models.events import Evidence
from medkg_lab.stages.kinds import KINDS
from medkg_lab.topology.models import Topology
from tests.integration.engine.processes import Lab, all_events, register, spec, states, topology
from tests.told import specs
from tests.waiting import wait_until

WHOLE = topology("whole", "ingest", "parse", "chunk", "embed", "index", "extract", "kg")
ONLINE = topology("online", "ingest", "parse")
GATED = topology("gated", "ingest", "gate", "chunk", "embed")
CONDITIONAL = topology(
    "conditional",
    "ingest",
    "parse",
    {"name": "chunk", "condition": {"ledger_field": "wanted", "equals": True}},
    {"name": "extra", "type": "ParseStage"},
)
ON_GPU = topology("on-gpu", "ingest", "parse", "chunk", {"name": "embed", "implementation": "tiny.gpu"})
BROKEN = topology("broken", "ingest", "parse", "chunk", {"name": "embed", "implementation": "tiny.broken"})
MISSING = topology("missing", "ingest", {"name": "chunk", "type": "ChunkStage"})
ENDED = {"completed", "failed", "dead", "cancelled"}


@pytest.fixture(scope="module")
def client(lab: Lab) -> Iterator[LedgerClient]:
    with lab.client() as connected:
        for pipeline in (WHOLE, ONLINE, GATED, CONDITIONAL, ON_GPU, BROKEN, MISSING):
            register(connected, pipeline)
        lab.engine("compute")
        yield connected


def submit(client: LedgerClient, pipeline: Topology, texts: Sequence[str], **extra: Any) -> list[str]:
    run = uuid.uuid4().hex[:8]
    jobs = [spec(pipeline, f"{run}-{number}", content=text, **extra) for number, text in enumerate(texts)]
    client.submit(specs(jobs))
    return [job["job_id"] for job in jobs]


def ended(client: LedgerClient, jobs: Sequence[str], wanted: set[str] = ENDED) -> dict[str, str]:
    wait_until(lambda: set(states(client, jobs).values()) <= wanted, 30, f"the end of {len(jobs)} jobs")
    return states(client, jobs)


def events_of(client: LedgerClient, jobs: Sequence[str]) -> list[dict[str, Any]]:
    return [event for event in all_events(client) if set(event["jobs"]) & set(jobs)]


def failure(client: LedgerClient, job_id: str) -> tuple[str | None, str]:
    job = client.get(job_id)
    assert job is not None
    return job.failure_kind, job.reason or ""


def test_a_document_passes_all_stages_and_leaves_an_artifact_of_each(lab: Lab, client: LedgerClient) -> None:
    jobs = submit(client, WHOLE, ["one", "two", "three"])
    assert set(ended(client, jobs).values()) == {"completed"}
    artifacts = ArtifactStore(lab.locations.data / "artifacts")
    for job_id, text in zip(jobs, ["one", "two", "three"], strict=True):
        job = client.get(job_id)
        assert job is not None
        outputs = job.outputs
        assert set(outputs) == {
            "payload",
            "document",
            "chunks",
            "embeddings",
            "index_receipt",
            "extraction",
            "kg_receipt",
        }
        values = {kind: KINDS[kind].decode(artifacts.get(sha)) for kind, sha in outputs.items()}
        assert values["chunks"][0].text == text
        assert artifacts.get(values["payload"].sha256) == text.encode(), (
            "what a stage stored is as durable as its output"
        )
    told = [event for event in events_of(client, jobs) if event["type"] == "stage.completed"]
    assert {event["data"]["implementation"] for event in told} >= {"tiny.ingest", "tiny.kg"}
    artifacts.close()


def test_bad_documents_fail_alone_with_their_reason(client: LedgerClient) -> None:
    texts = ["fine", "unreadable", "a bug", "unembeddable", "refused", "fine too"]
    jobs = submit(client, WHOLE, texts)
    by_text = dict(zip(texts, ended(client, jobs).values(), strict=True))
    assert by_text == {
        "fine": "completed",
        "unreadable": "failed",
        "a bug": "failed",
        "unembeddable": "failed",
        "refused": "failed",
        "fine too": "completed",
    }
    assert failure(client, jobs[1])[0] == "bad_input"
    assert "is unreadable" in failure(client, jobs[1])[1]
    assert failure(client, jobs[2]) == ("internal", "ZeroDivisionError: a bug")
    assert failure(client, jobs[3]) == ("internal", "ValueError: a text that the model cannot take")
    assert failure(client, jobs[4])[0] == "bad_input"
    kinds = Counter(event["type"] for event in events_of(client, [jobs[1]]))
    assert (kinds["stage.failed"], kinds["job.failed"]) == (1, 1)


def test_a_service_that_stumbles_is_asked_again_and_the_retry_is_told(client: LedgerClient) -> None:
    jobs = submit(client, WHOLE, ["flaky", "steady"])
    assert set(ended(client, jobs).values()) == {"completed"}
    (retry,) = [event for event in events_of(client, jobs) if event["type"] == "stage.retrying"]
    assert (retry["jobs"], retry["stage"], retry["data"]["attempt"]) == ([jobs[0]], "chunk", 1)
    assert retry["data"]["kind"] == "service"


def test_a_stage_is_skipped_where_its_condition_does_not_hold(client: LedgerClient) -> None:
    (job_id,) = submit(client, CONDITIONAL, ["text"])
    assert ended(client, [job_id]) == {job_id: "completed"}
    job = client.get(job_id)
    assert job is not None
    assert {run.stage: run.status for run in job.stages} == {
        "ingest": "completed",
        "parse": "completed",
        "chunk": "skipped",
        "extra": "completed",
    }


def test_without_the_gpu_that_it_needs_a_stage_ends_its_jobs_saying_so(client: LedgerClient) -> None:
    jobs = submit(client, ON_GPU, ["one", "two"])
    assert set(ended(client, jobs).values()) == {"failed"}
    kind, reason = failure(client, jobs[0])
    assert kind == "gpu_unavailable"
    assert "tiny.gpu" in reason


def test_a_stage_that_cannot_be_set_up_ends_its_jobs_and_not_the_engine(client: LedgerClient) -> None:
    broken = submit(client, BROKEN, ["one"])
    missing = submit(client, MISSING, ["two"])
    assert set(ended(client, [*broken, *missing]).values()) == {"failed"}
    assert "no model file" in failure(client, broken[0])[1]
    assert "needs a value of kind document" in failure(client, missing[0])[1]


def test_unchanged_content_is_not_processed_twice_unless_asked(client: LedgerClient) -> None:
    first = spec(WHOLE, "same-document", content="the very same text")
    client.submit(specs([first]))
    assert ended(client, [first["job_id"]]) == {first["job_id"]: "completed"}
    again = {**first, "job_id": str(uuid.uuid4())}
    forced = {**first, "job_id": str(uuid.uuid4()), "again": True}
    client.submit(specs([again]))
    ended(client, [again["job_id"]])
    client.submit(specs([forced]))
    ended(client, [forced["job_id"]])
    skipped, done = client.get(again["job_id"]), client.get(forced["job_id"])
    assert skipped is not None
    assert done is not None
    assert {run.stage: run.status for run in skipped.stages} == {
        "ingest": "completed",
        **dict.fromkeys(("parse", "chunk", "embed", "index", "extract", "kg"), "skipped"),
    }
    assert {run.status for run in done.stages} == {"completed"}
    (completed,) = [event for event in events_of(client, [again["job_id"]]) if event["type"] == "job.completed"]
    assert completed["data"]["unchanged"] is True


def test_a_job_stops_at_a_gate_and_goes_on_with_the_document_that_opened_it(lab: Lab, client: LedgerClient) -> None:
    (job_id,) = submit(client, GATED, ["pdf"])
    ended(client, [job_id], {"waiting_gate"})
    job = client.get(job_id)
    assert job is not None
    doc = {"doc_id": job.doc_id, "source": "file", "title": "t", "blocks": [_block("from the PDF")]}
    store = ArtifactStore(lab.locations.data / "artifacts", writer="pdf")
    sha = store.put(KINDS["document"].encode(KINDS["document"].decode(orjson.dumps(doc))))
    store.close()
    evidence = Evidence(document=sha, raw=sha, pages=1, tool="t", source=sha)
    assert client.set_field(job_id, "pdf_ir_ready", True, by="pdf", evidence=evidence).opened
    (release,) = client.releases(5.0)
    client.launch(str(uuid.uuid4()), release_id=release.release_id, by="test")
    assert ended(client, [job_id]) == {job_id: "completed"}
    job = client.get(job_id)
    assert job is not None
    artifacts = ArtifactStore(lab.locations.data / "artifacts")
    assert KINDS["chunks"].decode(artifacts.get(job.outputs["chunks"]))[0].text == "from the PDF"
    artifacts.close()


def _block(text: str) -> dict[str, Any]:
    return {"kind": "paragraph", "text": text, "place": {"element": "page/1/block/1"}}


def test_the_network_has_its_own_engine_and_the_job_goes_on_in_the_other(lab: Lab, client: LedgerClient) -> None:
    job = spec(ONLINE, "online-1") | {"offline": False, "lane": "network", "segment": 0}
    client.submit(specs([job]))
    assert states(client, [job["job_id"]]) == {job["job_id"]: "queued"}
    network = lab.engine("network")
    assert ended(client, [job["job_id"]]) == {job["job_id"]: "completed"}
    kinds = [event["type"] for event in events_of(client, [job["job_id"]])]
    assert kinds.count("job.claimed") == 2
    assert kinds.count("job.advanced") == 1
    query = spec(ONLINE, "", query="three of them")
    client.submit(specs([query]))
    assert ended(client, [query["job_id"]]) == {query["job_id"]: "completed"}
    (told,) = [event for event in events_of(client, [query["job_id"]]) if event["type"] == "stage.completed"]
    assert (told["data"]["kind"], told["data"]["counts"]) == ("submissions", [3])
    network.terminate()
    assert network.wait(5) == 0


def test_a_cancelled_job_drops_out_of_its_batch(lab: Lab, client: LedgerClient) -> None:
    jobs = submit(client, WHOLE, ["hold here", "plain"])
    wait_until(lambda: list((lab.home / "flags").glob("held-*")), 15, "the stage to hold")
    client.cancel(jobs[0], by="someone", why="not wanted")
    lab.flag("release").touch()
    assert ended(client, jobs) == {jobs[0]: "cancelled", jobs[1]: "completed"}
