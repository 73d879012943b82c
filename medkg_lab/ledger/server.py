"""The ledger's server: its socket, and the life of the process's parts."""

import asyncio
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from medkg_lab import rpc
from medkg_lab.ledger.bookmarks import FILE, Bookmarks
from medkg_lab.ledger.commands.command import Args
from medkg_lab.ledger.maintenance import Maintenance
from medkg_lab.ledger.opening import LedgerFiles
from medkg_lab.ledger.ops import Ops
from medkg_lab.ledger.positions import READERS, Positions
from medkg_lab.ledger.queries import Select
from medkg_lab.ledger.query_pool import QueryPool
from medkg_lab.ledger.writer_bridge import WriterBridge, within

HEARD_WITHIN_S = 5.0
"""A reader of the log that has not told its position for so long is thought to be away."""
SAVE_INTERVAL_S = 0.25
"""Seconds between two savings of the readers' positions."""


class Server:
    """Serves the ledger in a folder on a socket."""

    def __init__(self, folder: Path, socket: Path, readers: Collection[str] = ()) -> None:
        """Open the ledger; `readers` are the optional readers of its log that there are. Raises Unstartable."""
        self._socket = socket
        opened = LedgerFiles.open(folder)
        core = opened.core()
        self._has_room = core.store.has_room
        self._bridge = WriterBridge(core)
        self._positions = Positions(folder / "positions.json", readers)
        self._bookmarks = Bookmarks(folder / FILE)
        self._ops = Ops(core, self._bridge, self._positions, self._bookmarks)
        self._pool = QueryPool(opened.views, folder)
        self._maintenance = Maintenance(opened, self._bridge, self._positions)
        core.is_part_working = self._is_whole

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve until `stop`; `ready` is called when the socket is open."""
        loop = asyncio.get_running_loop()
        self._bridge.start()
        server = await rpc.serve(self._socket, self.handlers())
        ready()
        try:
            while not await within(self._bridge.stopping, SAVE_INTERVAL_S):
                await loop.run_in_executor(None, self._save)
        finally:
            server.close()
            self._pool.close()
            self._socket.unlink(missing_ok=True)
            await loop.run_in_executor(None, self._close)

    def stop(self) -> None:
        """End `run`; for the event loop's thread."""
        self._bridge.stop()

    def _is_whole(self, part: str) -> bool:
        """Whether a process of the lab works, as far as the ledger hears of it; from any thread."""
        return part not in READERS or self._positions.heard_within(part, HEARD_WITHIN_S)

    def _close(self) -> None:
        self._ops.close()
        self._maintenance.close()
        self._bridge.writer.stop()
        self._save()

    def _save(self) -> None:
        """Save positions and bookmarks; on a full disk they stay in memory, which is harmless."""
        if self._has_room():
            self._positions.save()
            self._bookmarks.save()

    def handlers(self) -> dict[str, rpc.Handler]:
        """The ops by name."""
        return {**self._ops.handlers(), **self._maintenance.handlers(), "query": self.query}

    async def query(self, args: rpc.Arguments) -> Any:
        """Rows of a SELECT from outside, which is run in a process of its own."""
        asked = Args("query", args)
        select = Select.read(asked, asked.text("sql"))
        await self._bridge.do()
        return await self._pool.query(select.text, select.parameters, select.limit, select.timeout_s)
