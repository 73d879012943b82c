"""Carrying the ledger's commands out at once, where they are given: for a ledger that nobody shares."""

from collections.abc import Callable, Mapping
from typing import Any

from medkg_lab.ledger.answers import WriterFigures
from medkg_lab.ledger.commands.command import Command
from medkg_lab.ledger.core import Core, Outcome, Request
from medkg_lab.ledger.ring import Ring
from medkg_lab.ledger.writer import CommitStatus, run_query, status_of


class DirectBridge:
    """A bridge without a writer: for one event loop. Leases that are over are looked for before each command.

    `now` and `clock` give seconds since the epoch and of a clock that never goes back.
    """

    def __init__(self, core: Core, now: Callable[[], float], clock: Callable[[], float]) -> None:
        self.figures = WriterFigures()
        self.ring = Ring(core.store.head)
        self._core = core
        self.now = now
        self.clock = clock

    @property
    def commit_status(self) -> CommitStatus:
        """How the ledger stands."""
        return status_of(self._core)

    async def do(
        self, request: Request | None = None, read_state: Callable[[Core], Any] | None = None, lazy: bool = False
    ) -> Any:
        """Have a command carried out, a look taken, or (neither) the views flushed. Raises LabError."""
        clock = self.clock()
        for due in (*self._core.overdue(clock), *self._core.own_failures(self.now())):
            self._execute(due, clock)
        outcome = Outcome() if request is None else self._execute(request, clock)
        if read_state is not None:
            outcome = run_query(read_state, self._core)
        if outcome.error is not None:
            raise outcome.error
        return outcome.value

    def _execute(self, request: Request, clock: float) -> Outcome:
        (outcome,), encoded = self._core.execute([request], self.now(), clock)
        self.ring.extend(encoded)
        self.figures.commands += 1
        self.figures.events += len(encoded)
        if self._core.projection:
            self._core.project()
        return outcome

    async def command(self, command: type[Command], args: Mapping[str, Any], lazy: bool = False) -> Any:
        """Carry out a command as it travels. Raises LabError."""
        return await self.do(Request(command.parse(args), bool(args.get("resend"))))

    async def until(self, ready: Callable[[], bool], wait_s: float) -> bool:
        """Whether `ready` holds: nobody else is there who could change that."""
        await self.do()
        return ready()
