"""The ledger's server: the ops that command, and the life of the process's parts."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from medkg_lab import rpc
from medkg_lab.errors import LabError
from medkg_lab.failures import describe
from medkg_lab.ledger.answers import LeaseState, RecordOutcome
from medkg_lab.ledger.bookmarks import FILE, Bookmarks
from medkg_lab.ledger.circuits import Circuits
from medkg_lab.ledger.commands.batches import Claim, Surrender
from medkg_lab.ledger.commands.command import Args, Command
from medkg_lab.ledger.commands.definitions import Register
from medkg_lab.ledger.commands.gates import GateFail, GateOpen, GateReject, SetField
from medkg_lab.ledger.commands.imports import Import
from medkg_lab.ledger.commands.jobs import Acknowledge, Cancel, Retry, RetryMany, Submit
from medkg_lab.ledger.commands.record import Record
from medkg_lab.ledger.commands.releases import Launch, Releases
from medkg_lab.ledger.core import Core, Request
from medkg_lab.ledger.maintenance import Maintenance
from medkg_lab.ledger.positions import READERS, Positions
from medkg_lab.ledger.queries import Queries
from medkg_lab.ledger.writer_bridge import WriterBridge, wait_of, within

PLAIN_COMMANDS: tuple[type[Command], ...] = (
    Submit,
    Import,
    Register,
    Surrender,
    SetField,
    GateOpen,
    GateReject,
    GateFail,
    Launch,
    Retry,
    RetryMany,
    Acknowledge,
    Cancel,
)
"""The commands whose op does nothing but carry them out."""
HEARD_WITHIN_S = 5.0
"""A reader of the log that has not told its position for so long is thought to be away."""
SAVE_INTERVAL_S = 0.25
"""Seconds between two savings of the readers' positions."""


class Server:
    """Serves the ledger in a folder on a socket."""

    def __init__(self, folder: Path, socket: Path) -> None:
        """Open the ledger. Raises Unstartable."""
        self._socket = socket
        core = Core(folder)
        self._has_room = core.store.has_room
        self._bridge = WriterBridge(core)
        self._positions = Positions(folder / "positions.json")
        self._bookmarks = Bookmarks(folder / FILE)
        self._queries = Queries(core, self._bridge, self._positions, self._bookmarks)
        self._circuits = Circuits(self._bridge)
        self._maintenance = Maintenance(core, self._bridge, self._positions)
        core.whole = self._is_whole

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
            self._queries.stop_queries()
            self._socket.unlink(missing_ok=True)
            await loop.run_in_executor(None, self._close)

    def stop(self) -> None:
        """End `run`; for the event loop's thread."""
        self._bridge.stop()

    def _is_whole(self, part: str) -> bool:
        """Whether a process of the lab works, as far as the ledger hears of it; from any thread."""
        return part not in READERS or self._positions.heard_within(part, HEARD_WITHIN_S)

    def _close(self) -> None:
        self._queries.close()
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
        own: Mapping[str, rpc.Handler] = {
            "claim": self.claim,
            "record": self.record,
            "records": self.records,
            "releases": self.releases,
            "heartbeat": self.heartbeat,
        }
        plain = {each.op: self._plain(each) for each in PLAIN_COMMANDS}
        parts = (self._circuits, self._maintenance, self._queries)
        return {**plain, **own, **{op: handler for part in parts for op, handler in part.handlers().items()}}

    def _plain(self, command: type[Command]) -> rpc.Handler:
        async def handle(args: rpc.Arguments) -> Any:
            return await self._bridge.command(command, args)

        return handle

    async def claim(self, args: rpc.Arguments) -> Any:
        """A batch, as soon as there is one; null when there was none within `wait_s`."""
        command, wait_s = Claim.parse(args), wait_of(Claim.op, args)
        until = time.monotonic() + wait_s
        resend = bool(args.get("resend"))
        while True:
            batch = await self._bridge.do(Request(command, resend))
            if batch is not None or (left := until - time.monotonic()) <= 0:
                return batch
            if not await self._bridge.until(
                lambda: not self._bridge.commit_status.lanes.isdisjoint(command.lanes), left
            ):
                return None

    async def record(self, args: rpc.Arguments) -> Any:
        """What an engine did; `lazy` may wait a little for others."""
        return await self._bridge.command(Record, args, lazy=bool(args.get("lazy")))

    async def records(self, args: rpc.Arguments) -> list[RecordOutcome]:
        """Several records in order, each with an outcome of its own."""
        lazy = bool(args.get("lazy"))
        each = Args("records", args).mappings("records")
        # All of them are waited for, also when one is refused because the ledger closes: the answer is then that it is closing.
        outcomes = [self._outcome(self._bridge.command(Record, one, lazy)) for one in each]
        found = await asyncio.gather(*outcomes, return_exceptions=True)
        if failed := next((one for one in found if isinstance(one, BaseException)), None):
            raise failed
        return [one for one in found if isinstance(one, RecordOutcome)]

    async def _outcome(self, answer: Awaitable[Any]) -> RecordOutcome:
        try:
            return RecordOutcome(result=await answer)
        except rpc.PeerClosing:
            raise
        except LabError as error:
            return RecordOutcome(error=describe(error))

    async def releases(self, args: rpc.Arguments) -> Any:
        """The releases that were not launched yet, as soon as there is one."""
        if not await self._bridge.until(lambda: self._bridge.commit_status.releasable, wait_of("releases", args)):
            return []
        return await self._bridge.do(Request(Releases(uuid4().hex)))

    async def heartbeat(self, args: rpc.Arguments) -> Any:
        """Renew a batch's lease, until the running stage's deadline at most; tells which jobs were cancelled."""
        read = Args("heartbeat", args)
        batch_id = read.text("batch_id")
        deadline = None if read.any("deadline_s") is None else read.number("deadline_s", -1e9, 1e9)

        def evaluate(core: Core) -> LeaseState:
            batch = core.state.batches.get(batch_id)
            if batch is None:
                return LeaseState(owned=False, cancelled=())
            core.leases.renew(batch, time.monotonic(), deadline)
            return LeaseState(owned=True, cancelled=tuple(batch.cancelled))

        return await self._bridge.do(read_state=evaluate)
