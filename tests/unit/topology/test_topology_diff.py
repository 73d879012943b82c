"""Differences between two versions of a pipeline."""

from hypothesis import given

from medkg_lab.topology.diff import Change, diff
from medkg_lab.topology.loader import load_topology
from medkg_lab.topology.models import Topology

from .samples import CHUNK, GOOD, topologies


@given(topologies(), topologies())
def test_there_are_changes_exactly_when_content_differs(one: Topology, other: Topology) -> None:
    assert diff(one, one) == []
    same_set = {s.name: s for s in one.stages} == {s.name: s for s in other.stages}
    assert bool(diff(one, other)) == (not same_set)


def test_every_sort_of_change() -> None:
    old = load_topology(GOOD)
    new = load_topology(
        GOOD.replace('"1.0"', '"1.1"')
        .replace(CHUNK, "  - {name: cut, type: ChunkStage, depends_on: [parse]}\n")
        .replace("{name: parse", "{name: parse, policy: local")
    )
    changes = diff(old, new)
    assert changes == [
        Change("changed", None, "version", "1.0", "1.1"),
        Change("removed", "chunk"),
        Change("added", "cut"),
        Change("changed", "parse", "policy", "default", "local"),
    ]
    assert [str(change) for change in changes] == [
        "pipeline: version '1.0' -> '1.1'",
        "stage chunk removed",
        "stage cut added",
        "stage parse: policy 'default' -> 'local'",
    ]


def test_dependencies_and_options() -> None:
    old = load_topology(GOOD)
    stage = old.stage("chunk").model_copy(update={"depends_on": ("parse", "ingest"), "with_": {"a": 1}})
    new = old.model_copy(update={"stages": (*old.stages[:2], stage)})
    assert {(change.field, str(change.after)) for change in diff(old, new)} == {
        ("depends_on", "['parse', 'ingest']"),
        ("with", "{'a': 1}"),
    }
