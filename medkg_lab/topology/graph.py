"""A topology's graph: the order of its stages, and where execution is cut.

All of it is pure and deterministic: ties are broken by the order of the file.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from medkg_lab.stages.contracts import Lane, StageType
from medkg_lab.topology.errors import TopologyCyclic
from medkg_lab.topology.models import StageDefinition, Topology

NETWORK_BOUND = frozenset({StageType.INGEST, StageType.DOWNLOAD})

Graph = Mapping[str, Sequence[str]]
"""The dependencies of each stage by name."""


@dataclass(frozen=True)
class Phase:
    """The part of a pipeline up to a gate: `stages` in order without the gate; `gate` is the one that ends this half."""

    index: int
    name: str
    stages: tuple[str, ...]
    gate: str | None


@dataclass(frozen=True)
class Segment:
    """What one batch runs in one go: `stages` in order without the gate; `gate` is the one that the job waits at afterwards."""

    index: int
    half: int
    lane: Lane
    stages: tuple[str, ...]
    gate: str | None


def dependencies(stages: Iterable[StageDefinition]) -> dict[str, tuple[str, ...]]:
    """The graph of `stages`, in their order."""
    return {stage.name: stage.depends_on for stage in stages}


def sort(graph: Graph) -> tuple[str, ...]:
    """The names so that each comes after its dependencies, otherwise as they are given. Raises TopologyCyclic."""
    rank = {name: place for place, name in enumerate(graph)}
    sorter = TopologicalSorter(graph)
    try:
        sorter.prepare()
    except CycleError:
        raise TopologyCyclic(cycle=" -> ".join(cycles(graph)[0])) from None
    ready: list[str] = []
    result: list[str] = []
    while sorter.is_active():
        ready.extend(sorter.get_ready())
        first = min(ready, key=rank.__getitem__)
        ready.remove(first)
        result.append(first)
        sorter.done(first)
    return tuple(result)


def cycles(graph: Graph) -> list[tuple[str, ...]]:
    """Circles of dependencies, each as the names in flow order with the first repeated at the end; no name is in two of them."""
    left = {name: [other for other in needs if other in graph] for name, needs in graph.items()}
    found: list[tuple[str, ...]] = []
    while left := _only_circular(left):
        walk = [next(iter(left))]
        while (following := left[walk[-1]][0]) not in walk:
            walk.append(following)
        circle = walk[walk.index(following) :]
        found.append((following, *reversed(circle)))
        left = {name: needs for name, needs in left.items() if name not in circle}
    return found


def _only_circular(graph: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    left = {name: [other for other in needs if other in graph] for name, needs in graph.items()}
    while done := [name for name, needs in left.items() if not needs]:
        for name in done:
            del left[name]
        left = {name: [other for other in needs if other in left] for name, needs in left.items()}
    return left


def ancestors(graph: Graph) -> dict[str, frozenset[str]]:
    """All that each stage depends on, directly or not. Raises TopologyCyclic."""
    result: dict[str, frozenset[str]] = {}
    for name in sort(graph):
        result[name] = frozenset(graph[name]).union(*(result[other] for other in graph[name]))
    return result


def order(topology: Topology) -> tuple[str, ...]:
    """All stages and gates so that each comes after what it depends on. Raises TopologyCyclic."""
    return sort(dependencies(topology.stages))


def phases(topology: Topology) -> tuple[Phase, ...]:
    """Cut a topology at its gates: a stage is in the earliest half that all gates before it allow.

    Half 0 is named like the pipeline with `_` for `-`, the next `<name>__post`, then `<name>__post2` and so on.
    """
    sequence = order(topology)
    gates = [name for name in sequence if topology.stage(name).is_gate]
    part = parts(dependencies(topology.stages), gates)
    base = topology.name.replace("-", "_")
    return tuple(
        Phase(
            index,
            base + _suffix(index),
            tuple(name for name in sequence if part[name] == index and name not in gates),
            gate,
        )
        for index, gate in enumerate([*gates, None])
    )


def parts(graph: Graph, gates: Sequence[str]) -> dict[str, int]:
    """The index of each name's half when `gates`, in an order that the graph allows, are passed one after the other.

    A gate is in the half that it ends. Raises TopologyCyclic.
    """
    place = {gate: index for index, gate in enumerate(gates)}
    before = ancestors(graph)
    return {
        name: place[name]
        if name in place
        else max((place[other] + 1 for other in before[name] if other in place), default=0)
        for name in graph
    }


def _suffix(index: int) -> str:
    return "" if index == 0 else "__post" if index == 1 else f"__post{index}"


def segments(topology: Topology, offline: bool) -> tuple[Segment, ...]:
    """Cut each half where its network-bound stages end, so that waiting for the network never delays what computes.

    With `offline` (the submission's bytes are known) nothing needs the network: each half is one segment that computes.
    """
    result: list[Segment] = []
    for half in phases(topology):
        runs = [(Lane.COMPUTE, half.stages)] if offline else _runs(topology, half.stages)
        for place, (lane, stages) in enumerate(runs, start=1):
            gate = half.gate if place == len(runs) else None
            result.append(Segment(len(result), half.index, lane, stages, gate))
    return tuple(result)


def _runs(topology: Topology, stages: Sequence[str]) -> list[tuple[Lane, tuple[str, ...]]]:
    """Group a half's stages into the fewest runs of one lane that respect dependencies, network first."""
    level: dict[str, int] = {}
    for name in stages:
        stage = topology.stage(name)
        # Even levels are the network's, odd ones compute, so each stage takes the first level of its lane after its dependencies.
        wanted = 0 if stage.type in NETWORK_BOUND else 1
        after = max((level[other] for other in stage.depends_on if other in level), default=wanted)
        level[name] = after + (after % 2 != wanted)
    return [
        (Lane.COMPUTE if step % 2 else Lane.NETWORK, tuple(name for name in stages if level[name] == step))
        for step in sorted(set(level.values()))
    ] or [(Lane.COMPUTE, ())]
