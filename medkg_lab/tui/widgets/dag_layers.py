"""A graph of stages in layers: which row of boxes a stage stands in, in which slot of the row, and where long edges pass.

The layers are by longest path. In a layer a stage stands below the middle one of those that it depends on, or in the next free
slot right of it, so that a chain is straight. All of it is pure and deterministic: on a tie the order of the file wins.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from medkg_lab.errors import LabError
from medkg_lab.topology.graph import Graph, sort

MAX_PASSED = 1500
"""So many layers that edges pass in all are laid out at once; in a pipeline that a person can read they are a few dozen."""

Edge = tuple[str, str]
"""From a stage to one that depends on it."""


class GraphTooDense(LabError):
    """{stages} stages with {edges} dependencies are too dense to draw. `medkg-lab pipeline graph` lists them in order."""


@dataclass(frozen=True)
class Layers:
    """The stages of each layer from left to right, the slot of each stage, and the edges in the order of the file."""

    rows: tuple[tuple[str, ...], ...]
    slots: Mapping[str, int]
    edges: tuple[Edge, ...]

    def rank(self) -> dict[str, int]:
        """The number of each stage's layer."""
        return {name: number for number, row in enumerate(self.rows) for name in row}


def layers(graph: Graph) -> Layers:
    """Put the stages of `graph` into layers and slots.

    Dependencies on what is not a stage are skipped. Raises TopologyCyclic and GraphTooDense.
    """
    known = {name: [other for other in needs if other in graph] for name, needs in graph.items()}
    rank = _ranks(known)
    edges = tuple((other, name) for name, needs in known.items() for other in needs)
    if sum(rank[lower] - rank[upper] - 1 for upper, lower in edges) > MAX_PASSED:
        raise GraphTooDense(stages=len(known), edges=len(edges))
    slots: dict[str, int] = {}
    rows: list[tuple[str, ...]] = []
    for number in range(max(rank.values(), default=-1) + 1):
        row = [name for name in known if rank[name] == number]
        wanted = {name: _wanted([slots[other] for other in known[name]], len(known)) for name in row}
        row.sort(key=wanted.__getitem__)
        free = 0
        for name in row:
            slots[name] = max(free, wanted[name] if known[name] else free)
            free = slots[name] + 1
        rows.append(tuple(row))
    return Layers(tuple(rows), slots, edges)


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


def _wanted(slots: Sequence[int], last: int) -> int:
    """The middle one of the slots, the left one of two; a stage that depends on nothing stands at the end of its row."""
    return sorted(slots)[(len(slots) - 1) // 2] if slots else last


def lanes(made: Layers, columns: Mapping[str, int], taken: Sequence[Sequence[range]]) -> dict[Edge, int]:
    """The column in which each edge that passes layers does so: the free one that is nearest to its upper stage.

    `columns` are those of the stages' lines, and `taken` the columns that each layer's boxes take, with the room around them.
    """
    rank = made.rank()
    used: list[set[int]] = [set() for _ in made.rows]
    found: dict[Edge, int] = {}
    for upper, lower in sorted(made.edges, key=lambda edge: rank[edge[1]] - rank[edge[0]]):
        passed = range(rank[upper] + 1, rank[lower])
        if not passed:
            continue
        near = (columns[upper] + side * away for away in count() for side in (1, -1))
        column = next(
            x
            for x in near
            if x >= 0 and not any(x in used[layer] or any(x in box for box in taken[layer]) for layer in passed)
        )
        found[upper, lower] = column
        for layer in passed:
            used[layer].add(column)
    return found
