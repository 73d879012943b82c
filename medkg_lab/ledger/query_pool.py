"""SQL from outside, in processes of its own: what a query eats, breaks or holds up is never the ledger's."""

import asyncio
import os
import struct
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import orjson

from medkg_lab import launch
from medkg_lab.ledger.archive import quoted
from medkg_lab.ledger.errors import LedgerError, QueryFailed, QueryRefused, QueryTimeout, QueryTooLarge
from medkg_lab.ledger.query_child import Refusal
from medkg_lab.ledger.view_copies import ViewCopies
from medkg_lab.ledger.view_questions import archive_view
from medkg_lab.ledger.views import Views

COPIES = "-queries"
"""What is added to the name of the ledger's folder for the one of the copies."""
MAX_AT_ONCE = 2
IDLE_S = 60.0
"""How long a process that has nothing to do is kept for the next query: starting one takes longer than most queries."""
START_TIMEOUT_S = 60.0
LARGE_BYTES = 4 * 1024 * 1024
"""Bytes of an answer after which its process is not used again."""
_KEPT_VARIABLES = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "TZ")
_ENDED = "it ended the process that it ran in, most likely for want of memory or by nesting too deep"


class QueryPool:
    """Runs queries, a few at once, each on a copy of the views; for the event loop's thread."""

    def __init__(self, views: Views, folder: Path) -> None:
        self._views = views
        self._copies = ViewCopies(views, folder.with_name(folder.name + COPIES))
        self._thread = ThreadPoolExecutor(1, "copies")
        self._places = asyncio.Semaphore(MAX_AT_ONCE)
        self._idle: list[_Child] = []
        self._ending: asyncio.TimerHandle | None = None
        self._closed = False

    async def query(self, sql: str, parameters: Sequence[Any], limit: int, timeout_s: float) -> orjson.Fragment:
        """`{columns, rows, truncated}` with the first `limit` rows of a SELECT, encoded.

        Raises QueryRefused, QueryFailed, QueryTooLarge and QueryTimeout.
        """
        async with self._places:
            child = await self._acquire()
            try:
                answer = await self._run(child, sql, parameters, limit, timeout_s)
            except BaseException:
                child.kill()
                raise
            refused = None if answer[:1] == b"R" else _revive(answer[1:])
            if isinstance(refused, QueryTooLarge) or len(answer) > LARGE_BYTES:
                child.kill()  # it has had much memory, which it might keep
            else:
                self._release(child)
            if refused is not None:
                raise refused
            return orjson.Fragment(answer[1:])

    async def _run(self, child: "_Child", sql: str, parameters: Sequence[Any], limit: int, timeout_s: float) -> bytes:
        loop = asyncio.get_running_loop()
        view = archive_view(self._views.archive)
        copy = await loop.run_in_executor(self._thread, self._make_copy)
        given = {"copy": str(copy), "sql": sql, "parameters": list(parameters), "limit": limit, "archive_view": view}
        try:
            async with asyncio.timeout(timeout_s):
                return await child.request(orjson.dumps({**given, "timeout_s": timeout_s}))
        except TimeoutError:
            raise QueryTimeout(seconds=timeout_s) from None
        except (asyncio.IncompleteReadError, ConnectionError):
            raise QueryFailed(detail=_ENDED) from None
        finally:
            if not self._closed:
                await loop.run_in_executor(self._thread, self._copies.drop, copy)

    def _make_copy(self) -> Path:
        try:
            return self._copies.make()
        except OSError as error:
            raise QueryFailed(detail=f"the tables cannot be copied: {error}") from error

    async def _acquire(self) -> "_Child":
        if self._ending is not None:
            self._ending.cancel()
        while self._idle:
            child = self._idle.pop()
            if child.is_alive():
                return child
        return await _Child.start(self._views.archive.folder)

    def _release(self, child: "_Child") -> None:
        if self._closed:
            child.kill()
            return
        self._idle.append(child)
        self._ending = asyncio.get_running_loop().call_later(IDLE_S, self._end_idle)

    def _end_idle(self) -> None:
        while self._idle:
            self._idle.pop().kill()
        if not self._closed:
            self._thread.submit(self._copies.forget)

    def close(self) -> None:
        """End what runs, and remove the copies."""
        self._closed = True
        if self._ending is not None:
            self._ending.cancel()
        self._end_idle()
        self._thread.shutdown(cancel_futures=True)
        self._copies.close()


class _Child:
    """One process that runs queries, one at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, archive: Path) -> "_Child":
        environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        command = launch.python("medkg_lab.ledger.query_child", quoted(archive))
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, env=environment, cwd="/")
        child = cls(process)
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await child._read()
        except (TimeoutError, asyncio.IncompleteReadError) as error:
            child.kill()
            raise QueryFailed(detail="the process for queries does not start; try again") from error
        return child

    async def request(self, request: bytes) -> bytes:
        """The answer to a request. Raises IncompleteReadError or ConnectionError when the process ends instead."""
        assert self._process.stdin is not None
        self._process.stdin.write(struct.pack(">I", len(request)) + request)
        await self._process.stdin.drain()
        return await self._read()

    async def _read(self) -> bytes:
        assert self._process.stdout is not None
        (size,) = struct.unpack(">I", await self._process.stdout.readexactly(4))
        return await self._process.stdout.readexactly(size)

    def is_alive(self) -> bool:
        """Whether it still runs, as far as that is known."""
        return self._process.returncode is None

    def kill(self) -> None:
        """End it, in whatever it is doing."""
        if self._process.returncode is None:
            self._process.kill()


def _revive(answer: bytes) -> LedgerError:
    refusal = msgspec.json.decode(answer, type=Refusal)
    kinds = {each.__name__: each for each in (QueryRefused, QueryFailed, QueryTooLarge)}
    return kinds[refusal.error](detail=refusal.detail)
