"""dagsterd as a process: its pages behind the guard, its sensor, its launcher and its recorder, with a real engine and ledger."""

import asyncio
import json
import shutil
import tempfile
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import websockets

from medkg_lab import rpc, settings
from medkg_lab.artifacts.store import ArtifactStore
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.models.ir import Block, BlockKind, Document, Place
from medkg_lab.orchestration.runs import TAG_RELEASE, visible_run_id
from medkg_lab.orchestration.web import COOKIE
from medkg_lab.stages.kinds import KINDS
from medkg_lab.topology.catalog import Catalog
from tests.integration.engine.processes import Lab, register, running_ledger, spec
from tests.waiting import wait_until


@dataclass
class Dagster:
    """A lab with dagsterd and an engine."""

    lab: Lab
    client: LedgerClient
    port: int
    token: str

    def ask(self, path: str = "/", **headers: str) -> tuple[int, str]:
        """The status and text of a page; `authorized` headers come from `bearer`."""
        return self._fetch(urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers))

    @property
    def bearer(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}

    def graphql(self, query: str, **variables: Any) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        headers = {"content-type": "application/json", **self.bearer}
        status, text = self._fetch(urllib.request.Request(f"http://127.0.0.1:{self.port}/graphql", body, headers))
        assert status in (200, 500), text  # an error that an answer describes comes with 500
        answer = json.loads(text)
        assert "errors" not in answer, answer
        return answer["data"]

    @staticmethod
    def _fetch(request: urllib.request.Request) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, response.read().decode(errors="replace")
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def runs(self, **wanted: Any) -> list[dict[str, Any]]:
        with rpc.Client(self.lab.locations.socket("dagsterd")) as client:
            runs = client.call("runs", after=None, limit=500)["runs"]
        return [run for run in runs if all(run[key] == value for key, value in wanted.items())]

    def run(self, job_id: str, half: int = 0, execution: int = 1) -> dict[str, Any] | None:
        found = self.runs(run_id=visible_run_id(job_id, half, execution))
        return found[0] if found else None

    def submit(self, pipeline: str, text: str) -> str:
        topology = Catalog(self.lab.locations).topology(pipeline)
        register(self.client, topology)
        job = spec(topology, uuid.uuid4().hex, content=text)
        self.client.submit([job])
        return str(job["job_id"])

    def until(self, job_id: str, state: str) -> dict[str, Any]:
        def reached() -> dict[str, Any] | None:
            job = self.client.get(job_id)
            return job if job is not None and job["state"] == state else None

        job = wait_until(reached, 20, f"job {job_id} to be {state}")
        assert job is not None
        return job


@pytest.fixture(scope="module")
def dagster() -> Iterator[Dagster]:
    home = Path(tempfile.mkdtemp(prefix="mk", dir="/tmp"))
    with running_ledger(home) as lab, lab.client() as client:
        lab.engine()
        lab.start("medkg_lab.orchestration")
        port, token = settings.ports(lab.locations)["dagster"], settings.dagster_token(lab.locations)
        yield Dagster(lab, client, port, token)
    shutil.rmtree(home, ignore_errors=True)


def test_the_pages_need_the_token(dagster: Dagster) -> None:
    assert dagster.ask()[0] == 401
    assert dagster.ask(authorization="Bearer wrong")[0] == 401
    assert dagster.ask(**dagster.bearer, origin="http://evil.example")[0] == 401
    assert dagster.ask(**dagster.bearer, host=f"evil.example:{dagster.port}")[0] == 401
    status, text = dagster.ask(**dagster.bearer)
    assert status == 200
    assert "<html" in text
    assert dagster.ask(cookie=f"{COOKIE}={dagster.token}")[0] == 200
    assert dagster.ask(f"/runs?token={dagster.token}")[0] == 401, (
        "the redirect is followed here without the cookie it set"
    )


def test_websockets_need_it_too(dagster: Dagster) -> None:
    address = f"ws://127.0.0.1:{dagster.port}/graphql"

    async def talk(headers: dict[str, str]) -> Any:
        protocol = websockets.Subprotocol("graphql-ws")
        async with websockets.connect(address, additional_headers=headers, subprotocols=[protocol]) as connection:
            await connection.send(json.dumps({"type": "connection_init", "payload": {}}))
            return json.loads(await connection.recv())["type"]

    with pytest.raises(websockets.InvalidStatus) as refused:
        asyncio.run(talk({}))
    assert refused.value.response.status_code == 403
    assert asyncio.run(talk({"cookie": f"{COOKIE}={dagster.token}"})) == "connection_ack"


def test_the_pipelines_are_jobs_and_can_be_reloaded(dagster: Dagster) -> None:
    query = "{repositoriesOrError{... on RepositoryConnection{nodes{pipelines{name}}}}}"

    def names() -> set[str]:
        nodes = dagster.graphql(query)["repositoriesOrError"]["nodes"]
        return {pipeline["name"] for node in nodes for pipeline in node["pipelines"]}

    assert {"auto", "pdf_two_phase", "pdf_two_phase__post"} <= names()
    mine = dagster.lab.locations.config / "pipelines"
    mine.mkdir(exist_ok=True)
    (mine / "mine.yaml").write_text('version: "1.0"\nname: mine\nstages:\n- name: ingest\n  type: IngestStage\n')
    mutation = 'mutation{reloadRepositoryLocation(repositoryLocationName:"medkg-lab"){__typename}}'
    assert dagster.graphql(mutation)["reloadRepositoryLocation"]["__typename"] == "WorkspaceLocationEntry"
    assert "mine" in names()


def test_an_open_gate_becomes_a_run_that_an_engine_claims(dagster: Dagster) -> None:
    job_id = dagster.submit("pdf-two-phase", "a PDF")
    job = dagster.until(job_id, "waiting_gate")
    block = Block(kind=BlockKind.PARAGRAPH, text="read from it", place=Place(element="page/1/block/1"))
    document = Document(doc_id=job["doc_id"], source="file", title="t", blocks=(block,))
    store = ArtifactStore(dagster.lab.locations.data / "artifacts", writer="pdf")
    sha = store.put(KINDS["document"].encode(document))
    store.close()
    evidence = {"document": sha, "raw": sha, "pages": 1, "missing_pages": [], "tool": "t", "source": sha}
    dagster.client.set_field(job_id, "pdf_ir_ready", True, by="pdf", evidence=evidence)
    dagster.until(job_id, "completed")
    after = wait_until(
        lambda: (run := dagster.run(job_id, half=1)) and run["status"] == "SUCCESS" and run,
        10,
        "the run after the gate",
    )
    assert set(after["steps"]) == {"chunk", "embed", "index", "extract", "kg"}
    before = dagster.run(job_id)
    assert before is not None
    assert (before["status"], before["gate"], before["steps"]["pdf_gate"]) == ("SUCCESS", "open", "SUCCESS")
    (launched,) = wait_until(lambda: dagster.runs(run_id=after["batch"], status="SUCCESS"), 10, "the launched run")
    assert (launched["pipeline"], launched["execution"]) == ("pdf_two_phase__post", None)
    query = "query($id: ID!){runOrError(runId:$id){... on Run{tags{key value}}}}"
    tags = {tag["key"]: tag["value"] for tag in dagster.graphql(query, id=launched["run_id"])["runOrError"]["tags"]}
    assert tags["dagster/sensor_name"] == "pdf_ir_ready_sensor"
    assert tags["dagster/run_key"] == tags[TAG_RELEASE]


_REEXECUTE = """
mutation($id: String!){launchRunReexecution(reexecutionParams:{parentRunId:$id, strategy:ALL_STEPS}){
  __typename ... on LaunchRunSuccess{run{runId}} ... on PythonError{message stack}}}
"""
_TERMINATE = "mutation($id: String!){terminateRun(runId:$id){__typename ... on PythonError{message}}}"


def test_a_run_can_be_executed_again_from_its_page(dagster: Dagster) -> None:
    job_id = dagster.submit("auto", "unreadable")
    dagster.until(job_id, "failed")
    failed = wait_until(
        lambda: (run := dagster.run(job_id)) and run["status"] == "FAILURE" and run, 10, "the failed run"
    )
    assert failed["steps"] == {"ingest": "SUCCESS", "parse": "FAILURE"}
    answer = dagster.graphql(_REEXECUTE, id=failed["run_id"])["launchRunReexecution"]
    assert answer["__typename"] == "LaunchRunSuccess", answer
    again = wait_until(
        lambda: (run := dagster.run(job_id, execution=2)) and run["status"] == "FAILURE" and run,
        15,
        "the second failure",
    )
    assert again["batch"] == answer["run"]["runId"]
    assert again["steps"] == {"ingest": "SUCCESS", "parse": "FAILURE"}
    wait_until(lambda: dagster.runs(run_id=again["batch"], status="FAILURE"), 10, "the launched run to fail as well")


def test_a_run_can_be_terminated_from_its_page(dagster: Dagster) -> None:
    job_id = dagster.submit("auto", "hold on")
    wait_until(lambda: (run := dagster.run(job_id)) and "chunk" in run["steps"], 15, "the stage to hold")
    answer = dagster.graphql(_TERMINATE, id=visible_run_id(job_id, 0, 1))["terminateRun"]
    assert answer["__typename"] == "TerminateRunSuccess", answer
    dagster.lab.flag("release").touch()
    assert dagster.until(job_id, "cancelled")["state"] == "cancelled"
    wait_until(lambda: (run := dagster.run(job_id)) and run["status"] == "CANCELED", 10, "the run to be cancelled")


def test_a_launch_without_a_job_says_what_is_missing(dagster: Dagster) -> None:
    mutation = """
    mutation{launchRun(executionParams:{selector:{repositoryLocationName:"medkg-lab", repositoryName:"__repository__",
      jobName:"auto"}, mode:"default"}){__typename ... on PythonError{message}}}
    """
    answer = dagster.graphql(mutation)["launchRun"]
    assert answer["__typename"] == "PythonError"
    assert "medkg/job_id" in answer["message"]


def test_it_ends_cleanly_and_in_time(dagster: Dagster) -> None:
    process = dagster.lab._running[-1]
    process.terminate()
    assert process.wait(5) == 0
    assert "Traceback" not in dagster.lab.log("medkg_lab.orchestration").replace("LaunchNeedsJob", "")
