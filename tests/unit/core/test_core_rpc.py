"""The lab's socket protocol: deadlines, errors as themselves, hostile input, file modes."""

import asyncio
import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medkg_lab import rpc
from medkg_lab.errors import LabError


class Refused(LabError):
    """{who} may not do this. Ask someone else."""


async def _echo(args: dict[str, Any]) -> Any:
    return args


async def _refuse(args: dict[str, Any]) -> Any:
    raise Refused(who=args["who"])


async def _bug(args: dict[str, Any]) -> Any:
    return 1 / args["by"]


async def _never(args: dict[str, Any]) -> Any:
    await asyncio.Event().wait()


@pytest.fixture
def path(short_tmp: Path) -> Iterator[Path]:
    """A served socket."""
    started, ended = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()
    target = short_tmp / "s"

    def run() -> None:
        async def main() -> None:
            server = await rpc.serve(target, {"echo": _echo, "refuse": _refuse, "bug": _bug, "never": _never})
            started.set()
            await ended.wait()
            server.close()

        loop.run_until_complete(main())
        for task in asyncio.all_tasks(loop):
            task.cancel()
            loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert started.wait(10)
    yield target
    loop.call_soon_threadsafe(ended.set)
    thread.join(10)


def test_a_call_returns_what_the_handler_gave(path: Path) -> None:
    with rpc.Client(path) as client:
        assert client.call("echo", text="ä\n\x1b", number=1.5) == {"text": "ä\n\x1b", "number": 1.5}


def test_a_large_message_passes(path: Path) -> None:
    with rpc.Client(path) as client:
        assert len(client.call("echo", text="x" * 20_000_000)["text"]) == 20_000_000


def test_an_error_arrives_as_itself(path: Path) -> None:
    with rpc.Client(path) as client, pytest.raises(Refused, match="Anna may not do this"):
        client.call("refuse", who="Anna")


def test_a_bug_in_a_handler_ends_neither_server_nor_connection(path: Path) -> None:
    with rpc.Client(path) as client:
        with pytest.raises(rpc.RemoteFailure, match="division by zero"):
            client.call("bug", by=0)
        assert client.call("bug", by=2) == 0.5


def test_every_call_has_a_deadline(path: Path) -> None:
    with rpc.Client(path) as client:
        with pytest.raises(rpc.PeerUnreachable, match="no answer in time"):
            client.call("never", deadline=0.2)
        assert client.call("echo", after=1) == {"after": 1}


def test_no_server_is_a_clear_error(short_tmp: Path) -> None:
    with pytest.raises(rpc.PeerUnreachable, match="medkg-lab status"):
        rpc.Client(short_tmp / "nobody").call("echo", deadline=0.2)


@pytest.mark.parametrize(
    "line", [b"garbage", b"[]", b'{"op": 1, "id": 2}', b'{"id": 1, "op": "nothing"}', b"\xff\xfe", b"1"]
)
def test_garbage_is_answered_and_survived(path: Path, line: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(10)
        raw.connect(str(path))
        raw.sendall(line + b"\n")
        assert b"BadRequest" in raw.recv(65536)
    with rpc.Client(path) as client:
        assert client.call("echo", ok=1) == {"ok": 1}


def test_threads_share_one_client(path: Path) -> None:
    client = rpc.Client(path)
    results: list[bool] = []

    def ask(number: int) -> None:
        results.append(all(client.call("echo", n=number) == {"n": number} for _ in range(50)))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 8


def test_the_socket_is_private(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become another user")
def test_another_user_is_refused(path: Path) -> None:
    for part in (path, path.parent):
        part.chmod(0o777)
    pid = os.fork()
    if pid == 0:
        os.setuid(65534)
        try:
            rpc.Client(path).call("echo", deadline=5, stolen=1)
        except rpc.PeerUnreachable:
            os._exit(0)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
