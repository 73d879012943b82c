"""A graph of stages in layers: which row of boxes a stage stands in, and in which order, so that few lines cross.

Layered drawing after Sugiyama, Tagawa and Toda (1981): layers by longest path, long edges cut into lanes, order by medians.
All of it is pure and deterministic: on a tie the order of the file wins.
"""

from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
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

    Dependencies on what is not a stage are skipped. Raises TopologyCyclic and GraphTooDense.
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


def _ordered(
    rows: Sequence[Sequence[Knot]], links: Sequence[Link], place: Mapping[str, int]
) -> tuple[tuple[Knot, ...], ...]:
    """The order with the fewest crossings that sweeps by medians find, lanes beginning on the left or on the right."""
    near: dict[Knot, list[Knot]] = {knot: [] for row in rows for knot in row}
    for link in links:
        near[link.upper].append(link.lower)
        near[link.lower].append(link.upper)
    best: tuple[int, tuple[tuple[Knot, ...], ...]] = (1 << 30, ())
    for lanes_first in (True, False):
        tried = [sorted(row, key=lambda knot: _start(knot, place, lanes_first)) for row in rows]
        for number in range(_SWEEPS):
            best = min(best, (_crossings(tried, links), tuple(map(tuple, tried))), key=lambda found: found[0])
            inner = list(range(1, len(tried)))
            for layer in inner if number % 2 == 0 else [layer - 1 for layer in inner[::-1]]:
                at = _places(tried[layer - 1 if number % 2 == 0 else layer + 1])
                here = _places(tried[layer])
                weight = {
                    knot: _median([at[other] for other in near[knot] if other in at], here[knot]) for knot in here
                }
                tried[layer].sort(key=lambda knot: (weight[knot], here[knot]))
    return best[1]


def _crossings(rows: Sequence[Sequence[Knot]], links: Sequence[Link]) -> int:
    """How many pairs of links cross."""
    at = {knot: place for row in rows for place, knot in enumerate(row)}
    layer = {knot: number for number, row in enumerate(rows) for knot in row}
    found = 0
    for number in range(len(rows) - 1):
        seen: list[int] = []
        for _, end in sorted((at[link.upper], at[link.lower]) for link in links if layer[link.upper] == number):
            found += len(seen) - bisect_right(seen, end)
            insort(seen, end)
    return found


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
