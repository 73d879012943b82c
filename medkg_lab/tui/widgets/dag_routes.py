"""How lines run between two layers of boxes: where they bend, and on which track.

A line that goes from one column to another bends on a track, a row of the channel. What makes a picture say something false is
avoided: in a column that lines leave and lines enter, all that leave turn above all that enter; two bends share a track only
if they are all that one column sends out or all that one column takes in; a line that would join a busy column with another
busy one takes a step through a free column between them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from medkg_lab.tui.widgets.dag_layers import Knot, Link


@dataclass(frozen=True)
class Bend:
    """A level piece of `link` from column `start` to column `end`; `step` 1 and 2 are the halves of a link that has two.

    `only_out` and `only_in` say that nothing else leaves the start column, or enters the end column.
    """

    link: Link
    start: int
    end: int
    only_out: bool
    only_in: bool
    step: int = 0

    @property
    def span(self) -> tuple[int, int]:
        """Its columns, the smaller first."""
        return min(self.start, self.end), max(self.start, self.end)

    def touches(self, other: "Bend") -> bool:
        """Whether the two would meet on one track."""
        return self.span[0] <= other.span[1] and other.span[0] <= self.span[1]


def bends(links: Sequence[Link], at: Mapping[Knot, int]) -> list[Bend]:
    """The bends of one channel's links, in an order in which tracks can be given out from the top."""
    out = Counter(link.upper for link in links)
    into = Counter(link.lower for link in links)
    taken = {at[knot] for link in links for knot in (link.upper, link.lower)}
    plan: list[Bend] = []
    for link in links:
        start, end = at[link.upper], at[link.lower]
        if start == end:
            continue
        whole = Bend(link, start, end, out[link.upper] == 1, into[link.lower] == 1)
        plan += [whole] if whole.only_out or whole.only_in else _stepped(whole, taken)
    while True:
        try:
            return _sorted(plan)
        except CycleError as error:
            circle: list[Bend] = error.args[1]
            longest = max((bend for bend in circle if not bend.step), key=lambda bend: abs(bend.end - bend.start))
            place = plan.index(longest)
            plan[place : place + 1] = _stepped(longest, taken)


def _stepped(bend: Bend, taken: set[int]) -> list[Bend]:
    """The same line through a free column, the nearest to its middle; that column is then taken."""
    middle = (bend.start + bend.end) // 2
    free = next(
        column
        for away in range(len(taken) + middle + 2)
        for column in (middle - away, middle + away)
        if column >= 0 and column not in taken
    )
    taken.add(free)
    first = Bend(bend.link, bend.start, free, bend.only_out, True, 1)
    return [first, Bend(bend.link, free, bend.end, True, bend.only_in, 2)]


def _earlier(plan: Sequence[Bend]) -> dict[Bend, list[Bend]]:
    """The bends that must turn above each bend: those that leave the column that it enters, and its own first half."""
    return {bend: [other for other in plan if _is_above(other, bend)] for bend in plan}


def _is_above(other: Bend, bend: Bend) -> bool:
    if other.link == bend.link:
        return other.step < bend.step
    return other.start == bend.end


def _sorted(plan: Sequence[Bend]) -> list[Bend]:
    """Each bend after those that must turn above it, short ones first. Raises CycleError."""
    sorter = TopologicalSorter(_earlier(plan))
    sorter.prepare()
    rank = {bend: (abs(bend.end - bend.start), number) for number, bend in enumerate(plan)}
    result: list[Bend] = []
    ready: list[Bend] = []
    while sorter.is_active():
        ready += sorter.get_ready()
        first = min(ready, key=rank.__getitem__)
        ready.remove(first)
        result.append(first)
        sorter.done(first)
    return result


def tracks(plan: Sequence[Bend]) -> dict[Bend, int]:
    """The track of each bend, from 0 at the top; `plan` is in the order that `bends` gives."""
    earlier = _earlier(plan)
    taken: dict[Bend, int] = {}
    used: list[list[Bend]] = []
    for bend in plan:
        track = 1 + max((taken[other] for other in earlier[bend]), default=-1)
        while track < len(used) and not _fits(bend, used[track]):
            track += 1
        if track == len(used):
            used.append([])
        used[track].append(bend)
        taken[bend] = track
    return taken


def _fits(bend: Bend, track: Sequence[Bend]) -> bool:
    """Whether the bend and all that it would then be joined with are one fork or one join."""
    joined, rest = [bend], list(track)
    while met := [other for other in rest if any(other.touches(one) for one in joined)]:
        joined += met
        rest = [other for other in rest if other not in met]
    fork = all(one.start == bend.start and one.only_in for one in joined)
    return len(joined) == 1 or fork or all(one.end == bend.end and one.only_out for one in joined)
