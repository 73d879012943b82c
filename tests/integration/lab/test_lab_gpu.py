"""The gpu profile where there is no GPU: the stage fails at once, with what was looked for, and nothing takes its place."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from medkg_lab.gpu.nvml import survey
from tests.labs import TestLab

TRIAL = Path(__file__).parents[3] / "bundled_pipelines" / "demo" / "trials" / "NCT90000001.json"

pytestmark = [
    pytest.mark.timeout(200),
    pytest.mark.skipif(bool(survey().devices), reason="this machine has a GPU"),
]


@pytest.fixture
def lab() -> Iterator[TestLab]:
    folder = Path(tempfile.mkdtemp(prefix="mk", dir="/tmp"))
    made = TestLab(folder / "home", folder / "cache")
    (made.home / "config").mkdir(parents=True)
    (made.home / "config" / "settings.yaml").write_text("profile: gpu\n")
    try:
        made.ok("up")
        yield made
    finally:
        made.run("down")
        shutil.rmtree(folder, ignore_errors=True)


def test_a_gpu_stage_without_its_gpu_fails_at_once(lab: TestLab) -> None:
    done = lab.run("submit", str(TRIAL), "--wait", "--json", "--timeout", "100")
    assert done.code == 5
    [failure] = done.json()["failures"]
    assert failure["kind"] == "gpu_unavailable"
    assert "NVML" in failure["reason"]
    assert "nvidia-smi" in failure["reason"]
    stages = lab.ok("jobs", "show", failure["job_id"])["stages"]
    assert [(one["stage"], one["status"]) for one in stages][-1] == ("embed", "failed")
    assert lab.ok("search", "metformin")["hits"] == []
