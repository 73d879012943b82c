"""The measurement of the lane runs through, and says what it promises to say."""

from dataclasses import asdict

import pytest

from medkg_lab.bench.orchestration import Options, measure

pytestmark = [pytest.mark.full, pytest.mark.timeout(600)]


def test_every_part_gives_its_figures_and_the_lab_is_whole_afterwards() -> None:
    parts = ("lane", "empty", "idle", "failures", "gates", "policies", "history")
    found = asdict(measure(Options(work_ms=1.0, jobs=192, pairs=2, history=500, parts=parts)))
    assert found["bench"] == "orchestration"
    assert set(found["machine"]) == {"cores", "cpu"}
    assert all(set(target) == {"name", "value", "target", "met"} for target in found["targets"])
    assert len(found["targets"]) == 4 + 1 + 1 + 1 + 1 + 2
    lane = found["detail"]["lane"]
    assert lane["jobs_through_the_lab"] == 192
    assert set(lane["ratio"]) == {"median", "min", "max"}
    assert {"ledgerd", "engine-compute", "dagsterd", "broker"} <= set(lane["cpu_ms_per_doc"])
    assert lane["claim_to_end"]["n"] == lane["submit_to_end"]["n"] == 192
    assert set(lane["last"]["stage_ms_p50"]) == {
        "ingest",
        "download",
        "parse",
        "chunk",
        "embed",
        "index",
        "extract",
        "kg",
    }
    assert found["detail"]["failures"]["failed"] > 0
    assert found["detail"]["verify"]["ok"] is True
