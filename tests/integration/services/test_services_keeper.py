"""A server of the profile under its keeper: a real process on a real port that starts, dies, hangs or is not there."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medkg_lab import exit_codes, linux
from medkg_lab.gpu.nvml import survey
from medkg_lab.locations import locate
from medkg_lab.services.loading import loading
from tests.waiting import wait_until

SERVER = """
import http.server, os, pathlib, sys
flag, port = pathlib.Path(sys.argv[1]), int(sys.argv[2])
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if flag.exists() else 503)
        self.end_headers()
        self.wfile.write(b"{}")
print("offline:" + os.environ.get("HF_HUB_OFFLINE", "no"), "listening", os.getpid(), flush=True)
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""
CPU = (Path(__file__).parents[3] / "bundled_pipelines" / "profiles" / "cpu.yaml").read_text()


class Kept:
    """A lab folder whose profile names one server called model."""

    def __init__(self, home: Path) -> None:
        self.locations = locate(home)
        self.locations.create()
        self.flag = home / "loaded"
        self.script = home / "server.py"
        self.script.write_text(SERVER)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.command = [sys.executable, str(self.script), str(self.flag), str(self.port)]
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, **server: Any) -> "subprocess.Popen[str]":
        given = {
            "name": "model",
            "command": self.command,
            "ready_url": f"http://127.0.0.1:{self.port}/health",
            **server,
        }
        (self.locations.config / "profiles").mkdir(exist_ok=True)
        own = CPU.replace("name: cpu", "name: own") + f"servers: {json.dumps([given])}\n"
        (self.locations.config / "profiles" / "own.yaml").write_text(own)
        (self.locations.config / "settings.yaml").write_text("profile: own\n")
        command = [sys.executable, "-m", "medkg_lab.services", "--home", str(self.locations.home), "--name", "model"]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdout=pipe, stderr=self.log.open("w"), text=True, process_group=0)
        self.processes.append(process)
        return process

    @property
    def log(self) -> Path:
        return self.locations.home / "keeper.log"

    def pid(self) -> int:
        """The server's own process id, from what it printed."""
        wait_until(lambda: "listening" in self.log.read_text(), 10, "the server to listen")
        return int(self.log.read_text().partition("listening ")[2].split()[0])

    def is_loading(self) -> bool:
        return loading(self.locations.state, ["model"]) == ["model"]

    def stop(self) -> None:
        for process in self.processes:
            linux.kill_group(process.pid, signal.SIGKILL)
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


@pytest.fixture
def kept() -> Iterator[Kept]:
    home = Path(tempfile.mkdtemp(prefix="mk", dir="/tmp"))
    one = Kept(home)
    yield one
    one.stop()
    shutil.rmtree(home, ignore_errors=True)


def gone(pid: int) -> bool:
    return linux.start_time(pid) is None


def ready(process: "subprocess.Popen[str]") -> dict[str, Any]:
    assert process.stdout is not None
    found: dict[str, Any] = json.loads(process.stdout.readline())
    return found


def test_it_is_loading_until_it_answers_and_ends_with_its_keeper(kept: Kept) -> None:
    state_store = kept.start()
    server = kept.pid()
    assert kept.is_loading()
    kept.flag.touch()
    assert ready(state_store)["ready"] == "server-model"
    assert "offline:1" in kept.log.read_text(), "a server fetches nothing by itself"
    assert not kept.is_loading()
    state_store.terminate()
    assert state_store.wait(30) == 0
    assert gone(server)


def test_a_stop_while_it_loads_ends_both(kept: Kept) -> None:
    state_store = kept.start()
    server = kept.pid()
    state_store.terminate()
    assert state_store.wait(30) == 0
    assert gone(server)
    assert not kept.is_loading()


def test_a_killed_keeper_takes_the_server_with_it(kept: Kept) -> None:
    state_store = kept.start()
    server = kept.pid()
    state_store.kill()
    state_store.wait()
    wait_until(lambda: gone(server), 5, "the end of the server")
    assert not kept.is_loading()


@pytest.mark.parametrize("loaded", [False, True])
def test_the_end_of_the_server_is_the_end_of_the_keeper_so_that_it_is_started_again(kept: Kept, loaded: bool) -> None:
    state_store = kept.start()
    server = kept.pid()
    if loaded:
        kept.flag.touch()
        ready(state_store)
    os.kill(server, signal.SIGKILL)
    assert state_store.wait(30) == exit_codes.FAILED
    assert f"ended with exit code -9 {'after' if loaded else 'before'}" in kept.log.read_text()


@pytest.mark.parametrize(
    ("server", "code", "said"),
    [
        ({"command": ["/nowhere/vllm"]}, exit_codes.NO_RESTART, "/nowhere/vllm: No such file"),
        ({"ready_seconds": 1}, exit_codes.FAILED, "it answers HTTP 503"),
        ({"name": "other"}, exit_codes.NO_RESTART, "names no server 'model'"),
    ],
)
def test_what_keeps_it_from_starting_is_said(kept: Kept, server: dict[str, Any], code: int, said: str) -> None:
    assert kept.start(**server).wait(60) == code
    assert said in kept.log.read_text()


def test_something_else_at_its_address_is_not_taken_for_it(kept: Kept) -> None:
    kept.flag.touch()
    with subprocess.Popen(kept.command, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        wait_until(lambda: _listens(kept.port), 10, "the other to listen")
        assert kept.start().wait(60) == exit_codes.FAILED
        other.kill()
    assert "Something else answers" in kept.log.read_text()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.skipif(bool(survey().devices), reason="this machine has a GPU")
def test_without_the_gpu_memory_that_it_needs_it_is_not_started(kept: Kept) -> None:
    assert kept.start(gpu_memory_mib=1024).wait(60) == exit_codes.NO_RESTART
    assert "server model needs an NVIDIA GPU with 1024 MiB of free memory" in kept.log.read_text()
    assert "listening" not in kept.log.read_text()
