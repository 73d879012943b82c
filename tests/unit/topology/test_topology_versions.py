"""Versions follow content and nothing else."""

from hypothesis import given

from medkg_lab.topology.loader import load_topology
from medkg_lab.topology.models import Topology
from medkg_lab.topology.versions import content_version, from_json, to_json, version_of

from .samples import GOOD, topologies


@given(topologies())
def test_json_goes_there_and_back(topology: Topology) -> None:
    text = to_json(topology)
    assert from_json(text) == topology
    assert to_json(from_json(text)) == text


@given(topologies(), topologies())
def test_equal_versions_mean_equal_content(one: Topology, other: Topology) -> None:
    assert (version_of(one) == version_of(other)) == (one == other)


def test_the_form_of_a_version() -> None:
    version = version_of(load_topology(GOOD))
    author, _, content = version.partition("+")
    assert author == "1.0"
    assert len(content) == 12
    assert int(content, 16) >= 0
    assert content == content_version(load_topology(GOOD))


def test_layout_comments_and_written_defaults_do_not_matter() -> None:
    same = "# a comment\n" + GOOD.replace("{name: parse,", "{policy: default, name: parse,   ")
    assert version_of(load_topology(same)) == version_of(load_topology(GOOD))
    assert version_of(load_topology(GOOD.replace("chunk", "cut"))) != version_of(load_topology(GOOD))
