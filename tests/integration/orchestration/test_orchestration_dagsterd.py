"""dagsterd as a process: its pages behind the guard, its sensor, its launcher and its recorder, with a real engine and ledger."""

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import websockets

from medkg_lab import credentials, exit_codes, linux
from medkg_lab.artifacts.store import ArtifactStore
from medkg_lab.locations import locate
from medkg_lab.models.documents import Block, BlockKind, Document, Place
from medkg_lab.models.events import Evidence
from medkg_lab.orchestration.connections import MAX_MESSAGE_BYTES
from medkg_lab.orchestration.runs import TAG_DOC, TAG_JOB, TAG_RELEASE, visible_run_id
from medkg_lab.ports import lab_ports
from medkg_lab.stages.kinds import KINDS
from tests.integration.orchestration.dagsters import Dagster
from tests.told import logged
from tests.waiting import wait_until


def test_the_pages_need_the_token_or_a_session(dagster: Dagster) -> None:
    assert dagster.ask(host=credentials.dagster_host(dagster.lab.locations) + f":{dagster.port}")[0] == 401
    assert dagster.ask(authorization="Bearer wrong")[0] == 403, "this host is for who has the token"
    assert dagster.ask(**dagster.bearer, origin="http://evil.example")[0] == 403
    assert dagster.ask(**dagster.bearer, host=f"evil.example:{dagster.port}")[0] == 403
    status, text = dagster.ask(**dagster.bearer)
    assert status == 200
    assert "<html" in text
    browser = dagster.log_in()
    assert dagster.token not in str(browser)
    assert dagster.ask(**browser)[0] == 200
    assert dagster.ask(**browser | {"sec-fetch-site": "same-site"})[0] == 403
    assert dagster.ask(**browser | {"host": f"127.0.0.1:{dagster.port}"})[0] == 403
    assert dagster.ask(f"/runs?token={dagster.token}", **browser | {"cookie": ""})[0] == 401
    assert dagster.ask(**browser | {"cookie": f"medkg_lab_token={dagster.token}"})[0] == 401


@pytest.mark.parametrize("query", ["{version}", "mutation{reloadWorkspace{__typename}}", "mutation{setNuxSeen}", ""])
def test_nothing_is_asked_of_graphql_by_get(dagster: Dagster, query: str) -> None:
    path = "/graphql?" + urlencode({"query": query})
    for headers in (dagster.bearer, dagster.log_in(), {}):
        assert dagster.ask(path, **headers)[0] == 405
    for spelled in ("%67raphql", "graphql%0a"):
        assert dagster.ask(path.replace("graphql", spelled), **dagster.bearer)[0] == 405


def test_websockets_need_it_too(dagster: Dagster) -> None:
    async def talk(host: str, headers: dict[str, str], origin: str | None) -> Any:
        given: dict[str, Any] = {"additional_headers": headers, "subprotocols": [websockets.Subprotocol("graphql-ws")]}
        target = {"host": "127.0.0.1", "port": dagster.port, "origin": origin}
        async with websockets.connect(f"ws://{host}/graphql", **given, **target) as connection:
            await connection.send(json.dumps({"type": "connection_init", "payload": {}}))
            return json.loads(await connection.recv())["type"]

    browser, programs = dagster.log_in(), f"127.0.0.1:{dagster.port}"
    own, cookie = browser["host"], {"cookie": browser["cookie"]}
    for host, headers, origin in (
        (programs, {}, None),
        (own, {}, f"http://{own}"),
        (own, cookie, None),
        (own, cookie, "http://evil.example"),
        (own, cookie | {"sec-fetch-site": "same-site"}, f"http://{own}"),
        (f"evil.example:{dagster.port}", cookie, f"http://evil.example:{dagster.port}"),
        (programs, cookie, f"http://{programs}"),
    ):
        with pytest.raises(websockets.InvalidStatus) as refused:
            asyncio.run(talk(host, headers, origin))
        assert refused.value.response.status_code == 403
    assert asyncio.run(talk(own, cookie, f"http://{own}")) == "connection_ack"
    assert asyncio.run(talk(programs, dagster.bearer, None)) == "connection_ack"


def test_a_message_on_a_websocket_is_bounded(dagster: Dagster) -> None:
    async def shout() -> int | None:
        address = f"ws://127.0.0.1:{dagster.port}/graphql"
        protocol = websockets.Subprotocol("graphql-ws")
        async with websockets.connect(
            address, additional_headers=dagster.bearer, subprotocols=[protocol]
        ) as connection:
            await connection.send("x" * (MAX_MESSAGE_BYTES + 1))
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await connection.recv()
            return closed.value.rcvd.code if closed.value.rcvd else None

    assert asyncio.run(shout()) == 1009


@pytest.mark.parametrize("first", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n", b"\0\0"])
def test_a_crowd_that_sends_no_request_neither_keeps_others_out_nor_fills_the_log(
    dagster: Dagster, first: bytes
) -> None:
    log = dagster.lab.home / "medkg_lab.orchestration.log"
    before = log.stat().st_size
    linux.raise_open_files()
    with contextlib.ExitStack() as stack:
        for _ in range(1500):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", dagster.port), timeout=10))
            with contextlib.suppress(OSError):
                one.sendall(first)
        assert dagster.ask("/server_info", **dagster.bearer)[0] == 200
        assert dagster.ask(**dagster.log_in())[0] == 200
    assert log.stat().st_size - before < 10_000


def test_the_pipelines_are_jobs_and_can_be_reloaded(dagster: Dagster) -> None:
    query = "{repositoriesOrError{... on RepositoryConnection{nodes{pipelines{name}}}}}"

    def names() -> set[str]:
        nodes = dagster.graphql(query)["repositoriesOrError"]["nodes"]
        return {pipeline["name"] for node in nodes for pipeline in node["pipelines"]}

    assert {"auto", "pdf_two_phase", "pdf_two_phase__post"} <= names()
    mine = dagster.lab.locations.config / "pipelines"
    mine.mkdir(exist_ok=True)
    (mine / "mine.yaml").write_text('version: "1.0"\nname: mine\nstages:\n- name: ingest\n  type: IngestStage\n')
    wait_until(lambda: "mine" in names(), 30, "the new pipeline to be a job, without a restart")
    (mine / "mine.yaml").write_text("version: '1.0'\nname: mine\nstages: nonsense\n")
    wait_until(lambda: "mine" not in names(), 30, "the broken pipeline to be gone")
    assert "auto" in names()
    (mine / "mine.yaml").unlink()
    mutation = 'mutation{reloadRepositoryLocation(repositoryLocationName:"medkg-lab"){__typename}}'
    assert dagster.graphql(mutation)["reloadRepositoryLocation"]["__typename"] == "WorkspaceLocationEntry"


def test_an_open_gate_becomes_a_run_that_an_engine_claims(dagster: Dagster) -> None:
    job_id = dagster.submit("pdf-two-phase", "a PDF")
    job = dagster.until(job_id, "waiting_gate")
    block = Block(kind=BlockKind.PARAGRAPH, text="read from it", place=Place(element="page/1/block/1"))
    document = Document(doc_id=job.doc_id, source="file", title="t", blocks=(block,))
    store = ArtifactStore(dagster.lab.locations.data / "artifacts", writer="pdf")
    sha = store.put(KINDS["document"].encode(document))
    store.close()
    evidence = Evidence(document=sha, raw=sha, pages=1, tool="t", source=sha)
    dagster.client.set_field(job_id, "pdf_ir_ready", True, by="pdf", evidence=evidence)
    dagster.until(job_id, "completed")
    after = dagster.ended(
        job_id, "SUCCESS", dict.fromkeys(("chunk", "embed", "index", "extract", "kg"), "SUCCESS"), half=1
    )
    before = dagster.run(job_id)
    assert before is not None
    assert (before["status"], before["gate"], before["steps"]["pdf_gate"]) == ("SUCCESS", "open", "SUCCESS")
    (launched,) = wait_until(lambda: dagster.runs(run_id=after["batch"], status="SUCCESS"), 10, "the launched run")
    assert (launched["pipeline"], launched["execution"]) == ("pdf_two_phase__post", None)
    query = "query($id: ID!){runOrError(runId:$id){... on Run{tags{key value}}}}"
    tags = {tag["key"]: tag["value"] for tag in dagster.graphql(query, id=launched["run_id"])["runOrError"]["tags"]}
    assert tags["dagster/sensor_name"] == "pdf_ir_ready_sensor"
    assert tags["dagster/run_key"] == launched["release"]
    assert TAG_RELEASE not in tags, "hidden"


_ASSETS = "{assetNodes{assetKey{path} dependencyKeys{path}}}"


def test_what_the_lab_makes_is_shown_as_assets(dagster: Dagster) -> None:
    nodes = dagster.graphql(_ASSETS)["assetNodes"]
    needs = {node["assetKey"]["path"][0]: [key["path"][0] for key in node["dependencyKeys"]] for node in nodes}
    assert needs == {"documents": [], "chunks": ["documents"], "embeddings": ["chunks"], "graph": ["documents"]}


_REEXECUTE = """
mutation($id: String!){launchRunReexecution(reexecutionParams:{parentRunId:$id, strategy:ALL_STEPS}){
  __typename ... on LaunchRunSuccess{run{runId}} ... on PythonError{message stack}}}
"""
_TERMINATE = "mutation($id: String!){terminateRun(runId:$id){__typename ... on PythonError{message}}}"


def test_a_run_can_be_executed_again_from_its_page(dagster: Dagster) -> None:
    job_id = dagster.submit("auto", "unreadable")
    dagster.until(job_id, "failed")
    failed = dagster.ended(job_id, "FAILURE", {"ingest": "SUCCESS", "parse": "FAILURE"})
    answer = dagster.graphql(_REEXECUTE, id=failed["run_id"])["launchRunReexecution"]
    assert answer["__typename"] == "LaunchRunSuccess", answer
    again = dagster.ended(job_id, "FAILURE", {"ingest": "SUCCESS", "parse": "FAILURE"}, execution=2)
    assert again["batch"] == answer["run"]["runId"]
    wait_until(lambda: dagster.runs(run_id=again["batch"], status="FAILURE"), 10, "the launched run to fail as well")
    answer = dagster.graphql(_REEXECUTE.replace("ALL_STEPS", "FROM_FAILURE"), id=failed["run_id"])
    assert answer["launchRunReexecution"]["__typename"] == "LaunchRunSuccess", answer
    # What succeeded before is not done again.
    dagster.ended(job_id, "FAILURE", {"parse": "FAILURE"}, execution=3)


_LAUNCH = """
mutation($params: ExecutionParams!){launchRun(executionParams:$params){
  __typename ... on LaunchRunSuccess{run{runId}} ... on PythonError{message}}}
"""
_LAUNCH_AGAIN = _LAUNCH.replace("launchRun(executionParams:", "launchRunReexecution(executionParams:")


def launch(dagster: Dagster, query: str, tags: dict[str, str], **params: Any) -> str:
    """Launch a run of `auto` with tags, and return its id."""
    selector = {"repositoryLocationName": "medkg-lab", "repositoryName": "__repository__", "jobName": "auto"}
    metadata = {"tags": [{"key": key, "value": value} for key, value in tags.items()]} | params.pop("metadata", {})
    given = {"selector": selector, "mode": "default", "executionMetadata": metadata, **params}
    (answer,) = dagster.graphql(query, params=given).values()
    assert answer["__typename"] == "LaunchRunSuccess", answer
    return str(answer["run"]["runId"])


def test_a_document_is_launched_by_its_id_and_again_from_a_chosen_stage(dagster: Dagster) -> None:
    job_id = dagster.submit("auto", "a text")
    doc_id = dagster.until(job_id, "completed").doc_id
    launched = launch(dagster, _LAUNCH, {TAG_DOC: doc_id})

    def done(execution: int, *steps: str) -> dict[str, Any]:
        return dagster.ended(job_id, "SUCCESS", dict.fromkeys(steps, "SUCCESS"), execution=execution)

    second = done(2, "ingest", "parse", "chunk", "embed", "index", "extract", "kg")
    assert second["batch"] == launched
    metadata = {"rootRunId": second["run_id"], "parentRunId": second["run_id"]}
    again = launch(dagster, _LAUNCH_AGAIN, {TAG_JOB: job_id}, stepKeys=["embed", "index"], metadata=metadata)
    third = done(3, "embed", "index", "extract", "kg")
    assert third["batch"] == again
    told = logged(dagster.client, 0, 5000, job_id=job_id)
    assert [event["data"]["by"] for event in told if event["type"] == "run.launched"] == ["dagster", "dagster"]


def test_a_run_can_be_terminated_from_its_page(dagster: Dagster) -> None:
    job_id = dagster.submit("auto", "hold on")
    wait_until(lambda: (run := dagster.run(job_id)) and "chunk" in run["steps"], 15, "the stage to hold")
    answer = dagster.graphql(_TERMINATE, id=visible_run_id(job_id, 0, 1))["terminateRun"]
    assert answer["__typename"] == "TerminateRunSuccess", answer
    dagster.lab.flag("release").touch()
    assert dagster.until(job_id, "cancelled").state == "cancelled"
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


def test_a_port_that_is_taken_ends_dagsterd_for_good_with_the_reason(short_tmp: Path) -> None:
    lab = locate(short_tmp)
    lab.create()
    port = lab_ports(lab).dagster
    with socket.create_server(("127.0.0.1", port)):
        command = [sys.executable, "-m", "medkg_lab.orchestration", *lab.arguments()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == exit_codes.NO_RESTART
    assert f"port {port} is taken by another program" in done.stderr.splitlines()[-1]
