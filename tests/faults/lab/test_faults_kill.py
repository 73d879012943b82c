"""kill -9 of any process of a busy lab: it comes back, and every job still ends right."""

import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from medkg_lab import linux
from tests.labs import TestLab
from tests.waiting import wait_until

PROCESSES = ("broker", "ledgerd", "bridge", "knowledge", "engine-compute", "engine-network", "pdf", "dagsterd")
TRIALS = 40


@pytest.fixture
def lab() -> Iterator[TestLab]:
    folder = Path(tempfile.mkdtemp(prefix="mk", dir="/tmp"))
    made = TestLab(folder / "home", folder / "cache")
    try:
        made.ok("up")
        yield made
    finally:
        made.run("down")
        shutil.rmtree(folder, ignore_errors=True)


def write_trials(folder: Path, first: int) -> None:
    """Small studies of our own, each about something else."""
    folder.mkdir(parents=True)
    for number in range(first, first + TRIALS):
        study = {
            "protocolSection": {
                "identificationModule": {
                    "nctId": f"NCT{99000000 + number}",
                    "briefTitle": f"Substance {number} in condition {number % 7}",
                },
                "descriptionModule": {"briefSummary": f"Substance {number} was compared with placebo. " * 12},
                "conditionsModule": {"conditions": [f"Condition {number % 7}"]},
            }
        }
        (folder / f"{number}.json").write_text(json.dumps(study))


def kill(lab: TestLab, name: str) -> None:
    """Kill one process and wait until another has taken its place."""
    old = lab.pids()[name]
    os.kill(old, signal.SIGKILL)

    def back() -> bool:
        found = next(one for one in lab.ok("status")["processes"] if one["name"] == name)
        return found["state"] == "ready" and found["pid"] != old

    wait_until(back, 90, f"{name} is back")


def check(lab: TestLab, folder: Path, documents: int) -> None:
    """Every document ends completed, exactly once, and the three histories agree."""
    lab.ok("submit", str(folder), "--wait", "--timeout", "120")
    counts = lab.ok("sql", "SELECT count(*), count(DISTINCT doc_id) FROM job WHERE state = 'completed'")["rows"][0]
    assert counts == [documents, documents]
    found = lab.ok("verify")
    assert found["ok"] is True, found["differences"]
    assert lab.ok("sql", "SELECT count(*) FROM job WHERE state <> 'completed'")["rows"] == [[0]]


@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", ["engine-compute", pytest.param("ledgerd", marks=pytest.mark.full)])
def test_a_killed_process_loses_nothing(lab: TestLab, tmp_path: Path, name: str) -> None:
    write_trials(tmp_path / "a", 0)
    lab.ok("submit", str(tmp_path / "a"))
    wait_until(lambda: lab.ok("status")["jobs"].get("completed", 0) > 0, 60, "the lab is busy")
    kill(lab, name)
    check(lab, tmp_path / "a", TRIALS)


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_every_process_killed_in_turn_loses_nothing(lab: TestLab, tmp_path: Path) -> None:
    for number, name in enumerate(PROCESSES):
        write_trials(tmp_path / name, number * 1000)
        lab.ok("submit", str(tmp_path / name))
        kill(lab, name)
        check(lab, tmp_path / name, TRIALS * (number + 1))


@pytest.mark.timeout(400)
def test_a_killed_supervisor_takes_its_children_and_up_brings_all_back(lab: TestLab, tmp_path: Path) -> None:
    write_trials(tmp_path / "a", 0)
    lab.ok("submit", str(tmp_path / "a"))
    pids = list(lab.pids().values())
    os.kill(lab_pid(lab), signal.SIGKILL)
    wait_until(lambda: all(linux.start_time(pid) is None for pid in pids), 20, "the children are gone")
    assert lab.run("status").code == 3
    lab.ok("up")
    check(lab, tmp_path / "a", TRIALS)


def lab_pid(lab: TestLab) -> int:
    """The supervisor's pid: the parent of its children."""
    child = next(iter(lab.pids().values()))
    return int(Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[1])
