"""Dagster's pages in a real browser: in by a one-time address, a run with its stages, and nothing for who has none."""

import contextlib
import itertools
import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from websockets.sync.client import ClientConnection, connect

from medkg_lab.orchestration.runs import visible_run_id
from tests.browsers import BROWSER
from tests.http_service import Answer, http_service
from tests.integration.orchestration.dagsters import Dagster
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason="there is no chromium"),
    pytest.mark.timeout(240),
]
DEADLINE = 90


class Page:
    """A tab of a browser, spoken to by the DevTools protocol."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._ids = itertools.count(1)

    def ask(self, method: str, **params: Any) -> Any:
        """Give a command and wait for its result; events in between are passed over."""
        number = next(self._ids)
        self._connection.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            answer = json.loads(self._connection.recv(timeout=DEADLINE))
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]

    def open(self, address: str) -> None:
        """Go to an address."""
        self.ask("Page.navigate", url=address)

    def value(self, script: str) -> Any:
        """What a script comes to in the page."""
        found = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def text(self) -> str:
        """What a person reads there."""
        return str(self.value("document.body ? document.body.innerText : ''"))

    def shows(self, *wanted: str) -> None:
        """Wait until the page shows all of this."""
        try:
            wait_until(lambda: all(each in self.text() for each in wanted), DEADLINE, f"the page to show {wanted}")
        except AssertionError:
            print(self.value("location.href"), self.text()[:3000])  # shown when the test failed
            raise

    def graphql(self, query: str, **variables: Any) -> Any:
        """Ask as the page's own scripts do, with its cookies: {status, answer}."""
        body = json.dumps({"query": query, "variables": variables})
        return self.value(
            "fetch('/graphql', {method: 'POST', headers: {'content-type': 'application/json'}, body: "
            + json.dumps(body)
            + "}).then(async r => ({status: r.status, answer: r.status == 200 ? await r.json() : null}))"
        )


@contextlib.contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """A browser of its own, with one tab."""
    assert BROWSER is not None
    options = [
        "--headless=new",
        "--remote-debugging-port=0",
        "--no-first-run",
        "--disable-gpu",
        "--disable-dev-shm-usage",
    ]
    options += ["--no-sandbox"] if os.getuid() == 0 else []
    command = [BROWSER, *options, f"--user-data-dir={profile}", "about:blank"]
    with (profile.parent / f"{profile.name}.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        listening = profile / "DevToolsActivePort"
        wait_until(
            lambda: listening.exists() and listening.read_text().count("\n") >= 1, DEADLINE, "the browser to listen"
        )
        port = listening.read_text().split("\n")[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=30) as response:
            address = next(each for each in json.loads(response.read()) if each["type"] == "page")[
                "webSocketDebuggerUrl"
            ]
        with connect(address, max_size=None) as connection:
            page = Page(connection)
            page.ask("Page.enable")
            yield page
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


_REEXECUTE = """mutation($params: ExecutionParams!){launchRunReexecution(executionParams:$params){
  __typename ... on LaunchRunSuccess{run{runId}} ... on PythonError{message}}}"""


def test_a_person_who_logged_in_sees_runs_and_re_executes_one(dagster: Dagster, tmp_path: Path) -> None:
    job_id = dagster.submit("auto", "a text")
    doc_id = dagster.until(job_id, "completed").doc_id
    run_id = visible_run_id(job_id, 0, 1)
    wait_until(lambda: (run := dagster.run(job_id)) and run["status"] == "SUCCESS", 20, "the run to be recorded")
    with browser(tmp_path / "person") as page:
        address = urlsplit(dagster.login_url("/runs"))
        page.open(address.geturl())
        page.shows(run_id[:8], "auto")
        assert page.value("location.href") == f"http://{address.netloc}/runs"
        assert page.value("document.cookie") == "", "no script can read the session"
        page.open(f"http://{address.netloc}/runs/{run_id}")
        page.shows("Success", "ingest", "parse", "chunk", "embed", "index", "extract", "kg")
        page.open(f"http://{address.netloc}/runs/{run_id}?logFileKey=ingest&logType=stderr")
        page.shows(f"logged nothing about ingest of job {job_id}")
        selector = {"repositoryLocationName": "medkg-lab", "repositoryName": "__repository__", "jobName": "auto"}
        metadata = {"parentRunId": run_id, "rootRunId": run_id, "tags": [{"key": "medkg/job_id", "value": job_id}]}
        params = {"selector": selector, "mode": "default", "stepKeys": ["embed"], "executionMetadata": metadata}
        answer = page.graphql(_REEXECUTE, params=params)["answer"]["data"]["launchRunReexecution"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        # The recorder commits a run's state before its events: the two are in different files.
        wanted = {"embed", "index", "extract", "kg"}
        again = wait_until(
            lambda: (
                (run := dagster.run(job_id, execution=2))
                and run["status"] == "SUCCESS"
                and set(run["steps"]) == wanted
                and run
            ),
            30,
            "the next run with all of its steps",
        )
        page.open(f"http://{address.netloc}/runs/{again['run_id']}")
        page.shows("Success", doc_id)


def test_a_browser_that_did_not_log_in_gets_nothing(dagster: Dagster, tmp_path: Path) -> None:
    job_id = dagster.submit("auto", "another text")
    dagster.until(job_id, "completed")
    with browser(tmp_path / "stranger") as page:
        name = urlsplit(dagster.login_url()).netloc
        page.open(f"http://{name}/runs/{visible_run_id(job_id, 0, 1)}")
        page.shows("medkg-lab dagster open")
        assert page.graphql("{version}")["status"] == 401
        opened = page.value(
            f"new Promise(done => {{const s = new WebSocket('ws://{name}/graphql', 'graphql-ws');"
            " s.onopen = () => done('open'); s.onerror = () => done('refused')})"
        )
        assert opened == "refused"


_DELETE = 'mutation{deletePipelineRun(runId:"%s"){__typename}}'


def test_a_page_on_another_port_of_the_same_name_changes_nothing(dagster: Dagster, tmp_path: Path) -> None:
    """A browser takes it for the same site, and sends it and its requests the session's cookie."""
    job_id = dagster.submit("auto", "a third text")
    dagster.until(job_id, "completed")
    run_id = visible_run_id(job_id, 0, 1)
    wait_until(lambda: (run := dagster.run(job_id)) and run["status"] == "SUCCESS", 20, "the run to be recorded")
    with http_service() as service, browser(tmp_path / "victim") as page:
        service.answers["/"] = [
            Answer(b"<html><body>a harmless page</body></html>", headers={"content-type": "text/html"})
        ]
        address = urlsplit(dagster.login_url("/runs"))
        own = f"http://{address.netloc}"
        page.open(address.geturl())
        page.shows(run_id[:8])
        page.open(f"http://{address.hostname}:{urlsplit(service.url).port}/")
        page.shows("a harmless page")
        assert "cookie" in service.asked[0].headers, "the browser counts a host's ports as one"
        query = f"{own}/graphql?query=" + quote(_DELETE % run_id)
        tried = [
            f"fetch({json.dumps(query)}, {{method: '{method}', mode: 'no-cors', credentials: 'include'}})"
            for method in ("GET", "POST")
        ]
        tried.append(f"new Promise(end => {{const i = new Image(); i.onerror = end; i.src = {json.dumps(query)}}})")
        for script in tried:
            page.value(f"{script}.then(() => 'asked', () => 'refused')")
        opened = page.value(
            f"new Promise(done => {{const s = new WebSocket('ws://{address.netloc}/graphql', 'graphql-ws');"
            " s.onopen = () => done('open'); s.onerror = () => done('refused')})"
        )
        assert opened == "refused"
        frame = f"const f = document.createElement('iframe'); f.src = '{own}/runs'; document.body.append(f);"
        page.value(f"new Promise(end => {{{frame} f.onload = end}}).then(() => 1)")
        page.open(f"{own}/runs")
        page.shows(run_id[:8])
    assert dagster.run(job_id) is not None
