"""Order, halves and segments, for any acyclic graph."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.stages.contracts import Lane, StageType
from medkg_lab.topology.errors import TopologyCyclic
from medkg_lab.topology.graph import NETWORK_BOUND, ancestors, cycles, dependencies, order, phases, segments, sort
from medkg_lab.topology.models import StageDefinition, Topology

from .samples import CONDITION, topologies


@given(topologies())
def test_order_respects_dependencies_and_is_deterministic(topology: Topology) -> None:
    names = order(topology)
    assert sorted(names) == sorted(stage.name for stage in topology.stages)
    for stage in topology.stages:
        assert all(names.index(need) < names.index(stage.name) for need in stage.depends_on)
    assert names == order(topology)


def test_ties_are_broken_by_the_order_of_the_file() -> None:
    assert sort({"z": (), "a": (), "m": ("a",), "b": ("z",)}) == ("z", "a", "m", "b")


@given(topologies(), st.booleans())
def test_segments_cover_every_stage_once_in_a_valid_order(topology: Topology, offline: bool) -> None:
    passed: list[str] = []
    for segment in segments(topology, offline):
        passed += segment.stages
        passed += [segment.gate] if segment.gate else []
    assert sorted(passed) == sorted(stage.name for stage in topology.stages)
    for stage in topology.stages:
        assert all(passed.index(need) < passed.index(stage.name) for need in stage.depends_on)


@given(topologies(), st.booleans())
def test_a_gate_ends_its_segment_and_its_half(topology: Topology, offline: bool) -> None:
    parts = segments(topology, offline)
    gates = [stage.name for stage in topology.stages if stage.is_gate]
    assert sorted(part.gate for part in parts if part.gate) == sorted(gates)
    assert not any(name in gates for part in parts for name in part.stages)
    before = ancestors(dependencies(topology.stages))
    for part in parts:
        if part.gate:
            later = {name for other in parts if other.half > part.half for name in (*other.stages, other.gate)}
            assert {name for name in before if part.gate in before[name]} <= later
    for one, two in pairwise(parts):
        assert (one.gate is None) == (one.half == two.half)
    assert [part.index for part in parts] == list(range(len(parts)))


@given(topologies())
def test_a_stage_waits_for_no_gate_that_it_does_not_need(topology: Topology) -> None:
    before = ancestors(dependencies(topology.stages))
    found = phases(topology)
    gates = [half.gate for half in found]
    for half in found:
        for name in half.stages:
            needed = [gates.index(other) for other in before[name] if other in gates]
            assert half.index == max((place + 1 for place in needed), default=0)


@given(topologies())
def test_lanes_follow_the_stage_types(topology: Topology) -> None:
    for part in segments(topology, offline=False):
        for name in part.stages:
            assert (part.lane is Lane.NETWORK) == (topology.stage(name).type in NETWORK_BOUND)
    for part in segments(topology, offline=True):
        assert part.lane is Lane.COMPUTE
    assert len(segments(topology, offline=True)) == len(phases(topology))


@given(topologies())
def test_halves_are_named_after_the_pipeline(topology: Topology) -> None:
    names = [half.name for half in phases(topology)]
    expected = ["drawn_pipe", "drawn_pipe__post", *(f"drawn_pipe__post{n}" for n in range(2, 20))]
    assert names == expected[: len(names)]


def test_network_and_compute_alternate_as_dependencies_ask() -> None:
    def stage(name: str, kind: StageType, *needs: str) -> StageDefinition:
        return StageDefinition(name=name, type=kind, depends_on=needs)

    topology = Topology(
        version="1.0",
        name="mixed",
        stages=(
            stage("ingest", StageType.INGEST),
            stage("parse", StageType.PARSE, "ingest"),
            stage("download", StageType.DOWNLOAD, "parse"),
            stage("also", StageType.DOWNLOAD, "ingest"),
            stage("chunk", StageType.CHUNK, "download"),
        ),
    )
    assert [(part.lane, part.stages) for part in segments(topology, offline=False)] == [
        (Lane.NETWORK, ("ingest", "also")),
        (Lane.COMPUTE, ("parse",)),
        (Lane.NETWORK, ("download",)),
        (Lane.COMPUTE, ("chunk",)),
    ]


@given(st.dictionaries(st.integers(0, 9), st.lists(st.integers(0, 9), max_size=3), max_size=10))
def test_cycles_are_found_exactly_when_there_are_any(drawn: dict[int, list[int]]) -> None:
    graph = {f"s{name}": [f"s{need}" for need in needs if need in drawn] for name, needs in drawn.items()}
    found = cycles(graph)
    for circle in found:
        assert circle[0] == circle[-1]
        assert all(one in graph[two] for one, two in pairwise(circle))
    if found:
        with pytest.raises(TopologyCyclic, match="->"):
            sort(graph)
    else:
        assert len(sort(graph)) == len(graph)


def test_a_gate_that_follows_a_gate() -> None:
    gates = tuple(StageDefinition(name=name, type=StageType.GATE, condition=CONDITION) for name in ("one", "two"))
    found = segments(Topology(version="1.0", name="g", stages=gates), offline=False)
    assert [(part.half, part.stages, part.gate) for part in found] == [(0, (), "one"), (1, (), "two"), (2, (), None)]
