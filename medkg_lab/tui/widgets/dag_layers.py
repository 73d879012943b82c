"""A graph of stages in layers: which row of boxes a stage stands in, and in which order, so that few lines cross.

Layered drawing after Sugiyama, Tagawa and Toda (1981): layers by longest path, long edges cut into lanes, order by medians.
All of it is pure and deterministic: on a tie the order of the file wins.
"""

from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import pairwise, product
from typing import NamedTuple

from medkg_lab.errors import LabError
from medkg_lab.topology.graph import Graph, sort

MAX_LANES = 1500
"""So many lanes are laid out in about a second; a pipeline that a person can read has a few dozen."""
_SWEEPS = 12

Edge = tuple[str, str]
"""From a stage to one that depends on it."""


class GraphTooDense(LabError):
    """{stages} stages with {edges} dependencies are too dense to draw. `medkg-lab pipeline graph` lists them in order."""


class Lane(NamedTuple):
    """Where an edge passes a layer that it neither starts nor ends in."""

    edge: Edge
    layer: int


Knot = str | Lane
"""What stands in a layer: a stage by its name, or a lane."""


class Link(NamedTuple):
    """The part of an edge between two neighbouring layers."""

    upper: Knot
    lower: Knot
    edge: Edge


@dataclass(frozen=True)
class Layers:
    """The knots of each layer from left to right, and the links between layers."""

    knots: tuple[tuple[Knot, ...], ...]
    links: tuple[Link, ...]


def layers(graph: Graph) -> Layers:
    """Put the stages of `graph` into layers and order them.

    Dependencies on what is no stage are left out. Raises TopologyCyclic and GraphTooDense.
    """
    known = {name: [other for other in needs if other in graph] for name, needs in graph.items()}
    rank = _ranks(known)
    edges = [(other, name) for name, needs in known.items() for other in needs]
    if sum(rank[lower] - rank[upper] - 1 for upper, lower in edges) > MAX_LANES:
        raise GraphTooDense(stages=len(known), edges=len(edges))
    rows: list[list[Knot]] = [[] for _ in range(max(rank.values(), default=-1) + 1)]
    for name in known:
        rows[rank[name]].append(name)
    links: list[Link] = []
    for edge in edges:
        lanes = [Lane(edge, layer) for layer in range(rank[edge[0]] + 1, rank[edge[1]])]
        for lane in lanes:
            rows[lane.layer].append(lane)
        chain: list[Knot] = [edge[0], *lanes, edge[1]]
        links += [Link(upper, lower, edge) for upper, lower in pairwise(chain)]
    place = {name: number for number, name in enumerate(known)}
    return Layers(_ordered(rows, links, place), tuple(links))


def _ranks(graph: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Longest path from the sources; a source whose followers are all far down stands just above the nearest."""
    rank: dict[str, int] = {}
    for name in sort(graph):
        rank[name] = max((rank[other] + 1 for other in graph[name]), default=0)
    for name, needs in graph.items():
        followers = [rank[other] for other, theirs in graph.items() if name in theirs]
        if not needs and followers:
            rank[name] = min(followers) - 1
    return rank


class _Ordering:
    """Layers whose order is being improved."""

    def __init__(self, rows: list[list[Knot]], links: Sequence[Link]) -> None:
        self.rows = rows
        self.above: dict[Knot, list[Knot]] = {knot: [] for row in rows for knot in row}
        self.below: dict[Knot, list[Knot]] = {knot: [] for row in rows for knot in row}
        for link in links:
            self.below[link.upper].append(link.lower)
            self.above[link.lower].append(link.upper)

    def crossings(self) -> int:
        """How many pairs of links cross."""
        found = 0
        for number in range(len(self.rows) - 1):
            at = _places(self.rows[number + 1])
            seen: list[int] = []
            for knot in self.rows[number]:
                ends = [at[other] for other in self.below[knot]]
                found += sum(len(seen) - bisect_right(seen, end) for end in ends)
                for end in ends:
                    insort(seen, end)
        return found

    def sweep(self, down: bool) -> None:
        """Order each layer by the medians of its neighbours in the layer before it."""
        numbers = range(1, len(self.rows)) if down else range(len(self.rows) - 2, -1, -1)
        near = self.above if down else self.below
        for number in numbers:
            at = _places(self.rows[number - 1 if down else number + 1])
            here = _places(self.rows[number])
            weight = {knot: _median([at[other] for other in near[knot]], here[knot]) for knot in here}
            ranked = {knot: (weight[knot], here[knot]) for knot in here}
            self.rows[number].sort(key=ranked.__getitem__)

    def swapped(self) -> "_Ordering":
        """A copy with neighbours swapped where that removes crossings."""
        other = copy(self)
        other.rows = [list(row) for row in self.rows]
        other._swap()
        return other

    def _swap(self) -> None:
        for number, row in enumerate(self.rows):
            up = _places(self.rows[number - 1]) if number else {}
            down = _places(self.rows[number + 1]) if number + 1 < len(self.rows) else {}
            for left in range(len(row) - 1):
                one, other = row[left], row[left + 1]
                if self._between(one, other, up, down) > self._between(other, one, up, down):
                    row[left], row[left + 1] = other, one

    def _between(self, left: Knot, right: Knot, up: Mapping[Knot, int], down: Mapping[Knot, int]) -> int:
        above = sum(up[a] > up[b] for a in self.above[left] for b in self.above[right])
        return above + sum(down[a] > down[b] for a in self.below[left] for b in self.below[right])


def _ordered(
    rows: Sequence[Sequence[Knot]], links: Sequence[Link], place: Mapping[str, int]
) -> tuple[tuple[Knot, ...], ...]:
    """The order with the fewest crossings, from four beginnings: lanes on the left or right, sweeping down or up first."""
    best: tuple[int, tuple[tuple[Knot, ...], ...]] | None = None
    for lanes_first, down_first in product((True, False), repeat=2):
        work = _Ordering([sorted(row, key=lambda knot: _start(knot, place, lanes_first)) for row in rows], links)
        for number in range(_SWEEPS):
            if number:
                work.sweep(down=(number % 2 == 1) == down_first)
            # Swapped on a copy: medians of a swapped order lead back to the same place, those of the unswapped one go on.
            for tried in (work, work.swapped()):
                found = tried.crossings()
                if best is None or found < best[0]:
                    best = found, tuple(tuple(row) for row in tried.rows)
                if found == 0:
                    return best[1]
    return best[1] if best is not None else ()


def _start(knot: Knot, place: Mapping[str, int], lanes_first: bool) -> tuple[bool, int]:
    is_lane = isinstance(knot, Lane)
    return is_lane != lanes_first, place[knot.edge[0] if isinstance(knot, Lane) else knot]


def _places(row: Sequence[Knot]) -> dict[Knot, int]:
    return {knot: place for place, knot in enumerate(row)}


def _median(places: Sequence[int], otherwise: int) -> float:
    ordered = sorted(places)
    if not ordered:
        return otherwise
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
