"""A Unix socket that is listened at, and made again when something removes it, as cleaners of /tmp do."""

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Self

from medkg_lab.errors import LabError
from medkg_lab.folders import private_folder

log = logging.getLogger(__name__)

CHECK_INTERVAL_S = 1.0

Connected = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Listener:
    """Listens at `path` with mode 0600 and calls `connected` for each connection, until it is closed."""

    def __init__(self, path: Path, connected: Connected, limit: int) -> None:
        self._path = path
        self._connected = connected
        self._limit = limit
        self._server: asyncio.Server | None = None
        self._watcher: asyncio.Task[None] | None = None

    async def open(self) -> Self:
        """Begin, replacing a socket that a crash left."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        self._server = await self._bind()
        self._watcher = asyncio.create_task(self._watch())
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
        if self._server is not None:
            await self._server.wait_closed()

    def close(self) -> None:
        """Let nobody connect any more; who is connected stays."""
        if self._watcher is not None:
            self._watcher.cancel()
        if self._server is not None:
            self._server.close()

    async def _bind(self) -> asyncio.Server:
        previous = os.umask(0o177)
        try:
            return await asyncio.start_unix_server(self._connected, str(self._path), limit=self._limit)
        finally:
            os.umask(previous)

    async def _watch(self) -> None:
        reported = ""
        while True:
            await asyncio.sleep(CHECK_INTERVAL_S)
            if self._path.exists():
                continue
            try:
                await self._bind_again()
                log.warning("%s had been removed and was made again", self._path)
                reported = ""
            except (OSError, LabError) as error:
                if str(error) != reported:
                    log.error("%s was removed and cannot be made again: %s", self._path, error)
                reported = str(error)

    async def _bind_again(self) -> None:
        private_folder(self._path.parent.parent)
        private_folder(self._path.parent)
        gone, self._server = self._server, await self._bind()
        if gone is not None:
            gone.close()
