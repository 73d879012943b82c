"""Newline-delimited JSON over Unix sockets: how the lab's processes speak to each other.

A request is `{"id": n, "op": name, "args": {...}}`, its answer `{"id": n, "result": ...}` or
`{"id": n, "error": {"type", "message", "fields"}}`. Answers may come out of order. A socket has mode 0600, lies in a 0700
folder, and its server refuses a peer with another uid. An error class known to the client is raised there as itself.

A server that ends answers whatever it did not do with PeerClosing. It is a PeerUnreachable: who waits for a process that was
killed also waits for one that was stopped, and neither has to know which of the two it was.
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

from medkg_lab import exit_codes
from medkg_lab.errors import LabError, PartAway
from medkg_lab.failures import Failure, describe, printable
from medkg_lab.listener import Listener

MAX_LINE_BYTES = 256 * 1024 * 1024
"""Bytes in one message at most: a batch of 48 long articles with their vectors stays well below it."""
DEFAULT_TIMEOUT_S = 30.0
MAX_AT_ONCE = 256
"""Requests of one connection that are worked on at once; the next is read when one of them is answered, so that a client that
sends faster than it is served, or does not read its answers, has to wait."""

ENCODING = orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY

RequestId = str | int | float | None
Arguments = Mapping[str, object]
"""The arguments of a request as they came: whoever answers it checks each of them."""
Handler = Callable[[Arguments], Awaitable[object]]


class PeerUnreachable(PartAway):
    """The process behind {path} did not answer {op} within {seconds} s: {detail}. `medkg-lab status` shows whether it runs."""


class PeerClosing(PeerUnreachable):
    """The process is stopping and takes no more requests. It is asked again when it is back; `medkg-lab status` shows whether it
    is."""


class NotEncodable(LabError):
    """{op} cannot be sent: {what} holds what JSON cannot: {detail}. Leave out characters that are not text (half of a surrogate
    pair, as a file name in another encoding gives), and numbers beyond 64 bits."""

    exit_code = exit_codes.USAGE


class MessageTooLarge(LabError):
    """{what} has {size} bytes, and a message has {limit} at most. Ask for less at once."""

    exit_code = exit_codes.USAGE


class RemoteFailure(LabError):
    """The process behind {path} failed at {op}: {detail}. `medkg-lab logs` shows its log."""


class BadRequest(LabError):
    """The request was not understood: {detail}. Client and server may be of different versions; restart the lab."""


class Server:
    """The listening end of a socket, with the conversations on it."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = handlers
        self._listening: Listener | None = None
        self.closing = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def listen(self, path: Path) -> None:
        """Listen at `path`, replacing a socket that a crash left."""
        self._listening = await Listener(path, self._connected, MAX_LINE_BYTES).open()

    def close(self) -> None:
        """Take no more connections. From here on a request is answered with PeerClosing unless its handler still succeeds or
        refuses it: what is asked of a process that ends was not done."""
        self.closing = True
        if self._listening is not None:
            self._listening.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if _peer_uid(writer.get_extra_info("socket")) != os.getuid():
            writer.close()
            return
        # A closing server cancels its conversations, which asyncio up to 3.11 would log as errors of their own.
        with contextlib.suppress(asyncio.CancelledError):
            await _converse(reader, writer, self)

    async def answer(self, line: bytes) -> bytes:
        """The answer to one request, encoded. Whatever cannot be answered is answered with an error."""
        request_id: RequestId = None
        try:
            request_id, op, args = _parse(line)
            handler = self._handlers.get(op)
            if handler is None:
                raise BadRequest(detail=f"unknown op {op!r}")
            return _encoded(request_id, "result", await handler(args))
        except asyncio.CancelledError:
            # Cancelled is what waits in a thread pool when that is shut down; a conversation's own end has nobody to answer.
            if not self.closing:
                raise
            return _encoded(request_id, "error", describe(PeerClosing()))
        except LabError as error:
            return _encoded(request_id, "error", describe(error))
        except Exception as error:  # noqa: BLE001 - process boundary: a handler's bug must not end the server
            if self.closing:
                return _encoded(request_id, "error", describe(PeerClosing()))
            detail = printable(f"{type(error).__name__}: {error}")
            return _encoded(request_id, "error", Failure("RemoteFailure", detail, {"detail": detail}))


async def serve(path: Path, handlers: Mapping[str, Handler]) -> Server:
    """Listen at `path` and answer each request by the handler of its op."""
    server = Server(handlers)
    await server.listen(path)
    return server


def _encoded(request_id: RequestId, kind: str, content: object) -> bytes:
    """An answer as it travels. Raises NotEncodable and MessageTooLarge."""
    try:
        line = orjson.dumps({"id": request_id, kind: content}, option=ENCODING) + b"\n"
    except TypeError as error:
        raise NotEncodable(op="The answer", what="it", detail=printable(str(error))) from error
    if len(line) > MAX_LINE_BYTES:
        raise MessageTooLarge(what="The answer", size=len(line), limit=MAX_LINE_BYTES)
    return line


def _peer_uid(connection: socket.socket) -> int:
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", credentials)
    return int(uid)


async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: Server) -> None:
    tasks: set[asyncio.Task[None]] = set()
    places = asyncio.Semaphore(MAX_AT_ONCE)
    transport = writer.transport
    assert isinstance(transport, asyncio.ReadTransport), "a socket's transport goes both ways"

    def answered(task: asyncio.Task[None]) -> None:
        tasks.discard(task)
        places.release()

    try:
        while line := await _next_line(reader, transport, places):
            task = asyncio.create_task(_respond(line, writer, server))
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


async def _respond(line: bytes, writer: asyncio.StreamWriter, server: Server) -> None:
    answer = await server.answer(line)
    with contextlib.suppress(ConnectionError):
        writer.write(answer)
        await writer.drain()


def _parse(line: bytes) -> tuple[RequestId, str, Arguments]:
    """Id, name and arguments of a request. Raises BadRequest."""
    try:
        request = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BadRequest(detail=str(error)) from None
    match request:
        case {"id": str() | int() | float() | None as request_id, "op": str(op)}:
            given = request.get("args") or {}
            if isinstance(given, dict):
                return request_id, op, given
    raise BadRequest(detail="a request is an object with id (a number or a text), op (a text) and args (an object)")


class Client:
    """A blocking client of one socket; safe to share between threads, one call at a time; reconnects by itself."""

    def __init__(self, path: Path, deadline: float = DEFAULT_TIMEOUT_S) -> None:
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

        Raises PeerUnreachable when the server cannot be reached, is closing (PeerClosing) or does not answer within `deadline`
        seconds, NotEncodable and MessageTooLarge, and whatever LabError the server answered with. The request is sent again only
        when the connection could not be made: whether a request that got no answer took effect is for the caller's command id
        to settle.
        """
        seconds = self.deadline if deadline is None else deadline
        request_id = next(self._ids)
        request = _request(request_id, op, args)
        with self._lock:
            until = time.monotonic() + seconds
            try:
                return self._request(op, request, until)
            except OSError as error:
                self.close()
                detail = "no answer in time" if isinstance(error, TimeoutError) else str(error)
                raise PeerUnreachable(path=self.path, op=op, seconds=f"{seconds:.3g}", detail=detail) from error
            except PeerClosing:
                # The next call finds the process that comes after this one.
                self.close()
                raise
            except LabError:
                raise
            except BaseException:
                self.close()
                raise

    def _request(self, op: str, request: bytes, until: float) -> Any:
        connection = self._connect(until)
        connection.settimeout(max(0.001, until - time.monotonic()))
        connection.sendall(request)
        answer = orjson.loads(self._read_line(connection, until))
        if error := answer.get("error"):
            raise self._revive(Failure(**error), op)
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
            if len(self._buffer) > MAX_LINE_BYTES:
                self.close()
                raise MessageTooLarge(
                    what=f"The answer of {self.path}", size=f"over {MAX_LINE_BYTES}", limit=MAX_LINE_BYTES
                )
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def _revive(self, failure: Failure, op: str) -> LabError:
        revived = failure.revive()
        if revived is None or isinstance(revived, RemoteFailure):
            return RemoteFailure(path=self.path, op=op, detail=failure.message)
        return revived


def _request(request_id: int, op: str, args: Mapping[str, object]) -> bytes:
    """A request as it travels. Raises NotEncodable, which names the argument, and MessageTooLarge."""
    try:
        line = orjson.dumps({"id": request_id, "op": op, "args": args}, option=ENCODING) + b"\n"
    except TypeError as error:
        what = next((f"argument {name!r}" for name, value in args.items() if not _encodes(value)), "a name")
        raise NotEncodable(op=op, what=what, detail=printable(str(error))) from error
    if len(line) > MAX_LINE_BYTES:
        raise MessageTooLarge(what=f"The request {op}", size=len(line), limit=MAX_LINE_BYTES)
    return line


def _encodes(value: object) -> bool:
    try:
        orjson.dumps(value, option=ENCODING)
    except TypeError:
        return False
    return True
