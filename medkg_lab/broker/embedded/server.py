"""The broker as a whole: put together, listening, stopped."""

import asyncio
import fcntl
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from medkg_lab import linux
from medkg_lab.broker.embedded.accounts import Accounts
from medkg_lab.broker.embedded.connection import Connection
from medkg_lab.broker.embedded.coordinator import Coordinator
from medkg_lab.broker.embedded.errors import AddressUnusable, DataFolderInUse, DiskFailed
from medkg_lab.broker.embedded.flusher import Flusher
from medkg_lab.broker.embedded.limits import Limits
from medkg_lab.broker.embedded.log import PartitionLog
from medkg_lab.broker.embedded.meta import Meta
from medkg_lab.broker.embedded.places import Places
from medkg_lab.broker.embedded.service import Service
from medkg_lab.broker.embedded.store import Store
from medkg_lab.broker.removals import REMOVALS, Removals
from medkg_lab.broker.topics import Topics, lab_topics
from medkg_lab.port_use import problem_with
from medkg_lab.repeats import OnceAMinute

_log = logging.getLogger("medkg_lab.broker")
_refusals = logging.getLogger("medkg_lab.broker.refusals")
_CLOSE_TIMEOUT_S = 2.5
_STREAM_BUFFER_BYTES = 256 * 1024
_BACKLOG = 512
_ACCEPT_RETRY_S = 1.0
_SAVE_AGES_INTERVAL_S = 60.0


@dataclass(frozen=True)
class Settings:
    """Where the broker keeps its data and listens; port 0 takes a free one. Without `fsync` nothing is promised."""

    data: Path
    host: str
    port: int
    limits: Limits
    fsync: bool = True
    auto_create: bool = True
    passwords: Mapping[str, str] | None = field(default=None, repr=False)
    """By account; without any, everyone is let in as the lab."""
    topic_prefix: str = ""


def lock_folder(folder: Path) -> IO[str]:
    """Make `folder` ours for as long as the returned file is open. Raises DataFolderInUse, OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = open(folder / "lock", "a+", encoding="ascii")  # noqa: SIM115 - the caller holds it open, and with it the lock
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read(20).strip() or "unknown"
        file.close()
        raise DataFolderInUse(folder=folder, pid=holder) from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def _listen(host: str, port: int) -> socket.socket:
    """A listener at the first address that `host` has. Raises OSError."""
    family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    linux.answer_at_once(listener)
    listener.setblocking(False)
    return listener


async def run(settings: Settings, announce: Callable[[dict[str, object]], None]) -> None:
    """Serve until SIGTERM or SIGINT; `announce` gets the facts of the ready line once clients can connect.

    Raises DiskFailed when the disk does not keep what it is given, and LabError, OSError when the broker cannot begin.
    """
    meta = Meta(settings.data / "meta.sqlite")
    server = _Server(settings, meta)
    try:
        await server.begin(announce)
        await server.until_stopped()
    finally:
        await server.end()
    if server.service.failure:
        raise DiskFailed(detail=server.service.failure)


class _Server:
    def __init__(self, settings: Settings, meta: Meta) -> None:
        self._settings = settings
        flusher = Flusher(self._sync_failed, settings.fsync)
        ours = {spec.name: spec.partitions for spec in lab_topics(settings.topic_prefix)}
        store = Store(settings.data, meta, flusher, settings.limits, ours)
        coordinator = Coordinator(meta, settings.limits)
        self.service = Service(
            settings.host,
            settings.port,
            settings.limits,
            meta,
            store,
            flusher,
            coordinator,
            Removals(settings.data / REMOVALS),
            Topics(settings.topic_prefix).requests,
            auto_create=settings.auto_create,
            accounts=Accounts.of(settings.passwords) if settings.passwords else None,
        )
        self._places: Places[Connection] = Places(settings.limits)
        self._listener: socket.socket | None = None
        self._connections: dict[asyncio.Task[None], Connection | None] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def _sync_failed(self, log: PartitionLog, reason: str) -> None:
        """What a disk holds after a failed sync is known only after a new start, so the process ends."""
        self.service.failure = f"{log.topic}-{log.partition}: {reason}"
        self.service.stopping.set()

    async def begin(self, announce: Callable[[dict[str, object]], None]) -> None:
        service, loop = self.service, asyncio.get_running_loop()
        began = loop.time()
        if not self._settings.fsync:
            _log.warning("nothing is synced: what is acknowledged does not survive a power failure")
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, service.stopping.set)
        service.store.open()
        try:
            self._listener = _listen(service.host, service.port)
        except OSError as error:
            raise AddressUnusable(
                host=service.host, port=service.port, detail=problem_with(service.port) or error.strerror
            ) from error
        service.port = self._listener.getsockname()[1]
        if not service.accounts:
            _log.warning("nobody is asked to log in: every user of this machine may read, write and delete")
        if not _refusals.filters:
            _refusals.addFilter(OnceAMinute())
        self._tasks = [asyncio.create_task(work()) for work in (self._accept, self._run_housekeeping)]
        announce(self._facts(loop.time() - began))

    def _facts(self, seconds: float) -> dict[str, object]:
        logs = self.service.store.logs()
        return {
            "host": self.service.host,
            "port": self.service.port,
            "topics": len(self.service.store.topics),
            "recovery_seconds": round(seconds, 3),
            "cut_bytes": sum(log.cut_bytes for log in logs),
            "offline": {f"{log.topic}-{log.partition}": log.offline for log in logs if log.offline},
        }

    async def _accept(self) -> None:
        """Take connections one after the other; when there is no descriptor for one, wait instead of trying at once again."""
        loop = asyncio.get_running_loop()
        assert self._listener is not None, "it was made before"
        while True:
            try:
                connection, address = await loop.sock_accept(self._listener)
            except OSError as error:
                _refusals.warning("no connection can be taken: %s", error.strerror)
                await asyncio.sleep(_ACCEPT_RETRY_S)
                continue
            task = asyncio.create_task(self._serve(connection, address))
            self._connections[task] = None
            task.add_done_callback(self._connections.pop)

    async def _serve(self, accepted: socket.socket, address: tuple[str, int]) -> None:
        uid = linux.connection_uid(address, accepted.getsockname())
        try:
            reader, writer = await asyncio.open_connection(sock=accepted, limit=_STREAM_BUFFER_BYTES)
        except OSError:
            accepted.close()
            return
        task = asyncio.current_task()
        assert task is not None, "it was made for this"
        connection = self._connections[task] = Connection(self.service, self._places, reader, writer)
        victim = self._places.arrive(connection, uid)
        if victim is not None:
            _refusals.warning("a connection of uid %s was closed: too many are not let in", uid)
            victim.abort()
        try:
            await connection.run()
        finally:
            self._places.leave(connection)

    async def _run_housekeeping(self) -> None:
        kept = 0.0
        while True:
            await asyncio.sleep(self.service.limits.housekeeping_seconds)
            self._close_overdue()
            self.service.store.housekeeping()
            if time.monotonic() - kept > _SAVE_AGES_INTERVAL_S:
                kept = time.monotonic()
                await self.service.store.save_ages()

    def _close_overdue(self) -> None:
        now = asyncio.get_running_loop().time()
        for connection in [one for one in self._connections.values() if one is not None]:
            reason = connection.overdue(now)
            if reason is not None:
                _refusals.warning("a connection was closed: %s", reason)
                connection.abort()

    async def until_stopped(self) -> None:
        await self.service.stopping.wait()

    async def end(self) -> None:
        """Answer what is under way, make it durable, and write the checkpoints unless the disk failed."""
        service = self.service
        service.stopping.set()
        for task in self._tasks:
            task.cancel()
        if self._listener:
            self._listener.close()
        if self._connections:
            await asyncio.wait([*self._connections], timeout=_CLOSE_TIMEOUT_S)
        await self._wait_for_flush()
        if not service.failure:
            service.store.checkpoint()
            await service.store.save_ages()
        service.store.close()
        service.flusher.close()
        service.meta.close()

    async def _wait_for_flush(self) -> None:
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await self.service.flusher.wait_until_synced()
        except TimeoutError:
            self.service.failure = f"the disk did not finish its writes in {_CLOSE_TIMEOUT_S} s"
