"""The lab's socket protocol: deadlines, errors as themselves, hostile input, file modes."""

import asyncio
import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from medkg_lab import exit_codes, rpc
from medkg_lab.errors import LabError
from medkg_lab.failures import Failure
from medkg_lab.topology.errors import TopologyInvalid
from tests.waiting import wait_until


class RefusedByTest(LabError):
    """{who} may not do this. Ask someone else."""


async def _echo(args: dict[str, Any]) -> Any:
    return args


async def _refuse(args: dict[str, Any]) -> Any:
    raise RefusedByTest(who=args["who"])


async def _bug(args: dict[str, Any]) -> Any:
    return 1 / args["by"]


async def _never(args: dict[str, Any]) -> Any:
    await asyncio.Event().wait()


async def _give(args: dict[str, Any]) -> Any:
    deep: list[Any] = []
    for _ in range(500):
        deep = [deep]
    return {"big": 2**200, "text": "\ud800", "object": object(), "deep": deep, "set": {1}}[args["what"]]


async def _grow(args: dict[str, Any]) -> Any:
    return "x" * args["size"]


async def _refuse_oddly(args: dict[str, Any]) -> Any:
    raise RefusedByTest(who="\ud800")


HANDLERS: dict[str, rpc.Handler] = {
    "echo": _echo,
    "refuse": _refuse,
    "bug": _bug,
    "never": _never,
    "give": _give,
    "grow": _grow,
    "refuse_oddly": _refuse_oddly,
}


@pytest.fixture
def path(short_tmp: Path) -> Iterator[Path]:
    """A served socket."""
    started, ended = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()
    target = short_tmp / "s"

    def run() -> None:
        async def main() -> None:
            server = await rpc.serve(target, HANDLERS)
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
    with rpc.Client(path) as client, pytest.raises(RefusedByTest, match="Anna may not do this"):
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


@pytest.mark.parametrize("what", ["big", "text", "object", "deep", "set"])
def test_an_answer_that_cannot_be_encoded_is_an_error_at_once(path: Path, what: str) -> None:
    with rpc.Client(path, deadline=60) as client:
        with pytest.raises(rpc.NotEncodable, match="The answer"):
            client.call("give", what=what)
        assert client.call("echo", ok=1) == {"ok": 1}


def test_an_error_that_cannot_be_encoded_still_arrives(path: Path) -> None:
    with rpc.Client(path, deadline=60) as client, pytest.raises(RefusedByTest, match="ud800"):
        client.call("refuse_oddly")


@pytest.mark.parametrize("value", ["\udcff.txt", 2**70, object(), {"a": ["\ud800"]}])
def test_a_request_that_cannot_be_encoded_is_an_error_before_it_is_sent(short_tmp: Path, value: object) -> None:
    with pytest.raises(rpc.NotEncodable, match="argument 'odd'") as raised:
        rpc.Client(short_tmp / "nobody", deadline=60).call("echo", fine=1, odd=value)
    assert raised.value.exit_code == exit_codes.USAGE


def test_messages_have_a_largest_size(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with rpc.Client(path) as client:
        monkeypatch.setattr(rpc, "MAX_LINE_BYTES", 1000)
        with pytest.raises(rpc.MessageTooLarge, match="The request echo"):
            client.call("echo", text="x" * 2000)
        with pytest.raises(rpc.MessageTooLarge, match="The answer"):
            client.call("grow", size=2000)
        assert client.call("echo", ok=1) == {"ok": 1}


@pytest.fixture
def closing(short_tmp: Path) -> Iterator[tuple[Path, Callable[[], None]]]:
    """A server that works in a thread pool, and what closes it but leaves its conversations open."""
    loop, target, pool = asyncio.new_event_loop(), short_tmp / "s", ThreadPoolExecutor(1)
    busy, release = threading.Event(), threading.Event()

    def work() -> str:
        busy.set()
        release.wait(30)
        return "done"

    async def handle(args: dict[str, Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(pool, work)

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(rpc.serve(target, {"work": handle, "echo": _echo}), loop).result(10)

    def close() -> None:
        assert busy.wait(30)
        loop.call_soon_threadsafe(server.close)
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(10)
        threading.Thread(target=pool.shutdown, kwargs={"cancel_futures": True}).start()
        release.set()

    yield target, close
    release.set()

    async def end() -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    asyncio.run_coroutine_threadsafe(end(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def test_what_a_closing_server_does_not_do_is_away(closing: tuple[Path, Callable[[], None]]) -> None:
    path, close = closing
    clients = [rpc.Client(path, deadline=30) for _ in range(4)]
    for client in clients:
        assert client.call("echo", ok=1) == {"ok": 1}
    with ThreadPoolExecutor(4) as threads:
        first = threads.submit(clients[0].call, "work")
        close_soon = threads.submit(close)
        close_soon.result(30)
        assert first.result(30) == "done", "what was being done is answered"
    wait_until(lambda: _refused(clients[1]), what="the pool to be shut")
    assert isinstance(_refused(clients[2]), rpc.PeerUnreachable), (
        "whoever waits for a killed process waits for this one"
    )


def _refused(client: rpc.Client) -> LabError | None:
    try:
        client.call("work")
    except LabError as error:
        assert isinstance(error, rpc.PeerUnreachable), repr(error)
        return error
    return None


def test_an_error_whose_class_wants_other_arguments_arrives_with_its_message(tmp_path: Path) -> None:
    told = Failure(TopologyInvalid.__name__, "2 problems in a.yaml", {"count": 2})
    revived = rpc.Client(tmp_path / "x.sock")._revive(told, "register")
    assert "2 problems in a.yaml" in str(revived)
