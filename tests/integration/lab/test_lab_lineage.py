"""The lineage of the demo: valid, complete, and told once each although the process that tells it is killed."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medkg_lab import launch
from medkg_lab.lab.facade import Lab
from tests.http_service import Answer, Asked, http_service
from tests.integration.lab.test_lab_metrics import with_settings
from tests.labs import TestLab
from tests.unit.lineage.openlineage_spec import Spec
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(500)

Demo = tuple[TestLab, dict[str, Any]]
ARTIFACTS = "SELECT count(*) FROM artifact"


@contextlib.contextmanager
def telling(lab: TestLab) -> Iterator["subprocess.Popen[bytes]"]:
    """The process that tells lineage, beside a lab that has none."""
    command = launch.python("medkg_lab.lineage", "--home", str(lab.home))
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=lab.environment)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def begin_again(lab: TestLab) -> None:
    for path in (lab.home / "data" / "lineage").glob("*"):
        path.unlink()


def to_the_end(lab: TestLab, path: Path) -> list[bytes]:
    """The lines of the file once the place of the view is that of the ledger's newest event."""
    head = Lab.at(lab.home).ledger.counts().head
    place = lab.home / "data" / "lineage" / "place.sqlite"

    def is_there() -> bool:
        with contextlib.suppress(sqlite3.OperationalError), contextlib.closing(sqlite3.connect(place)) as found:
            return bool(found.execute("SELECT seq FROM place").fetchone()[0] >= head)
        return False

    wait_until(is_there, 60, "lineage is told to its end")
    return path.read_bytes().splitlines() if path.exists() else []


@pytest.fixture(scope="module")
def lines(demo: Demo) -> list[bytes]:
    """The lineage of the demo, as it is told without a disturbance."""
    lab, _ = demo
    with with_settings(lab, ""):
        with telling(lab):
            found = to_the_end(lab, lab.home / "data" / "lineage" / "events.jsonl")
    begin_again(lab)
    return found


def test_every_artifact_comes_out_of_a_run_that_is_complete(demo: Demo, lines: list[bytes]) -> None:
    lab, _ = demo
    events = [json.loads(line) for line in lines]
    made = Counter(output["name"] for event in events for output in event["outputs"])
    stages = [event for event in events if event["job"]["name"].count(".") == 1 and event["outputs"]]
    assert {event["eventType"] for event in stages} == {"COMPLETE"}
    gates = [event for event in stages if event["job"]["name"].endswith(".pdf_gate")]
    assert len(stages) - len(gates) == lab.ok("sql", ARTIFACTS)["rows"][0][0]
    taken = {one["name"] for event in events for one in event["inputs"]}
    assert taken <= made.keys()
    ends = Counter(event["run"]["runId"] for event in events if event["eventType"] in ("COMPLETE", "FAIL", "ABORT"))
    starts = Counter(event["run"]["runId"] for event in events if event["eventType"] == "START")
    assert set(starts.values()) == set(ends.values()) == {1}
    assert starts.keys() == ends.keys()


def test_the_demo_is_as_the_published_schemas_want_it(shared_data: Path, lines: list[bytes]) -> None:
    spec = Spec(shared_data / "openlineage" / "spec")
    assert len(lines) > 300
    assert Counter(problem for line in lines for problem in spec.problems(json.loads(line))) == {}


def test_kill_9_while_the_file_is_written_loses_and_repeats_nothing(demo: Demo, lines: list[bytes]) -> None:
    lab, _ = demo
    path = lab.home / "data" / "lineage" / "events.jsonl"
    for _ in range(2):
        size = path.stat().st_size if path.exists() else 0
        with telling(lab) as process:
            wait_until(lambda size=size: path.exists() and (path.stat().st_size != size or size), 60, "it writes")
            process.send_signal(signal.SIGKILL)
    with telling(lab):
        assert to_the_end(lab, path) == lines
    begin_again(lab)


def test_kill_9_between_two_posts_loses_nothing(demo: Demo, lines: list[bytes]) -> None:
    lab, _ = demo
    kill_at = {1, 150, 290}
    running: list[int] = []

    def answer(asked: Asked) -> Answer:
        if len(service.asked) in kill_at:
            os.kill(running[-1], signal.SIGKILL)
        return Answer(status=201)

    with http_service() as service:
        service.answers["/api/v1/lineage"] = answer
        with with_settings(lab, f"lineage: {{url: '{service.url}'}}\n"):
            for _ in kill_at:
                with telling(lab) as process:
                    running.append(process.pid)
                    process.wait(60)
            with telling(lab) as process:
                running.append(process.pid)
                to_the_end(lab, Path("none"))
        got = [asked.body for asked in service.asked]
    assert list(dict.fromkeys(got)) == lines
    assert len(got) - len(lines) < 48 * len(kill_at)
    begin_again(lab)
