"""An engine whose embedder asks an endpoint: jobs get its vectors, or end with what was wrong."""

import uuid
from collections.abc import Iterator

import pytest

from medkg_lab.artifacts.store import ArtifactStore
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.services.loading import marked
from medkg_lab.stages.kinds import KINDS
from medkg_lab.topology.models import Topology
from tests.integration.engine.processes import Lab, register, spec, states, topology
from tests.told import specs
from tests.unit.embed.fake_endpoint import Answer, Endpoint, Respond, answer, embed, failure, serving, vector
from tests.waiting import wait_until

ENDED = {"completed", "failed", "dead", "cancelled"}
NOWHERE = "http://127.0.0.1:9/v1"


@pytest.fixture(scope="module")
def client(lab: Lab) -> Iterator[LedgerClient]:
    with lab.client() as connected:
        lab.engine("compute")
        yield connected


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serving() as one:
        yield one


def asking(url: str) -> Topology:
    # Each endpoint has a port of its own, so no stage that was built for another test's is taken.
    options = {"base_url": url, "model": "m", "dimension": 4, "timeout_seconds": 5}
    embed = {"name": "embed", "implementation": "tiny.endpoint", "with": options}
    return topology("asking", "ingest", "parse", "chunk", embed)


def submit(client: LedgerClient, pipeline: Topology, count: int = 1) -> list[str]:
    register(client, pipeline)
    run = uuid.uuid4().hex
    jobs = [spec(pipeline, f"{run}-{number}", content=f"text {number}") for number in range(count)]
    client.submit(specs(jobs))
    return [job["job_id"] for job in jobs]


def outcomes(client: LedgerClient, jobs: list[str]) -> list[tuple[str, str]]:
    wait_until(lambda: set(states(client, jobs).values()) <= ENDED, 30, "the end of the jobs")
    found = [found for job in jobs if (found := client.get(job)) is not None]
    assert not any("embeddings" in job.outputs for job in found if job.state == "failed")
    return [(job.failure_kind or job.state, job.reason or "") for job in found]


def test_a_working_endpoint_gives_the_vectors(client: LedgerClient, endpoint: Endpoint, lab: Lab) -> None:
    jobs = submit(client, asking(endpoint.url), 3)
    assert outcomes(client, jobs) == [("completed", "")] * 3
    store = ArtifactStore(lab.locations.data / "artifacts", writer="reader")
    for number, job in enumerate(jobs):
        made = client.get(job)
        assert made is not None
        found = KINDS["embeddings"].decode(store.get(made.outputs["embeddings"]))
        length = sum(value**2 for value in vector(f"text {number}")) ** 0.5
        assert found.vectors[0].tolist() == pytest.approx([value / length for value in vector(f"text {number}")])
    assert len(endpoint.requests[0]["input"]) == 1, "it is asked for one vector before any document's"


@pytest.mark.parametrize(
    ("respond", "kind", "said"),
    [
        (failure(500, "CUDA out of memory. Tried to allocate 2 GiB"), "gpu_oom", "larger share of the GPU"),
        (failure(500, "worker died"), "gpu_unavailable", "worker died"),
        (failure(404, "The model `m` does not exist"), "gpu_unavailable", "Check `model`"),
        (lambda _: answer([[1.0, 2.0]]), "gpu_unavailable", "got 2 numbers instead of 4"),
        (lambda _: answer([None]), "gpu_unavailable", "got no numbers instead of 4"),
        (lambda _: answer([[1.0, None, 1.0, 1.0]]), "gpu_unavailable", "not finite"),
        (lambda _: answer([["a", "b", "c", "d"]]), "gpu_unavailable", "not a number"),
        (lambda _: answer([]), "gpu_unavailable", "0 vectors for 1 texts"),
        (lambda _: (200, "text/html", b"<html>hello"), "gpu_unavailable", "cannot be used"),
    ],
)
def test_an_endpoint_that_is_of_no_use_ends_the_jobs_with_the_reason(
    client: LedgerClient, endpoint: Endpoint, respond: Respond, kind: str, said: str
) -> None:
    endpoint.respond = respond
    for found, reason in outcomes(client, submit(client, asking(endpoint.url), 2)):
        assert found == kind
        assert said in reason
        assert endpoint.url in reason
    assert {len(request["input"]) for request in endpoint.requests} == {1}, "no document's text was sent"


def test_an_endpoint_that_is_down_ends_the_jobs_with_what_to_do(client: LedgerClient) -> None:
    [(kind, reason)] = outcomes(client, submit(client, asking(NOWHERE)))
    assert kind == "gpu_unavailable"
    assert f"{NOWHERE} did not answer" in reason
    assert "Start the server that the profile names" in reason


def test_an_endpoint_that_came_up_since_is_asked_again(client: LedgerClient, endpoint: Endpoint) -> None:
    endpoint.respond = failure(503, "loading")
    pipeline = asking(endpoint.url)
    assert outcomes(client, submit(client, pipeline))[0][0] == "gpu_unavailable"
    endpoint.respond = embed
    again = spec(pipeline, "again", content="text")
    client.submit(specs([again]))
    assert outcomes(client, [again["job_id"]]) == [("completed", "")]


@pytest.mark.parametrize(
    "spoiled",
    [lambda vectors: vectors[:-1], lambda vectors: [None, *vectors[1:]], lambda vectors: [[1.0], *vectors[1:]]],
)
def test_what_goes_wrong_after_the_start_spares_no_document_a_vector(
    client: LedgerClient, endpoint: Endpoint, spoiled: object
) -> None:
    assert callable(spoiled)

    def respond(body: dict[str, list[str]]) -> Answer:
        vectors = [vector(text) for text in body["input"]]
        return answer(vectors if body["input"][0].startswith("Does this") else spoiled(vectors))

    endpoint.respond = respond
    assert {kind for kind, _ in outcomes(client, submit(client, asking(endpoint.url)))} == {"gpu_unavailable"}


def test_jobs_stay_queued_while_a_server_of_the_profile_loads(lab: Lab, client: LedgerClient) -> None:
    profile = lab.locations.config / "profiles" / "tiny.yaml"
    before = profile.read_text()
    server = "servers:\n- name: model\n  command: [unused]\n  ready_url: http://127.0.0.1:9/health\n"
    plain = topology("plain", "ingest", "parse")
    register(client, plain)
    with marked(lab.locations.state, "model"):
        profile.write_text(before + server)
        lab.stop(keep=1)
        lab.engine("compute")
        held = spec(plain, "held", content="text")
        client.submit(specs([held]))
        wait_until(lambda: "loading: model" in lab.log("medkg_lab.engine"), 15, "the engine to say why it waits")
        assert states(client, [held["job_id"]]) == {held["job_id"]: "queued"}
    assert outcomes(client, [held["job_id"]]) == [("completed", "")]
    profile.write_text(before)
