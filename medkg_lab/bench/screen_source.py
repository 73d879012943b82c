"""A process that answers like the ledger's log does, with as many events as it is told: what the screen's measurement looks at.

An event's time is the moment it was due, so what is seen late counts with all of its wait.
"""

import argparse
import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from msgspec import convert

from medkg_lab import rpc
from medkg_lab.ledger.answers import EventLines
from medkg_lab.models.event_codec import to_json
from medkg_lab.models.events import (
    ClaimedJob,
    CompletedJob,
    Event,
    EventData,
    JobClaimed,
    JobCompleted,
    StageCompleted,
    StageOutput,
    StageStarted,
)

STAGES = ("ingest", "parse", "chunk")
PER_JOB = 2 * len(STAGES) + 2
"""Events of a job: claimed, each stage started and completed, completed."""


def rows(head: int) -> int:
    """How many of the events up to `head` are rows of the screen: all but the first of each job, its claim."""
    return head - -(-head // PER_JOB)


@dataclass(frozen=True)
class Piece:
    """Events from number `first` on, the first of which was due at `since`, `rate` a second."""

    first: int
    since: float
    rate: float


@dataclass(frozen=True)
class _Go:
    """So many events at once, and so many a second after them."""

    at_once: int
    rate: float


@dataclass(frozen=True)
class _Portion:
    """What is asked of a log: up to `limit` events after one, waiting `wait_s` seconds for the first."""

    after: int
    limit: int
    wait_s: float


class Source:
    """The log: what is due by the clock."""

    def __init__(self) -> None:
        self._pieces = [Piece(1, time.time(), 0.0)]

    def head(self) -> int:
        """The newest event's number."""
        last = self._pieces[-1]
        return last.first - 1 + int((time.time() - last.since) * last.rate)

    async def go(self, args: rpc.Arguments) -> int:
        """Have `at_once` events now and `rate` a second from now on; the newest number after that."""
        given = convert(args, _Go)
        head, at_once, rate = self.head(), given.at_once, given.rate
        self._pieces += [Piece(head + 1, time.time(), 0.0), Piece(head + at_once + 1, time.time(), rate)]
        return head + at_once

    async def events(self, args: rpc.Arguments) -> EventLines:
        """As the ledger's `events`."""
        given = convert(args, _Portion)
        after, until = given.after, time.monotonic() + given.wait_s
        while self.head() <= after and time.monotonic() < until:  # noqa: ASYNC110 - what is due is a matter of the clock
            await asyncio.sleep(0.005)
        head = self.head()
        numbers = range(after + 1, min(head, after + given.limit) + 1)
        return EventLines(events=tuple(map(self._event, numbers)), head=head)

    def _due(self, number: int) -> float:
        piece = next(one for one in reversed(self._pieces) if number >= one.first)
        return piece.since + ((number - piece.first + 1) / piece.rate if piece.rate else 0.0)

    def _event(self, number: int) -> dict[str, object]:
        job, step = divmod(number - 1, PER_JOB)
        at = self._due(number)
        return to_json(Event(number, f"e{number}", at, _event_of_step(f"job-{job:08d}", f"pmc:PMC{job:07d}", step)))


def _event_of_step(job: str, document: str, step: int) -> EventData:
    """The `step`-th thing that happens to a job."""
    if step == 0:
        claimed = ClaimedJob(job, document, "default", job, 1, 1)
        return JobClaimed("w", "compute", "p", "1", 0, 0, STAGES, (claimed,), 30.0, "b", None, None, None)
    if step == PER_JOB - 1:
        return JobCompleted(False, (CompletedJob(job, None),))
    stage = STAGES[(step - 1) // 2]
    if step % 2:
        # Without a moment of its own, so that the event's counts.
        return StageStarted(stage, (job,), 0.0)
    return StageCompleted(stage, 0.0, 0.0, (StageOutput(job, 1.5, 14, None),), "document", "i", None)


async def _serve(path: Path) -> None:
    source = Source()
    server = await rpc.serve(path, {"events": source.events, "go": source.go})
    print("ready", flush=True)
    async with server:
        await asyncio.Event().wait()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("socket", type=Path)
    asyncio.run(_serve(parser.parse_args().socket))


if __name__ == "__main__":
    main()
