"""A lab whose dagsterd and engine run, and how a test asks it."""

import contextlib
import http.client
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
from urllib.parse import urlsplit

import pytest

from medkg_lab import credentials, rpc
from medkg_lab.ledger.answers import JobDetail
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.orchestration.runs import visible_run_id
from medkg_lab.ports import lab_ports
from medkg_lab.topology.catalog import Catalog
from tests.integration.engine.processes import Lab, register, running_ledger, spec
from tests.told import specs
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

    def login_url(self, page: str = "/") -> str:
        """An address that opens a page once."""
        with rpc.Client(self.lab.locations.socket("dagsterd")) as client:
            return str(client.call("login", page=page)["url"])

    def log_in(self) -> dict[str, str]:
        """Log in as a browser does, and return the headers that its pages' requests have."""
        address = urlsplit(self.login_url())
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(
            "GET", f"{address.path}?{address.query}", headers={"host": address.netloc, "sec-fetch-site": "none"}
        )
        answer = connection.getresponse()
        assert answer.status == 303, answer.read()
        cookie = answer.headers["set-cookie"].partition(";")[0]
        connection.close()
        return {"host": address.netloc, "cookie": cookie, "sec-fetch-site": "same-origin"}

    @property
    def bearer(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}

    def graphql(self, query: str, headers: dict[str, str] | None = None, **variables: Any) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        given = {"content-type": "application/json", **(headers or self.bearer)}
        status, text = self._fetch(urllib.request.Request(f"http://127.0.0.1:{self.port}/graphql", body, given))
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

    def ended(
        self, job_id: str, status: str, steps: dict[str, str], half: int = 0, execution: int = 1
    ) -> dict[str, Any]:
        """The run once it has this status and these steps, which are in Dagster's other file and written just after it."""

        def run() -> dict[str, Any]:
            return self.run(job_id, half, execution) or {"status": None, "steps": None}

        with contextlib.suppress(AssertionError):
            wait_until(lambda: (run()["status"], run()["steps"]) == (status, steps), 15, "the run")
        found = run()
        assert (found["status"], found["steps"]) == (status, steps)
        return found

    def submit(self, pipeline: str, text: str) -> str:
        topology = Catalog(self.lab.locations).topology(pipeline)
        register(self.client, topology)
        job = spec(topology, uuid.uuid4().hex, content=text)
        self.client.submit(specs([job]))
        return str(job["job_id"])

    def until(self, job_id: str, state: str) -> JobDetail:
        def reached() -> JobDetail | None:
            job = self.client.get(job_id)
            return job if job is not None and job.state == state else None

        job = wait_until(reached, 20, f"job {job_id} to be {state}")
        assert job is not None
        return job


@pytest.fixture(scope="module")
def dagster() -> Iterator[Dagster]:
    home = Path(tempfile.mkdtemp(prefix="mk", dir="/tmp"))
    with running_ledger(home) as lab, lab.client() as client:
        lab.engine()
        lab.start("medkg_lab.orchestration")
        port, token = lab_ports(lab.locations).dagster, credentials.dagster_token(lab.locations)
        yield Dagster(lab, client, port, token)
    shutil.rmtree(home, ignore_errors=True)
