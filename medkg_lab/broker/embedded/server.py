"""The broker as a whole: put together, listening, stopped."""

import asyncio
import fcntl
import logging
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from medkg_lab.broker.embedded.connection import Connection
from medkg_lab.broker.embedded.coordinator import Coordinator
from medkg_lab.broker.embedded.errors import AddressUnusable, DataFolderInUse, DiskFailed
from medkg_lab.broker.embedded.flusher import Flusher
from medkg_lab.broker.embedded.limits import Limits
from medkg_lab.broker.embedded.log import PartitionLog
from medkg_lab.broker.embedded.meta import Meta
from medkg_lab.broker.embedded.service import Service
from medkg_lab.broker.embedded.store import Store
from medkg_lab.port_use import problem_with

_log = logging.getLogger("medkg_lab.broker")
_SETTLE_SECONDS = 2.5
_STREAM_BUFFER = 256 * 1024


@dataclass(frozen=True)
class Settings:
    """Where the broker keeps its data and listens; port 0 takes a free one. Without `fsync` nothing is promised."""

    data: Path
    host: str
    port: int
    limits: Limits
    fsync: bool = True
    auto_create: bool = True
    password: str | None = field(default=None, repr=False)


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
        store = Store(settings.data, meta, flusher, settings.limits)
        coordinator = Coordinator(meta, settings.limits)
        self.service = Service(
            settings.host,
            settings.port,
            settings.limits,
            meta,
            store,
            flusher,
            coordinator,
            auto_create=settings.auto_create,
            password=settings.password,
        )
        self._listener: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._housekeeper: asyncio.Task[None] | None = None

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
            self._listener = await asyncio.start_server(
                self._connected, service.host, service.port, limit=_STREAM_BUFFER
            )
        except OSError as error:
            raise AddressUnusable(
                host=service.host, port=service.port, detail=problem_with(service.port) or error.strerror
            ) from error
        service.port = self._listener.sockets[0].getsockname()[1]
        self._housekeeper = asyncio.create_task(self._keep_house())
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

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= self.service.limits.connections or self.service.stopping.is_set():
            _log.warning("a connection was refused: there are %d", len(self._connections))
            writer.close()
            return
        task = asyncio.current_task()
        assert task is not None, "asyncio calls this in a task of its own"
        self._connections.add(task)
        try:
            await Connection(self.service, reader, writer).run()
        finally:
            self._connections.discard(task)

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(self.service.limits.housekeeping_seconds)
            self.service.store.housekeeping()

    async def until_stopped(self) -> None:
        await self.service.stopping.wait()

    async def end(self) -> None:
        """Answer what is under way, make it durable, and write the checkpoints unless the disk failed."""
        service = self.service
        service.stopping.set()
        if self._housekeeper:
            self._housekeeper.cancel()
        if self._listener:
            self._listener.close()
        if self._connections:
            await asyncio.wait(self._connections, timeout=_SETTLE_SECONDS)
        await self._settle()
        if not service.failure:
            service.store.checkpoint()
        service.store.close()
        service.flusher.close()
        service.meta.close()

    async def _settle(self) -> None:
        try:
            async with asyncio.timeout(_SETTLE_SECONDS):
                await self.service.flusher.settle()
        except TimeoutError:
            self.service.failure = f"the disk did not finish its writes in {_SETTLE_SECONDS} s"
