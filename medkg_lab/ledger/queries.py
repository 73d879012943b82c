"""The ops that ask: answered from memory, from the ring and the event file, or from the tables."""

import asyncio
import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self

import orjson

from medkg_lab import rpc
from medkg_lab.ledger.answers import Counts, EventLines, JobDetail, LedgerHealth
from medkg_lab.ledger.bookmarks import Bookmarks
from medkg_lab.ledger.commands.command import Args
from medkg_lab.ledger.commands.definitions import KINDS
from medkg_lab.ledger.core import Core
from medkg_lab.ledger.describe import describe_job
from medkg_lab.ledger.named_queries import statement
from medkg_lab.ledger.positions import Positions
from medkg_lab.ledger.query import FILTERS, MAX_QUERY_S, MAX_ROWS, QueryService
from medkg_lab.ledger.ring import portion
from medkg_lab.ledger.state import Definition
from medkg_lab.ledger.writer_bridge import Bridge, wait_of
from medkg_lab.models.event_codec import line_of

MAX_EVENTS = 10_000


@dataclass(frozen=True)
class Select:
    """A SELECT as it travels: `text` is its SQL, or the name of one of the lab's own."""

    text: str
    parameters: list[Any]
    limit: int
    timeout_s: float

    @classmethod
    def read(cls, read: Args, text: str) -> Self:
        """Raises MalformedCommand."""
        parameters = read.any("params") or []
        if not isinstance(parameters, list):
            raise read.wrong("params must be a list")
        limit, timeout_s = read.number("limit", 1, MAX_ROWS), read.number("timeout_s", 0.01, MAX_QUERY_S)
        return cls(text, parameters, int(limit), float(timeout_s))


class Queries:
    """Answers for one ledger."""

    def __init__(self, core: Core, bridge: Bridge, positions: Positions, bookmarks: Bookmarks) -> None:
        self._bridge = bridge
        self._positions = positions
        self._bookmarks = bookmarks
        self._desk = QueryService(core.views)
        self._events = core.store.reader()
        self._old_events = ThreadPoolExecutor(1, "events")
        self._started = time.time()

    def close(self) -> None:
        """Wait for what is being answered."""
        self._desk.close()
        self._old_events.shutdown(cancel_futures=True)

    def handlers(self) -> Mapping[str, rpc.Handler]:
        """The ops by name."""
        return {
            "definitions": self.definitions,
            "get": self.get,
            "jobs": self.jobs,
            "gates": self.gates,
            "events": self.events,
            "positions": self.positions,
            "position": self.position,
            "bookmarks": self.bookmarks,
            "bookmark": self.bookmark,
            "counts": self.counts,
            "rows": self.rows,
            "flush": self.flush,
            "health": self.health,
        }

    async def definitions(self, args: rpc.Arguments) -> Any:
        """The registered definitions of a kind, of one name and version if given, in the order of registration."""
        read = Args("definitions", args)
        kind, name, version = read.text("kind"), read.maybe_text("name"), read.maybe_text("version")
        if kind not in KINDS:
            raise read.wrong(f"kind must be one of {', '.join(KINDS)}, not {kind!r:.80}")

        def evaluate(core: Core) -> list[Definition]:
            found = (each for each in core.state.definitions.values() if each.kind == kind)
            named = (each for each in found if name is None or each.name == name)
            return [each for each in named if version is None or each.version == version]

        return await self._bridge.do(read_state=evaluate)

    async def get(self, args: rpc.Arguments) -> Any:
        """All that is known of a job; null when there is none."""
        job_id = Args("get", args).text("job_id")

        def evaluate(core: Core) -> JobDetail | None:
            job = core.find(job_id)
            if job is None:
                return None
            until = core.leases.until(job.batch or "")
            return describe_job(job, until and until - self._bridge.clock() + self._bridge.now())

        return await self._bridge.do(read_state=evaluate)

    async def jobs(self, args: rpc.Arguments) -> Any:
        """The newest jobs, narrowed down."""
        read = Args("jobs", args)
        limit = int(read.number("limit", 1, MAX_ROWS))
        filters = {name: value for name in FILTERS if (value := read.maybe_text(name)) is not None}
        await self._bridge.do()
        return await self._desk.jobs(filters, limit, read.maybe_text("after"))

    async def gates(self, args: rpc.Arguments) -> Any:
        """The gates, in one state if given."""
        state = Args("gates", args).maybe_text("state")
        await self._bridge.do()
        return await self._desk.gates(state)

    async def events(self, args: rpc.Arguments) -> Any:
        """The events after a number, as soon as there is one."""
        read = Args("events", args)
        after, limit = int(read.number("after", 0, 2**62)), int(read.number("limit", 1, MAX_EVENTS))
        wait_s, job_id = wait_of("events", args), read.maybe_text("job_id")
        until = time.monotonic() + wait_s
        lines: list[bytes] = []
        while not lines and await self._follows(after, until - time.monotonic()):
            lines, after = await self._lines(after, limit, job_id)
        return EventLines(events=tuple(map(orjson.Fragment, lines)), head=self._bridge.commit_status.head)

    async def _follows(self, seq: int, wait_s: float) -> bool:
        return await self._bridge.until(lambda: self._bridge.commit_status.head > seq, wait_s)

    async def _lines(self, after: int, limit: int, job_id: str | None) -> tuple[list[bytes], int]:
        """Lines of events after `after`, and up to where was looked if there are none."""
        head = self._bridge.commit_status.head
        lines = self._bridge.ring.after(after, limit, job_id)
        if lines is None:
            work = asyncio.get_running_loop().run_in_executor(self._old_events, self._events.rows, after, limit, job_id)
            lines = portion(map(line_of, await work), limit)
        return lines, head

    async def positions(self, args: rpc.Arguments) -> dict[str, int]:
        """How far each reader of the log is, and the ledger's own views."""
        return {**self._positions.all(), "tables": self._bridge.commit_status.projected}

    async def position(self, args: rpc.Arguments) -> None:
        """A reader tells how far it is."""
        read = Args("position", args)
        self._positions.set(read.text("view"), int(read.number("seq", 0, 2**62)))

    async def bookmarks(self, args: rpc.Arguments) -> Mapping[str, object]:
        """The bookmarks of all readers."""
        return self._bookmarks.all()

    async def bookmark(self, args: rpc.Arguments) -> None:
        """A reader replaces its bookmark."""
        read = Args("bookmark", args)
        previous = None if read.any("previous") is None else read.mapping("previous")
        self._bookmarks.replace(read.text("reader"), previous, read.mapping("value"))

    async def counts(self, args: rpc.Arguments) -> Any:
        """How many jobs and gates are in each state, and how many jobs are queued in each lane."""

        def evaluate(core: Core) -> Counts:
            state = core.state
            jobs, gates = (+counter for counter in (state.job_counts, state.gate_counts))
            return Counts(jobs=jobs, gates=gates, head=state.seq, queued_by_lane=state.queue.lanes())

        return await self._bridge.do(read_state=evaluate)

    async def rows(self, args: rpc.Arguments) -> Any:
        """Rows of one of the lab's own questions."""
        asked = Args("rows", args)
        select = Select.read(asked, asked.text("name"))
        found = statement(select.text, select.parameters)
        await self._bridge.do()
        return await self._desk.rows(found.sql, found.parameters, select.limit, select.timeout_s)

    async def flush(self, args: rpc.Arguments) -> None:
        """Done when the tables show all that was acknowledged before."""
        await self._bridge.do()

    async def health(self, args: rpc.Arguments) -> Any:
        """What a person who looks after the ledger wants to know."""

        def evaluate(core: Core) -> LedgerHealth:
            return LedgerHealth(
                pid=os.getpid(),
                started_at=self._started,
                head=core.state.seq,
                projected=core.views.seq,
                jobs_in_memory=len(core.state.jobs),
                batches=len(core.state.batches),
                ring_start=self._bridge.ring.start,
                figures=self._bridge.figures,
            )

        return await self._bridge.do(read_state=evaluate)
