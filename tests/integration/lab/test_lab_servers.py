"""A profile that names a server: the lab runs it, and jobs stay queued, with that reason, until it has loaded."""

import json
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.services.test_services_keeper import CPU, SERVER
from tests.labs import TestLab
from tests.waiting import wait_until

TRIAL = Path(__file__).parents[3] / "bundled_pipelines" / "demo" / "trials" / "NCT90000001.json"

pytestmark = pytest.mark.timeout(200)


@pytest.fixture
def lab() -> Iterator[TestLab]:
    folder = Path(tempfile.mkdtemp(prefix="mk", dir="/tmp"))
    made = TestLab(folder / "home", folder / "cache")
    config = made.home / "config"
    (config / "profiles").mkdir(parents=True)
    (folder / "server.py").write_text(SERVER)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, str(folder / "server.py"), str(folder / "loaded"), str(port)]
    slow = {"name": "model", "command": command, "ready_url": f"http://127.0.0.1:{port}/health"}
    missing = {"name": "absent", "command": ["/nowhere/server"], "ready_url": "http://127.0.0.1:9/health"}
    profile = CPU.replace("name: cpu", "name: own") + f"servers: {json.dumps([missing, slow])}\n"
    (config / "profiles" / "own.yaml").write_text(profile)
    (config / "settings.yaml").write_text("profile: own\n")
    try:
        yield made
    finally:
        made.run("down")
        shutil.rmtree(folder, ignore_errors=True)


def states(lab: TestLab) -> dict[str, str]:
    return {one["name"]: one["state"] for one in lab.ok("status")["processes"]}


@pytest.mark.full
def test_jobs_wait_for_a_model_that_loads_and_not_for_one_that_cannot(lab: TestLab) -> None:
    lab.ok("up")
    assert states(lab)["server-model"] == "starting"
    assert states(lab)["server-absent"] == "given_up"
    assert states(lab)["engine-compute"] == "absent"
    [job] = lab.ok("submit", str(TRIAL))["jobs"]
    why = lab.run("jobs", "why", job["job_id"]).out
    assert "It is queued while server-model loads its model" in why
    assert lab.ok("jobs", "show", job["job_id"])["state"] == "queued"
    (lab.home.parent / "loaded").touch()
    wait_until(lambda: lab.ok("jobs", "show", job["job_id"])["state"] == "completed", 60, "the job's end")
    assert states(lab)["server-model"] == "ready"
    lab.ok("down")
    assert lab.leftovers() == []
