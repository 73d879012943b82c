"""Connections to Dagster's pages that send nothing, halves or rubbish, on real sockets."""

import contextlib
import http.client
import logging
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from websockets.sync.client import connect

from medkg_lab import exit_codes, linux
from medkg_lab.orchestration import connections
from medkg_lab.orchestration.connections import (
    MAX_HEAD_BYTES,
    STRANGERS_WRITE,
    PagesServer,
    limit_repeated_lines,
    listeners,
)
from medkg_lab.process import CannotRun
from tests.waiting import wait_until

IDLE = 1500
HALF = b"GET / HTTP/1.1\r\nHost: x\r\n"


async def page(scope: Any, receive: Any, send: Any) -> None:
    """Says hello; a websocket gets its message back."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": b"hello"})
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})


@dataclass
class Served:
    """A server that runs, and how a test connects to it."""

    server: PagesServer
    port: int

    def open(self, count: int, first: bytes = b"") -> list[socket.socket]:
        """Connections that have sent `first`."""
        opened = [socket.create_connection(("127.0.0.1", self.port), timeout=10) for _ in range(count)]
        for one in opened:
            with contextlib.suppress(OSError):
                one.sendall(first)
        return opened

    def answers(self) -> bool:
        """Whether a page is given to whoever asks."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=10) as response:
            return bool(response.read() == b"hello")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextlib.contextmanager
def serving(open_files: int) -> Iterator[Served]:
    port = free_port()
    server = PagesServer(page, open_files)
    thread = threading.Thread(target=server.run, args=(listeners(port),))
    thread.start()
    try:
        wait_until(lambda: server.started, 20, "the server to listen")
        yield Served(server, port)
    finally:
        server.should_exit = True
        thread.join(20)


@pytest.fixture
def served() -> Iterator[Served]:
    with serving(linux.raise_open_files(8192)) as running:
        yield running


def ended(connection: socket.socket) -> bool:
    """Whether the server has ended a connection."""
    connection.setblocking(False)
    try:
        while connection.recv(1 << 16):
            pass
        return True
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


@pytest.mark.parametrize("first", [b"", HALF, b"POST /graphql HTTP/1.1\r\n", b"\0"])
def test_a_crowd_that_sends_no_request_keeps_nobody_out(served: Served, first: bytes) -> None:
    crowd = served.open(IDLE, first)
    try:
        assert served.answers()
        state = served.server.server_state
        assert len(state.waiting) <= state.at_most < IDLE
        assert len(state.connections) <= state.at_most + 1
        crowd += served.open(IDLE // 2, first)
        assert served.answers()
    finally:
        for one in crowd:
            one.close()


def test_a_request_must_be_whole_within_its_time(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_TIMEOUT_S", 0.2)
    for connection in (*served.open(1), *served.open(1, HALF)):
        with connection:
            wait_until(lambda connection=connection: ended(connection), 10, "the connection to be ended")
    assert not served.server.server_state.waiting


def test_the_next_request_on_a_connection_must_be_whole_too(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_TIMEOUT_S", 0.2)
    client = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
    for _ in range(3):
        client.request("GET", "/")
        assert client.getresponse().read() == b"hello"
    assert client.sock is not None
    client.sock.sendall(HALF)
    wait_until(lambda: ended(client.sock), 10, "the connection to be ended")
    client.close()


def test_a_websocket_may_be_silent(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_TIMEOUT_S", 0.2)
    with connect(f"ws://127.0.0.1:{served.port}/") as page_socket:
        (silent,) = served.open(1)
        with silent:
            wait_until(lambda: ended(silent), 10, "a connection that was opened later to be ended")
        page_socket.send("still here")
        assert page_socket.recv(timeout=10) == "still here"


def test_a_long_head_is_refused(served: Served) -> None:
    (connection,) = served.open(1, HALF + b"X: " + b"x" * (2 * MAX_HEAD_BYTES))
    with connection, contextlib.suppress(ConnectionError):
        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")
    assert served.answers()


def test_rubbish_is_written_down_once(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    limit_repeated_lines()
    with caplog.at_level(logging.WARNING, "uvicorn.error"):
        for connection in served.open(200, b"rubbish\r\n\r\n"):
            with connection:
                wait_until(lambda connection=connection: ended(connection), 10, "the connection to be ended")
    for name in STRANGERS_WRITE:
        logging.getLogger(name).filters.clear()
    assert len([record for record in caplog.records if record.name == "uvicorn.error"]) == 1


def test_the_user_at_the_other_end_is_known(served: Served) -> None:
    with served.open(1)[0]:
        state = served.server.server_state
        waiting = wait_until(lambda: list(state.waiting), 10, "the connection")
        assert waiting[0].app_state["peer_uid"]() == linux.connection_uid(waiting[0].client, waiting[0].server)
        assert waiting[0].app_state["peer_uid"]() is not None


FEW_FILES = """
import resource, logging
resource.setrlimit(resource.RLIMIT_NOFILE, (128, 256))
logging.basicConfig()
from medkg_lab import linux
from medkg_lab.orchestration.connections import PagesServer, limit_repeated_lines, listeners
from tests.integration.orchestration.test_orchestration_connections import page
limit_repeated_lines()
PagesServer(page, linux.raise_open_files()).run(listeners({port}))
"""


def test_a_process_that_may_open_few_files_stays_reachable(tmp_path: Any) -> None:
    port = free_port()
    log = tmp_path / "log"
    with log.open("wb") as sink:
        process = subprocess.Popen([sys.executable, "-c", FEW_FILES.format(port=port)], stdout=sink, stderr=sink)
    served = Served(None, port)  # type: ignore[arg-type]
    crowd: list[socket.socket] = []
    try:
        wait_until(lambda: linux.listener_uid(port) is not None, 60, "the server to listen")
        crowd = served.open(600)
        assert served.answers()
        assert process.poll() is None
    finally:
        for one in crowd:
            one.close()
        process.terminate()
        process.wait(20)
    assert log.stat().st_size < 10_000, log.read_text()[:3000]


@pytest.mark.parametrize(("family", "address"), connections.LOOPBACK)
def test_a_port_that_is_taken_is_named(family: socket.AddressFamily, address: str) -> None:
    port = free_port()
    with socket.socket(family) as other:
        other.bind((address, port))
        other.listen()
        with pytest.raises(CannotRun, match=f"port {port} is taken .*`ports.dagster`") as refused:
            listeners(port)
    assert refused.value.exit_code == exit_codes.NO_RESTART
    made = listeners(port)
    assert [one.getsockname()[1] for one in made] == [port] * 2
    for one in made:
        one.close()
