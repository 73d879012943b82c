"""Which event of a damaged ledger is taken from where: pure."""

from collections.abc import Sequence
from dataclasses import dataclass

Range = tuple[int, int]
"""First and last number."""


@dataclass(frozen=True, slots=True)
class Source:
    """Something that has events: SQL to read them from, and which they are, as ranges in order."""

    name: str
    relation: str
    ranges: tuple[Range, ...]


@dataclass(frozen=True, slots=True)
class RecoveredRange:
    """A stretch of events and where it is taken from."""

    source: Source
    first: int
    last: int


def plan(sources: Sequence[Source], start: int) -> list[RecoveredRange]:
    """Take events from `start` on without a gap, as far as it goes; of several sources that have an event, the first."""
    taken: list[RecoveredRange] = []
    following = start
    while found := _with(sources, following):
        source, last = found
        # A later source gives way to an earlier one as soon as that has events again.
        ahead = [first for each in sources[: sources.index(source)] for first, _ in each.ranges if first > following]
        last = min([last, *(first - 1 for first in ahead)])
        taken.append(RecoveredRange(source, following, last))
        following = last + 1
    return taken


def _with(sources: Sequence[Source], seq: int) -> tuple[Source, int] | None:
    for source in sources:
        for first, last in source.ranges:
            if first <= seq <= last:
                return source, last
    return None


def beyond(sources: Sequence[Source], head: int) -> list[RecoveredRange]:
    """The stretches after a gap: there, but of no use."""
    return [
        RecoveredRange(source, max(first, head + 1), last)
        for source in sources
        for first, last in source.ranges
        if last > head
    ]
