"""Fifty jobs of both pipelines leave a lab as one archive and run again on a desk where every socket to anywhere is refused.

A pair of connected sockets, by which the PDF converter's processes talk, leads nowhere and is not one of them.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.repro.support import DEMO
from tests.labs import Done, TestLab

pytestmark = [pytest.mark.timeout(600), pytest.mark.full]

NO_SOCKETS = """
import sys

def refuse(event, arguments):
    if event in ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto"):
        raise PermissionError("sockets are refused here")

sys.addaudithook(refuse)
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="mk", dir="/tmp"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def archive(folder: Path) -> Path:
    """The archive of a lab that took the bundled documents in twice, for two tenants."""
    lab = TestLab(folder / "home", folder / "cache")
    try:
        lab.ok("up")
        for tenant in ("one", "two"):
            lab.run("submit", str(DEMO), "--tenant", tenant, "--wait", "--timeout", "200")
        jobs = [job["job_id"] for job in lab.ok("jobs", "list", "--limit", "500")]
        assert len(jobs) >= 50
        lab.ok("repro", "export", *jobs, "--out", str(folder / "fifty.mklab"))
        lab.ok("repro", "export", *reversed(jobs), "--out", str(folder / "again.mklab"))
        assert (folder / "again.mklab").read_bytes() == (folder / "fifty.mklab").read_bytes()
    finally:
        lab.run("down")
    return folder / "fifty.mklab"


def offline(folder: Path, *arguments: str) -> Done:
    """Run a command where no socket can be made, not even by the processes that it starts."""
    site = folder / "site"
    site.mkdir(exist_ok=True)
    (site / "sitecustomize.py").write_text(NO_SOCKETS)
    lab = TestLab(folder / "desk", folder / "cache")
    environment = {**lab.environment, "PYTHONPATH": str(site)}
    command = [sys.executable, "-m", "medkg_lab.cli.main", *arguments, "--json"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    return Done(ended.returncode, ended.stdout, ended.stderr)


def test_nothing_diverges_without_a_network(folder: Path, archive: Path) -> None:
    probe = [sys.executable, "-c", "import socket; socket.create_connection(('127.0.0.1', 9))"]
    imported = offline(folder, "repro", "import", str(archive))
    assert imported.code == 0, imported.err
    refused = subprocess.run(
        probe, env={**os.environ, "PYTHONPATH": str(folder / "site")}, capture_output=True, check=False
    )
    assert b"sockets are refused here" in refused.stderr
    done = offline(folder, "repro", "run")
    assert done.code == 0, done.err
    run = done.json()
    assert (run["divergences"], run["unrecorded"]) == (0, None), run["first"]
    assert sum(run["jobs"].values()) >= 50
    assert "recorded" not in run["steps"]
    shown = offline(folder, "repro", "diff").json()
    assert (shown["ok"], shown["answered_from_recording"]) == (True, 0)
    pipelines = {job["pipeline"] for job in offline(folder, "repro", "show").json()["jobs"]}
    assert pipelines == {"auto", "pdf-two-phase"}


def test_the_redacted_archive_runs_as_well(folder: Path, archive: Path) -> None:
    lab = TestLab(folder / "home", folder / "cache")
    lab.ok("up")
    try:
        jobs = [job["job_id"] for job in lab.ok("jobs", "list", "--tenant", "one", "--limit", "500")]
        preview = lab.ok("repro", "export", *jobs, "--out", str(folder / "none"), "--redact", "--preview")
        assert "name" in preview["replaced"]
        assert not (folder / "none").exists()
        lab.ok("repro", "export", *jobs, "--out", str(folder / "redacted.mklab"), "--redact")
    finally:
        lab.run("down")
    junit = folder / "report.xml"
    done = offline(folder, "repro", "verify", str(folder / "redacted.mklab"), str(archive), "--junit", str(junit))
    assert done.code == 0, done.out
    assert 'tests="2" failures="0" errors="0"' in junit.read_text()
