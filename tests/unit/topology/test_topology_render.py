"""The plain-text picture of a pipeline."""

from pathlib import Path

from hypothesis import given

from medkg_lab.topology.loader import load_topology
from medkg_lab.topology.models import Topology
from medkg_lab.topology.render import render_text

from .samples import topologies

ORIGINAL = Path(__file__).parent / "data" / "pdf-two-phase-original.yaml"


@given(topologies())
def test_every_stage_has_one_line(topology: Topology) -> None:
    lines = render_text(topology).splitlines()
    for stage in topology.stages:
        assert sum(line.split()[1:2] == [stage.name] and line.startswith("  ") for line in lines) == 1


def test_the_published_example() -> None:
    text = render_text(load_topology(ORIGINAL))
    assert "[0] network" in text
    assert "[1] compute" in text
    assert "◇ pdf_gate      Gate  waits until pdf_ir_ready = true\n" in text
    assert "after" not in text
    assert text.index("pdf_gate") < text.index("[1] compute") < text.index("chunk")


def test_branches_say_what_they_follow() -> None:
    original = load_topology(ORIGINAL)
    kg = original.stage("kg").model_copy(update={"depends_on": ("extract", "index")})
    branched = original.model_copy(update={"stages": (*original.stages[:-1], kg)})
    assert "after extract, index" in render_text(branched)
