"""The supervisor with real processes: signs of life, hung processes, logs that outlive it, and being found and stopped."""

import contextlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from medkg_lab import linux, running
from medkg_lab.locations import Locations, locate
from medkg_lab.supervisor.answers import ProcessRow
from medkg_lab.supervisor.client import SupervisorClient
from medkg_lab.supervisor.errors import LabSilent
from tests.waiting import wait_until

PROGRAM = """
import asyncio, os, sys
from medkg_lab import logs, process, running
from medkg_lab.locations import locate
from medkg_lab.settings import Settings
from medkg_lab.supervisor import children, decide, server
from medkg_lab.supervisor.server import Supervisor
from medkg_lab.supervisor.spec import ProcessSpec

decide.HUNG_S, decide.BUSY_HUNG_S = 3.0, 1000.0
server.SILENT_S = children.SILENT_S = 1.0
child = '''
import os, sys, time
from medkg_lab import heartbeat, logs, process
heartbeat.INTERVAL_S = 0.1
if sys.argv[1] == "loud":
    process.announce("loud")
    for number in range(100_000):
        print("line", number, file=sys.stderr)
    print("last words", file=sys.stderr, flush=True)
elif sys.argv[1] == "long":
    process.announce("long")
    for number in range(40_000):
        print("line", number, "x" * 100, file=sys.stderr)
    print("last words", file=sys.stderr, flush=True)
else:
    process.announce("x")
while True:
    time.sleep(1)
'''
logs.set_up("test")
locations = locate(sys.argv[1])
locations.create()
specs = tuple(ProcessSpec(name, (sys.executable, "-c", child, name)) for name in sys.argv[2:])
running.write(locations.state, locations.home, locations.runtime)
settings = Settings.model_validate({"retention": {"log_mib": 1, "log_files": 2}})
supervisor = Supervisor(locations, settings, specs, ["a note"])

def ready():
    process.announce("labd")
    supervisor.open_log("labd")

asyncio.run(supervisor.run(ready))
"""

Lab = tuple[Locations, SupervisorClient, "subprocess.Popen[bytes]"]


@pytest.fixture
def lab(short_tmp: Path, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A supervisor of two quiet processes, or of those that the test names."""
    locations = locate(short_tmp / "lab")
    names = getattr(request, "param", ("first", "second"))
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(locations.home), *names], start_new_session=True)
    client = SupervisorClient(locations)
    wait_until(lambda: answers(client), 30, "the supervisor answers")
    wait_until(lambda: all(one.state == "ready" for one in client.status().processes), 30, "all are ready")
    yield locations, client, process
    process.kill()
    process.wait()


def answers(client: SupervisorClient) -> bool:
    """Whether the supervisor answers; between writing down that it runs and listening it does not yet."""
    try:
        return client.is_running()
    except LabSilent:
        return False


def seen(client: SupervisorClient, name: str) -> ProcessRow:
    return next(one for one in client.status().processes if one.name == name)


def silent(client: SupervisorClient, name: str) -> str:
    """Why the process is silent; nothing while it is not."""
    found = seen(client, name)
    return str(found.reason) if found.state == "silent" else ""


def test_a_process_that_stays_frozen_is_shown_explained_and_started_again(lab: Lab) -> None:
    _, client, _ = lab
    first, other = int(str(seen(client, "first").pid)), seen(client, "second").pid
    os.kill(first, signal.SIGSTOP)
    reason = wait_until(lambda: silent(client, "first"), 10, "it is shown as silent")
    assert f"kill -CONT {first}" in reason
    wait_until(lambda: seen(client, "first").restarts == 1, 30, "it is started again")
    wait_until(lambda: seen(client, "first").state == "ready", 30, "it is ready")
    assert seen(client, "second").pid == other


def test_a_process_that_goes_on_in_time_is_left_alone(lab: Lab) -> None:
    _, client, _ = lab
    first = int(str(seen(client, "first").pid))
    os.kill(first, signal.SIGSTOP)
    wait_until(lambda: float(str(seen(client, "first").silent_seconds)) > 1, 20, "it is silent")
    os.kill(first, signal.SIGCONT)
    wait_until(lambda: seen(client, "first").state == "ready", 20, "it answers")
    assert (seen(client, "first").pid, seen(client, "first").restarts) == (first, 0)


def test_a_frozen_supervisor_is_told_and_stopped_and_ends_nobody_when_it_goes_on(lab: Lab) -> None:
    _, client, process = lab
    before = [one.pid for one in client.status().processes]
    os.kill(process.pid, signal.SIGSTOP)
    wait_until(lambda: linux.process_state(process.pid) == "T", 10, "it is stopped")
    for ask in (client.status, client.is_running, client.up):
        with pytest.raises(LabSilent, match=f"kill -CONT {process.pid}"):
            ask()
    os.kill(process.pid, signal.SIGCONT)
    assert [one.pid for one in client.status().processes] == before
    os.kill(process.pid, signal.SIGSTOP)
    import threading

    threading.Thread(target=process.wait).start()
    client.down()
    assert all(pid is None or linux.start_time(pid) is None for pid in before)


@pytest.mark.parametrize("lab", [("loud",)], indirect=True)
def test_what_a_process_wrote_before_its_supervisor_was_killed_is_in_its_log(lab: Lab) -> None:
    locations, client, process = lab
    path = locations.log("loud")
    writer = writer_of(locations)
    os.kill(writer, signal.SIGSTOP)
    pid = int(str(seen(client, "loud").pid))
    process.kill()
    process.wait()
    wait_until(lambda: linux.start_time(pid) is None, 20, "it died with the supervisor")
    os.kill(writer, signal.SIGCONT)
    wait_until(lambda: linux.start_time(writer) is None, 20, "the writer ends by itself")
    lines = path.read_text().splitlines()
    assert lines[:-1] == [f"line {number}" for number in range(len(lines) - 1)] or lines[-1] == "last words"
    assert len(lines) > 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("lab", [("long",)], indirect=True)
def test_a_log_has_as_many_files_of_the_size_as_the_settings_say(lab: Lab) -> None:
    path = lab[0].log("long")

    def is_whole() -> bool:
        with contextlib.suppress(FileNotFoundError):  # while one file makes room for the next
            return "last words" in path.read_text()
        return False

    wait_until(is_whole, 30, "the last line")
    files = sorted(path.parent.glob("long.log*"))
    assert [one.name for one in files] == ["long.log", "long.log.1"]
    assert all(one.stat().st_size <= 2**20 for one in files)


def test_the_log_writer_has_each_pipe_once(lab: Lab) -> None:
    # With one twice it waits, in a reading that does not end, for what it has read already.
    locations, _, _ = lab
    pipes = [one for one in linux.open_files(writer_of(locations)) if one.startswith("pipe:")]
    assert sorted(pipes) == sorted(set(pipes))
    assert len(pipes) == len(("labd", "first", "second"))


@pytest.mark.parametrize("lab", [("loud",)], indirect=True)
def test_a_killed_log_writer_is_replaced_and_holds_up_nobody(lab: Lab) -> None:
    locations, client, _ = lab
    writer = writer_of(locations)
    os.kill(writer, signal.SIGKILL)
    wait_until(lambda: "last words" in locations.log("loud").read_text(), 30, "the last line")
    assert writer_of(locations) != writer
    assert seen(client, "loud").restarts == 0


def test_sockets_that_were_removed_come_back(lab: Lab) -> None:
    locations, client, _ = lab
    shutil.rmtree(locations.runtime)
    wait_until(lambda: locations.socket("labd").exists(), 20, "the socket")
    assert SupervisorClient(locations).status().notes == ("a note",)
    assert client.status().stopping is False


def test_a_lab_is_found_with_another_environment(lab: Lab, monkeypatch: pytest.MonkeyPatch, short_tmp: Path) -> None:
    locations, _, process = lab
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_tmp))
    assert locate(locations.home).runtime != locations.runtime
    found = SupervisorClient(locate(locations.home))
    assert found.is_running()
    assert found.process() == running.read(locations.state)
    assert json.loads((locations.state / running.FILE).read_text())["pid"] == process.pid


def writer_of(locations: Locations) -> int:
    """The pid of the log writer."""
    logs = str(locations.state / "logs").encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and linux.start_time(int(entry.name)) is not None:
            line = (entry / "cmdline").read_bytes() if entry.exists() else b""
            if b"log_writer" in line and logs in line:
                return int(entry.name)
    raise AssertionError("there is no log writer")
