"""`medkg-lab new` makes packages whose own tests pass at once, and whose plug-ins the lab finds."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from medkg_lab.cli.main import main
from medkg_lab.scaffold.make import FolderTaken, NameUnusable, Template, make
from medkg_lab.stages.contracts import StageType
from medkg_lab.stages.custom_types import CustomStageType
from medkg_lab.testing import run_pipeline
from tests.packaging.installers import uv

pytestmark = pytest.mark.timeout(300)


def test_each_package_passes_its_own_tests_at_once(tmp_path: Path) -> None:
    names = {"stage": "drop-repeats", "source": "ward-notes", "pipeline": "longer"}
    for what, name in names.items():
        assert main(["new", what, name, "--folder", str(tmp_path)]) == 0
    site = tmp_path / "site"
    packages = [tmp_path / f"medkg-{names[what]}" for what in ("stage", "source")]
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--python", sys.executable, "--target", str(site)]
    subprocess.run([uv(), "pip", "install", *options, *packages], check=True, timeout=200)
    env = {**os.environ, "PYTHONPATH": str(site)}
    folders = [tmp_path / f"medkg-{name}" / "tests" for name in names.values()]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", *folders],
        cwd=tmp_path, env=env, capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    assert "4 passed" in done.stdout
    _the_lab_finds_them(tmp_path, env)


def _the_lab_finds_them(tmp_path: Path, env: dict[str, str]) -> None:
    program = (
        "from medkg_lab.sources.catalog import adapters; from medkg_lab.stages import registry, kinds;"
        "from medkg_lab.stages.contracts import StageType; kind = StageType('DropRepeatsStage');"
        "assert registry.find('drop-repeats.simple').stage_type is kind is StageType('DropRepeatsStage');"
        "assert kinds.INPUT_KINDS[kind] == ('document',) and kinds.OUTPUT_KIND[kind] == 'document';"
        "assert 'ward-notes' in adapters({'ward-notes': {'base_url': 'https://notes.example'}})"
    )
    subprocess.run([sys.executable, "-c", program], env=env, check=True, timeout=100)
    pipeline = tmp_path / "medkg-drop-repeats" / "pipelines" / "drop-repeats.yaml"
    command = [sys.executable, "-m", "medkg_lab.cli.main", "pipeline", "validate", pipeline, "--home", tmp_path / "lab"]
    subprocess.run(command, env=env, check=True, timeout=100, stdout=subprocess.DEVNULL)


def test_nothing_is_overwritten_and_names_are_checked(tmp_path: Path) -> None:
    made = make(Template.STAGE, "tidy", tmp_path)
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in made)
    assert not any("__" in path.name.replace("__init__", "") for path in made)
    with pytest.raises(FolderTaken):
        make(Template.STAGE, "tidy", tmp_path)
    for name in ("Tidy", "../evil", "", "a b", "x" * 50):
        with pytest.raises(NameUnusable):
            make(Template.STAGE, name, tmp_path)


def test_a_type_that_no_package_brings_is_none() -> None:
    with pytest.raises(ValueError, match="NoSuchStage"):
        StageType("NoSuchStage")
    with pytest.raises(ValueError, match="DedupStage"):
        CustomStageType("dedup", ("document",), "document", "")
    with pytest.raises(ValueError, match="kinds"):
        CustomStageType("DedupStage", (), "document", "")


def test_a_pipeline_runs_over_files_in_memory(tmp_path: Path) -> None:
    (tmp_path / "good.txt").write_text("Metformin lowered HbA1c in adults with type 2 diabetes.\n")
    (tmp_path / "bad.json").write_text('{"inventory": [1]}')
    pipeline = Path(__file__).parents[3] / "bundled_pipelines" / "pipelines" / "auto.yaml"
    bad, good = run_pipeline(pipeline, [tmp_path])
    assert (bad.failed_at, type(bad.error).__name__) == ("parse", "NotAStudy")
    assert good.values["kg_receipt"].count == 1
    assert {"document", "chunks", "embeddings", "extraction"} <= good.values.keys()
