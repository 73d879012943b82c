"""The ops of a ledger by name: those that command, and those of its parts, over whatever carries commands out."""

import asyncio
import time
from collections.abc import Awaitable, Mapping
from typing import Any
from uuid import uuid4

from medkg_lab import rpc
from medkg_lab.errors import LabError
from medkg_lab.failures import describe
from medkg_lab.ledger.answers import LeaseState, RecordOutcome
from medkg_lab.ledger.bookmarks import Bookmarks
from medkg_lab.ledger.circuits import Circuits
from medkg_lab.ledger.commands.acts import NoteAct
from medkg_lab.ledger.commands.batches import Claim, Surrender
from medkg_lab.ledger.commands.command import Args, Command
from medkg_lab.ledger.commands.definitions import Register
from medkg_lab.ledger.commands.documents import DeleteDocument
from medkg_lab.ledger.commands.gates import GateFail, GateOpen, GateReject, SetField
from medkg_lab.ledger.commands.imports import Import
from medkg_lab.ledger.commands.jobs import Acknowledge, Cancel, Retry, RetryMany, Submit
from medkg_lab.ledger.commands.record import Record
from medkg_lab.ledger.commands.releases import Launch, Releases
from medkg_lab.ledger.core import Core, Request
from medkg_lab.ledger.positions import Positions
from medkg_lab.ledger.queries import Queries
from medkg_lab.ledger.writer_bridge import Bridge, wait_of

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
    DeleteDocument,
    NoteAct,
)
"""The commands whose op does nothing but carry them out."""


class Ops:
    """Answers the ops that a ledger has wherever it keeps what it knows."""

    def __init__(self, core: Core, bridge: Bridge, positions: Positions, bookmarks: Bookmarks) -> None:
        self._bridge = bridge
        self._queries = Queries(core, bridge, positions, bookmarks)
        self._circuits = Circuits(bridge)

    def close(self) -> None:
        """Wait for what is being answered."""
        self._queries.close()

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
        return {**plain, **own, **self._circuits.handlers(), **self._queries.handlers()}

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
            core.leases.renew(batch, self._bridge.clock(), deadline)
            return LeaseState(owned=True, cancelled=tuple(batch.cancelled))

        return await self._bridge.do(read_state=evaluate)
