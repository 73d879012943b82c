"""The format's published example loads as it stands."""

from pathlib import Path

from medkg_lab.stages.contracts import Lane, StageType
from medkg_lab.topology.graph import Phase, Segment, order, phases, segments
from medkg_lab.topology.loader import load_topology

ORIGINAL = Path(__file__).parent / "data" / "pdf-two-phase-original.yaml"
POST = ("chunk", "embed", "index", "extract", "kg")


def test_it_loads_with_the_gates_dependency_filled_in() -> None:
    topology = load_topology(ORIGINAL)
    gate = topology.stage("pdf_gate")
    assert gate.type is StageType.GATE
    assert gate.depends_on == ("download_pdf",)
    assert gate.policy == "default"
    assert gate.resume_stage == "chunk"
    assert gate.condition is not None
    assert (gate.condition.ledger_field, gate.condition.equals) == ("pdf_ir_ready", True)
    assert topology.applicable_sources == ("pmc-fulltext", "unpaywall", "core")
    assert order(topology) == ("ingest", "download_pdf", "pdf_gate", *POST)


def test_it_is_cut_at_the_gate() -> None:
    topology = load_topology(ORIGINAL)
    assert phases(topology) == (
        Phase(0, "pdf_two_phase", ("ingest", "download_pdf"), "pdf_gate"),
        Phase(1, "pdf_two_phase__post", POST, None),
    )
    assert segments(topology, offline=False) == (
        Segment(0, 0, Lane.NETWORK, ("ingest", "download_pdf"), "pdf_gate"),
        Segment(1, 1, Lane.COMPUTE, POST, None),
    )
    assert segments(topology, offline=True)[0] == Segment(0, 0, Lane.COMPUTE, ("ingest", "download_pdf"), "pdf_gate")


def test_the_bundled_pipeline_of_that_name_has_the_same_shape() -> None:
    bundled = load_topology(Path(__file__).parents[3] / "bundled_pipelines" / "pipelines" / "pdf-two-phase.yaml")
    original = load_topology(ORIGINAL)
    assert phases(bundled) == phases(original)
    assert bundled.applicable_sources == original.applicable_sources
    assert [(s.name, s.type, s.depends_on) for s in bundled.stages] == [
        (s.name, s.type, s.depends_on) for s in original.stages
    ]
