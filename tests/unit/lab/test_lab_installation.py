"""What is not installed is told before the first job fails, and by the job with its kind."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from medkg_lab.engine.stage_factory import StageFactory
from medkg_lab.knowledge.errors import FaissMissing
from medkg_lab.lab.doctor import examine
from medkg_lab.lab.facade import Lab
from medkg_lab.lab.installation import missing_parts
from medkg_lab.stages import registry
from medkg_lab.stages.contracts import StageType
from medkg_lab.stages.embed.implementation import MINILM
from medkg_lab.stages.registry import Package, PackageMissing, Resources
from medkg_lab.topology.models import StageDefinition


def test_nothing_is_missing_here(tmp_path: Path) -> None:
    assert missing_parts(Lab.at(tmp_path)) == []


@pytest.mark.parametrize("package", MINILM.packages, ids=lambda one: one.module)
def test_a_missing_package_is_told_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: Package
) -> None:
    monkeypatch.setattr(Package, "is_installed", lambda self: self.module != package.module)
    lab = Lab.at(tmp_path)
    (sentence,) = missing_parts(lab)
    assert package.install in sentence
    found = {one.name: one for one in examine(lab.locations, lab.settings)}[f"package {package.module}"]
    assert (found.ok, package.install in found.remedy) == (False, True)
    profile = lab.catalog.profile("cpu")
    with pytest.raises(PackageMissing) as caught:
        StageFactory(Resources(cache=tmp_path)).stage(StageDefinition(name="embed", type=StageType.EMBED), profile)
    assert caught.value.failure_kind == "not_configured"


def test_the_remedies_need_no_checkout() -> None:
    assert registry.find("minilm.onnx").packages[-1].install == "pip install medkg-lab-minilm"
    assert not any(".lock" in package.install for package in MINILM.packages)


def test_the_knowledge_process_says_that_faiss_is_missing(short_tmp: Path) -> None:
    program = (
        "import sys; sys.modules['faiss'] = None; from medkg_lab import process; from medkg_lab.knowledge.__main__ import main; "
        "process.run('knowledge', main)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "--home", str(short_tmp)],
        capture_output=True,
        text=True,
        timeout=100,
        env={"MEDKG_LAB_SUPERVISED": "1", "PATH": "/usr/bin:/bin"},
        check=False,
    )
    assert done.returncode == FaissMissing.exit_code == 78
    assert "pip install --force-reinstall faiss-cpu" in json.loads(done.stdout)["failed"]["message"]
    assert "Traceback" not in done.stderr
