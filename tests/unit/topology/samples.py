"""Pipelines for tests: drawn at random, and small YAML texts."""

from hypothesis import strategies as st

from medkg_lab.stages.contracts import StageType
from medkg_lab.topology.models import GateCondition, StageDefinition, Topology

CONDITION = GateCondition(ledger_field="pdf_ir_ready", equals=True)

HEAD = 'version: "1.0"\nname: sample\nstages:\n'
INGEST = "  - {name: ingest, type: IngestStage}\n"
PARSE = "  - {name: parse, type: ParseStage, depends_on: [ingest]}\n"
CHUNK = "  - {name: chunk, type: ChunkStage, depends_on: [parse]}\n"
GOOD = HEAD + INGEST + PARSE + CHUNK


@st.composite
def topologies(draw: st.DrawFn) -> Topology:
    """Any acyclic graph of up to 12 stages of all types, gates among them, in any order in the file."""
    count = draw(st.integers(1, 12))
    stages = []
    for index in range(count):
        needs = draw(st.sets(st.integers(0, index - 1), max_size=3)) if index else set()
        kind = draw(st.sampled_from(list(StageType)))
        condition = CONDITION if kind is StageType.GATE else None
        names = tuple(f"s{need}" for need in sorted(needs))
        stages.append(StageDefinition(name=f"s{index}", type=kind, depends_on=names, condition=condition))
    return Topology(version="1.0", name="drawn-pipe", stages=tuple(draw(st.permutations(stages))))
