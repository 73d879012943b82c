"""Newline-delimited JSON over Unix sockets: how the lab's processes speak to each other.

A request is `{"id": n, "op": name, "args": {...}}`, its answer `{"id": n, "result": ...}` or
`{"id": n, "error": {"type", "message", "fields"}}`. Answers may come out of order. A socket has mode 0600, lies in a 0700
folder, and its server refuses a peer with another uid. An error class known to the client is raised there as itself.
"""

import asyncio
import contextlib
import errno
import itertools
import os
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from medkg_lab import errors
from medkg_lab.errors import LabError
from medkg_lab.listener import Listener

MAX_LINE = 256 * 1024 * 1024
"""Bytes in one message at most: a batch of 48 long articles with their vectors stays well below it."""
DEFAULT_DEADLINE = 30.0
MOST_AT_ONCE = 256
"""Requests of one connection that are worked on at once; the next is read when one of them is answered, so that a client that
sends faster than it is served, or does not read its answers, has to wait."""

Handler = Callable[[dict[str, Any]], Awaitable[Any]]


class PeerUnreachable(LabError):
    """The process behind {path} did not answer {op} within {seconds} s: {detail}. `medkg-lab status` shows whether it runs."""


class RemoteFailure(LabError):
    """The process behind {path} failed at {op}: {detail}. `medkg-lab logs` shows its log."""


class BadRequest(LabError):
    """The request was not understood: {detail}. Client and server may be of different versions; restart the lab."""


async def serve(path: Path, handlers: Mapping[str, Handler]) -> Listener:
    """Listen at `path`, replacing a socket that a crash left, and answer each request by the handler of its op."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if _peer_uid(writer.get_extra_info("socket")) != os.getuid():
            writer.close()
            return
        # A closing server cancels its conversations, which asyncio up to 3.11 would log as errors of their own.
        with contextlib.suppress(asyncio.CancelledError):
            await _converse(reader, writer, handlers)

    return await Listener(path, connected, MAX_LINE).open()


def _peer_uid(connection: socket.socket) -> int:
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", credentials)
    return int(uid)


async def _converse(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handlers: Mapping[str, Handler]
) -> None:
    tasks: set[asyncio.Task[None]] = set()
    places = asyncio.Semaphore(MOST_AT_ONCE)
    transport = writer.transport
    assert isinstance(transport, asyncio.ReadTransport), "a socket's transport goes both ways"

    def answered(task: asyncio.Task[None]) -> None:
        tasks.discard(task)
        places.release()

    try:
        while line := await _next_line(reader, transport, places):
            task = asyncio.create_task(_respond(line, writer, handlers))
            tasks.add(task)
            task.add_done_callback(answered)
    except (ConnectionError, ValueError):
        pass  # the peer is gone or sent a line over the limit: nothing is left to answer
    finally:
        for task in list(tasks):
            task.cancel()
        writer.close()


async def _next_line(
    reader: asyncio.StreamReader, transport: asyncio.ReadTransport, places: asyncio.Semaphore
) -> bytes:
    """The next request, once there is a place for it; until then nothing more is taken from the socket."""
    if places.locked():
        transport.pause_reading()
        await places.acquire()
        transport.resume_reading()
    else:
        await places.acquire()
    return await reader.readline()


async def _respond(line: bytes, writer: asyncio.StreamWriter, handlers: Mapping[str, Handler]) -> None:
    request_id: Any = None
    try:
        request = _parse(line)
        request_id = request["id"]
        handler = handlers.get(request["op"])
        if handler is None:
            raise BadRequest(detail=f"unknown op {request['op']!r}")
        answer: dict[str, Any] = {"id": request_id, "result": await handler(request.get("args") or {})}
    except LabError as error:
        answer = {"id": request_id, "error": describe(error)}
    except Exception as error:  # noqa: BLE001 - process boundary: a handler's bug must not end the server
        detail = f"{type(error).__name__}: {error}"
        answer = {"id": request_id, "error": {"type": "RemoteFailure", "message": detail, "fields": {"detail": detail}}}
    with contextlib.suppress(ConnectionError):
        writer.write(orjson.dumps(answer, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY) + b"\n")
        await writer.drain()


def _parse(line: bytes) -> dict[str, Any]:
    try:
        request = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BadRequest(detail=str(error)) from None
    if not isinstance(request, dict) or "id" not in request or not isinstance(request.get("op"), str):
        raise BadRequest(detail="a request is an object with id and op")
    return request


def describe(error: LabError) -> dict[str, Any]:
    """Put `error` into the form in which it travels."""
    fields = {name: value if _plain(value) else str(value) for name, value in error.fields.items()}
    return {"type": type(error).__name__, "message": str(error), "fields": fields}


def _plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | float | bool | list | dict)


class Client:
    """A blocking client of one socket; safe to share between threads, one call at a time; reconnects by itself."""

    def __init__(self, path: Path, deadline: float = DEFAULT_DEADLINE) -> None:
        self.path = path
        self.deadline = deadline
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self._connection: socket.socket | None = None
        self._buffer = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<rpc.Client {self.path} {'connected' if self._connection else 'idle'}>"

    def close(self) -> None:
        """Drop the connection; the next call makes a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._buffer.clear()

    def call(self, op: str, *, deadline: float | None = None, **args: Any) -> Any:
        """Ask for `op` and return its result.

        Raises PeerUnreachable when the server cannot be reached or does not answer within `deadline` seconds, and whatever
        LabError the server answered with. The request is sent again only when the connection could not be made: whether a
        request that got no answer took effect is for the caller's command id to settle.
        """
        seconds = self.deadline if deadline is None else deadline
        with self._lock:
            until = time.monotonic() + seconds
            try:
                return self._ask(op, args, until)
            except OSError as error:
                self.close()
                detail = "no answer in time" if isinstance(error, TimeoutError) else str(error)
                raise PeerUnreachable(path=self.path, op=op, seconds=seconds, detail=detail) from error
            except LabError:
                raise
            except BaseException:
                self.close()
                raise

    def _ask(self, op: str, args: dict[str, Any], until: float) -> Any:
        connection = self._connect(until)
        request_id = next(self._ids)
        request = orjson.dumps(
            {"id": request_id, "op": op, "args": args}, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY
        )
        connection.settimeout(max(0.001, until - time.monotonic()))
        connection.sendall(request + b"\n")
        answer = orjson.loads(self._read_line(connection, until))
        if error := answer.get("error"):
            raise self._revive(error, op)
        return answer["result"]

    def _connect(self, until: float) -> socket.socket:
        if self._connection is None:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.settimeout(max(0.001, until - time.monotonic()))
                connection.connect(str(self.path))
                if _peer_uid(connection) != os.getuid():
                    raise PermissionError(errno.EACCES, "it belongs to another user")
            except OSError:
                connection.close()
                raise
            self._buffer.clear()
            self._connection = connection
        return self._connection

    def _read_line(self, connection: socket.socket, until: float) -> bytes:
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            connection.settimeout(max(0.001, until - time.monotonic()))
            chunk = connection.recv(1 << 18)
            if not chunk:
                raise ConnectionResetError("the connection was closed")
            self._buffer += chunk
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def _revive(self, error: dict[str, Any], op: str) -> LabError:
        known = errors.by_name(error["type"])
        if known is not None and known is not RemoteFailure:
            with contextlib.suppress(KeyError):
                return known(**error.get("fields", {}))
        return RemoteFailure(path=self.path, op=op, detail=error["message"])
