"""Between the sockets' event loop and the writer's thread: what is given to do, what comes back, and who waits for what."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from medkg_lab.ledger.answers import WriterFigures
from medkg_lab.ledger.commands.command import Args, Command
from medkg_lab.ledger.core import Core, Outcome, Request
from medkg_lab.ledger.errors import LedgerClosing
from medkg_lab.ledger.ring import Ring
from medkg_lab.ledger.writer import CommitStatus, Item, Writer
from medkg_lab.models.event_codec import Encoded

IN_FLIGHT = 1024
"""Commands that may wait for their commit; further ones wait for a place, and with them their senders."""
MAX_WAIT_S = 300.0


class Bridge(Protocol):
    """What the ops need of it: to have things done in the ledger, and to wait for what others do.

    `ring` has the newest events and `commit_status` what the last commit left; both are as of what was answered last.
    """

    ring: Ring

    def now(self) -> float:
        """Seconds since the epoch."""

    def clock(self) -> float:
        """Seconds of the clock that leases run by."""

    @property
    def commit_status(self) -> CommitStatus:
        """How the ledger stood after the last commit."""

    @property
    def figures(self) -> WriterFigures:
        """What was done since the start."""

    async def do(
        self, request: Request | None = None, read_state: Callable[[Core], Any] | None = None, lazy: bool = False
    ) -> Any:
        """Have a command carried out, a look taken, or (neither) the views flushed. Raises LabError."""

    async def command(self, command: type[Command], args: Mapping[str, Any], lazy: bool = False) -> Any:
        """Carry out a command as it travels. Raises LabError."""

    async def until(self, ready: Callable[[], bool], wait_s: float) -> bool:
        """Wait for a commit after which `ready` holds, for so many seconds at most. Raises LedgerClosing."""


class WriterBridge:
    """Owns the writer. All but the constructor and `close` is for the event loop's thread.

    `ring` has the newest events and `commit_status` what the last commit left; both are as of what was answered last.
    """

    def __init__(self, core: Core) -> None:
        self.writer = Writer(core, self._committed)
        self.commit_status: CommitStatus = self.writer.status()
        self.ring = Ring(core.store.head)
        self.stopping = asyncio.Event()
        self._places = asyncio.Semaphore(IN_FLIGHT)
        self._changed = asyncio.Event()

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def clock(self) -> float:
        """Seconds of the clock that the writer takes leases back by."""
        return time.monotonic()

    @property
    def figures(self) -> WriterFigures:
        """What the writer has done since it started."""
        return self.writer.figures

    def start(self) -> None:
        """Start the writer."""
        self._loop = asyncio.get_running_loop()
        self.writer.start()

    def stop(self) -> None:
        """Release all who wait."""
        self.stopping.set()
        self._wake()

    def _committed(
        self, answered: Sequence[tuple[Item, Outcome]], encoded: Sequence[Encoded], commit_status: CommitStatus
    ) -> None:
        self._loop.call_soon_threadsafe(self._deliver, answered, encoded, commit_status)

    def _deliver(
        self, answered: Sequence[tuple[Item, Outcome]], encoded: Sequence[Encoded], commit_status: CommitStatus
    ) -> None:
        self.ring.extend(encoded)
        self.commit_status = commit_status
        for item, outcome in answered:
            item.done(outcome)
        if encoded:
            self._wake()

    def _wake(self) -> None:
        """Wake all who wait for a commit; the next ones wait for the next."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def do(
        self, request: Request | None = None, read_state: Callable[[Core], Any] | None = None, lazy: bool = False
    ) -> Any:
        """Have a command carried out, a look taken, or (neither) the views flushed. Raises LabError."""
        future: asyncio.Future[Outcome] = self._loop.create_future()

        def done(outcome: Outcome) -> None:
            if not future.done():
                future.set_result(outcome)

        async with self._places:
            self.writer.put(Item(done, request, read_state, lazy))
            outcome = await future
        if outcome.error is not None:
            raise outcome.error
        return outcome.value

    async def command(self, command: type[Command], args: Mapping[str, object], lazy: bool = False) -> Any:
        """Carry out a command as it travels. Raises LabError."""
        return await self.do(Request(command.parse(args), bool(args.get("resend"))), lazy=lazy)

    async def until(self, ready: Callable[[], bool], wait_s: float) -> bool:
        """Wait for a commit after which `ready` holds. Raises LedgerClosing."""
        until = time.monotonic() + wait_s
        while not ready():
            if self.stopping.is_set():
                raise LedgerClosing()
            if (left := until - time.monotonic()) <= 0 or not await within(self._changed, left):
                return ready()
        return True


async def within(event: asyncio.Event, seconds: float) -> bool:
    """Whether `event` was set within `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


def wait_of(op: str, args: Mapping[str, object]) -> float:
    """How long the sender of an op wants to wait, in seconds. Raises MalformedCommand."""
    return Args(op, {"wait_s": 0.0, **args}).number("wait_s", 0.0, MAX_WAIT_S)
