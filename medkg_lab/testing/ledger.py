"""A ledger in memory: it decides as the real one does, and answers what the real one answers, but for what is about its files."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson

from medkg_lab import rpc
from medkg_lab.errors import LabError
from medkg_lab.event_loop import LoopThread
from medkg_lab.ledger.bookmarks import Bookmarks
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.ledger.core import Core
from medkg_lab.ledger.direct import DirectBridge
from medkg_lab.ledger.errors import LedgerError
from medkg_lab.ledger.memory import MemoryEventLog, MemoryJobViews
from medkg_lab.ledger.ops import Ops
from medkg_lab.ledger.positions import Positions
from medkg_lab.models.events import EventData
from medkg_lab.topology.models import Topology
from medkg_lab.topology.versions import to_json, version_of


class NotInMemory(LedgerError):
    """A ledger in memory has no {op}: that is about files. Use a lab in a temporary folder."""


class MemoryLedger(LedgerClient):
    """A client whose ledger is in this process; what it is told passes through JSON, as on a socket.

    `now` and `clock` give the time, in seconds since the epoch and of a clock that never goes back: a test that lets leases or
    circuit breakers run out has them count by hand. Nothing waits: a question with `wait_s` is answered as things are.
    """

    def __init__(self, now: Callable[[], float] = time.time, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(Path("ledger-in-memory"))
        self._core = Core(MemoryEventLog(), MemoryJobViews(), self.path)
        self._loop = LoopThread("ledger in memory")
        self._ops = Ops(self._core, DirectBridge(self._core, now, clock), Positions(None), Bookmarks(None))
        self._handlers = self._ops.handlers()
        self._refused: list[tuple[str, LabError]] = []

    def add_pipeline(self, topology: Topology) -> str:
        """Make a pipeline known, as jobs need it; its version."""
        version = version_of(topology)
        self.register("topology", topology.name, version, to_json(topology))
        return version

    def emit(
        self,
        batch_id: str,
        events: Sequence[EventData],
        *,
        urgent: bool = False,
        within_s: float = 0.0,
        id: str | None = None,
    ) -> None:
        """Record at once; what is refused is raised by `drain`."""
        try:
            self.record(batch_id, events, id=id or uuid4().hex)
        except LabError as error:
            self._refused.append((batch_id, error))

    def drain(self, batch_id: str | None = None) -> list[str]:
        """Raises what the ledger refused of this batch, or of any."""
        for place, (refused, error) in enumerate(self._refused):
            if batch_id in (None, refused):
                del self._refused[place]
                raise error
        return []

    def close(self) -> None:
        """Forget everything."""
        self._ops.close()
        self._loop.close()

    def _call(self, op: str, args: Mapping[str, Any], seconds: float) -> Any:
        handler = self._handlers.get(op)
        if handler is None:
            raise NotInMemory(op=op)
        given = orjson.loads(orjson.dumps(dict(args), option=rpc.ENCODING))

        async def answered() -> Any:
            return await handler(given)

        answer = self._loop.run(answered())
        return orjson.loads(orjson.dumps(answer, option=rpc.ENCODING))
