"""What a condition may skip, and who would miss it."""

import pytest

from medkg_lab.topology.loader import load_topology
from medkg_lab.topology.render import warnings
from tests.unit.topology.samples import HEAD, INGEST, PARSE

CHUNK = "  - {name: chunk, type: ChunkStage, depends_on: [parse]IF}\n"
EXTRACT = "  - {name: extract, type: ExtractStage, depends_on: [chunk]IF}\n"
KG = "  - {name: kg, type: KGStage, depends_on: [extract]IF}\n"
WANTED = ", condition: {ledger_field: wanted, equals: true}"
OTHER = ", condition: {ledger_field: wanted, equals: false}"


def found(chunk: str, extract: str, kg: str) -> list[str]:
    parts = ((CHUNK, chunk), (EXTRACT, extract), (KG, kg))
    stages = "".join(text.replace("IF", condition) for text, condition in parts)
    return [warning.partition(",")[0] for warning in warnings(load_topology(HEAD + INGEST + PARSE + stages))]


KG_LACKS, EXTRACT_LACKS = "'kg' needs the extraction of 'extract'", "'extract' needs the chunks of 'chunk'"


@pytest.mark.parametrize(
    ("chunk", "extract", "kg", "expected"),
    [
        ("", "", "", []),
        ("", WANTED, "", [KG_LACKS]),
        ("", WANTED, WANTED, []),
        ("", WANTED, OTHER, [KG_LACKS]),
        ("", "", WANTED, []),
        (WANTED, "", "", [EXTRACT_LACKS]),
        (WANTED, OTHER, "", [EXTRACT_LACKS, KG_LACKS]),
        (WANTED, WANTED, WANTED, []),
    ],
)
def test_whoever_needs_what_may_be_skipped_is_named(chunk: str, extract: str, kg: str, expected: list[str]) -> None:
    assert found(chunk, extract, kg) == expected


def test_one_that_is_always_made_before_suffices() -> None:
    again = "  - {name: again, type: ExtractStage, depends_on: [extract]" + WANTED + "}\n"
    chunks = CHUNK.replace("IF", "") + EXTRACT.replace("IF", "") + again + KG.replace("[extract]IF", "[again]")
    assert warnings(load_topology(HEAD + INGEST + PARSE + chunks)) == []


def test_the_warning_says_when_and_what_helps() -> None:
    text = HEAD + INGEST + PARSE + CHUNK.replace("IF", "") + EXTRACT.replace("IF", WANTED) + KG.replace("IF", "")
    (warning,) = warnings(load_topology(text))
    assert "skipped unless wanted = true" in warning
    assert warning.endswith("Give 'kg' the same condition.")
