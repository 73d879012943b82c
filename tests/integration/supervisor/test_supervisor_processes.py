"""The supervisor with real processes: start order, restart, giving up, stopping, leftovers of a crash."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from medkg_lab import linux
from medkg_lab.errors import LabNotRunning
from medkg_lab.locations import Locations, locate
from medkg_lab.supervisor.client import SupervisorClient
from tests.waiting import wait_until

PROGRAM = """
import asyncio, sys
from medkg_lab import logs
from medkg_lab.locations import locate
from medkg_lab.settings import Settings
from medkg_lab.supervisor.server import Supervisor
from medkg_lab.supervisor.spec import ProcessSpec

child = '''
import os, signal, sys, time
mode = sys.argv[1]
if mode == "refuse":
    print("no disk here", file=sys.stderr); sys.exit(78)
if mode == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('{"ready": "x"}', flush=True)
signal.pause() if mode != "stubborn" else [time.sleep(1) for _ in iter(int, 1)]
'''
def spec(name, mode, after=(), niceness=0):
    return ProcessSpec(name, (sys.executable, "-c", child, mode), after, niceness=niceness)

logs.set_up("test")
locations = locate(sys.argv[1])
locations.create()
second = spec("second", "good", ("first",), niceness=7)
specs = (spec("first", "good"), second, spec("refusing", "refuse"), spec("stubborn", "stubborn"))
asyncio.run(Supervisor(locations, Settings(), specs).run())
"""


def states(client: SupervisorClient) -> dict[str, str]:
    return {one.name: one.state for one in client.status().processes}


def pid_of(client: SupervisorClient, name: str) -> int | None:
    return next(one.pid for one in client.status().processes if one.name == name)


def start(locations: Locations) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", PROGRAM, str(locations.home)], start_new_session=True)


@pytest.fixture
def lab(short_tmp: Path) -> Iterator[tuple[Locations, SupervisorClient, "subprocess.Popen[bytes]"]]:
    """A supervisor with four small processes."""
    locations = locate(short_tmp)
    process = start(locations)
    client = SupervisorClient(locations)
    wait_until(client.is_running, 20, "the supervisor answers")
    good = {"first": "ready", "second": "ready", "refusing": "given_up", "stubborn": "ready"}
    wait_until(lambda: states(client) == good, 20, "all are settled")
    yield locations, client, process
    process.kill()
    process.wait()


Lab = tuple[Locations, SupervisorClient, "subprocess.Popen[bytes]"]


def test_a_killed_process_is_started_again(lab: Lab) -> None:
    _, client, _ = lab
    old = pid_of(client, "first")
    assert old is not None
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: pid_of(client, "first") not in (old, None), 20, "it has a new pid")
    wait_until(lambda: states(client)["first"] == "ready", 20, "it is ready again")
    assert next(one.restarts for one in client.status().processes if one.name == "first") == 1


def test_a_process_stands_back_as_far_as_its_spec_says(lab: Lab) -> None:
    _, client, _ = lab
    first, second = pid_of(client, "first"), pid_of(client, "second")
    assert first is not None
    assert second is not None
    # 19 is the kernel's last step: a test run that itself stands back cannot go the whole way.
    assert os.getpriority(os.PRIO_PROCESS, second) == min(19, os.getpriority(os.PRIO_PROCESS, first) + 7)


def test_exit_78_is_shown_and_not_retried(lab: Lab) -> None:
    _, client, _ = lab
    refusing = next(one for one in client.status().processes if one.name == "refusing")
    assert refusing.reason == "no disk here"
    assert refusing.restarts == 0


def test_a_person_can_restart_one(lab: Lab) -> None:
    _, client, _ = lab
    old = pid_of(client, "second")
    client.restart("second")
    wait_until(lambda: pid_of(client, "second") not in (old, None), 20, "it has a new pid")


def test_down_leaves_nothing_behind(lab: Lab) -> None:
    locations, client, process = lab
    pids = [one.pid for one in client.status().processes if one.pid]
    process_ends = client.down
    # The test's own child stays a zombie until it is waited for.
    import threading

    threading.Thread(target=process.wait).start()
    process_ends()
    assert [pid for pid in pids if linux.start_time(pid) is not None] == []
    assert not locations.socket("labd").exists()
    with pytest.raises(LabNotRunning):
        client.status()


def test_children_die_with_a_killed_supervisor_and_the_next_one_starts(lab: Lab) -> None:
    locations, client, process = lab
    pids = [one.pid for one in client.status().processes if one.pid]
    process.kill()
    process.wait()
    wait_until(lambda: all(linux.start_time(pid) is None for pid in pids), 20, "the children are gone")
    again = start(locations)
    try:
        wait_until(client.is_running, 20, "the new supervisor answers")
        wait_until(lambda: states(client)["second"] == "ready", 20, "the lab is back")
    finally:
        again.kill()
        again.wait()


def test_what_a_crash_left_is_ended_and_a_reused_pid_is_not(short_tmp: Path) -> None:
    locations = locate(short_tmp)
    locations.create()
    left = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True)
    other = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True)
    record = {
        "left": (left.pid, linux.start_time(left.pid), linux.boot_id()),
        "reused": (other.pid, 1, linux.boot_id()),
    }
    (locations.state / "children.json").write_text(json.dumps(record))
    supervisor = start(locations)
    try:
        assert wait_until(lambda: left.poll() is not None, 20, "the leftover ends")
        assert other.poll() is None
    finally:
        for process in (supervisor, left, other):
            process.kill()
            process.wait()
