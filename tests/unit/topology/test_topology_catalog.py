"""Definitions by name: bundled, overlaid, and read again when a file changes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import medkg_lab
from medkg_lab.locations import Locations, locate
from medkg_lab.resilience.errors import UnknownPolicy
from medkg_lab.stages.contracts import StageType
from medkg_lab.topology import bundled
from medkg_lab.topology.catalog import Catalog
from medkg_lab.topology.errors import (
    NoPipelineForSource,
    PipelineAmbiguous,
    PolicyFileInvalid,
    ProfileInvalid,
    TopologyInvalid,
    UnknownPipeline,
    UnknownProfile,
)
from medkg_lab.topology.profiles import Profile, StageChoice

from .samples import GOOD

POLICY = "policies:\n  - {name: NAME, max_attempts: 2, backoff_strategy: none, timeout_seconds: 7}\n"


@pytest.fixture
def locations(tmp_path: Path) -> Locations:
    return locate(tmp_path / "lab")


def write(path: Path, text: str) -> None:
    """Write a file whose time differs from that of the version before, however coarse the file system's clock is."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    if before:
        os.utime(path, ns=(before + 1_000_000, before + 1_000_000))


def test_the_bundled_definitions_are_sound(locations: Locations) -> None:
    catalog = Catalog(locations)
    assert set(catalog.topologies()) == {"auto", "pdf-two-phase", "expand"}
    assert catalog.invalid() == {}
    assert {"default", "polite-api", "gpu-bound", "local-io"} <= set(catalog.policies().names)
    assert set(catalog.profiles()) == {"cpu", "gpu"}


@pytest.mark.parametrize(
    ("source", "media_type", "pipeline"),
    [
        ("clinicaltrials", None, "auto"),
        ("pmc", "application/xml", "auto"),
        ("file", "application/json", "auto"),
        ("file", "application/pdf", "pdf-two-phase"),
        ("unpaywall", None, "pdf-two-phase"),
        ("core", "application/pdf", "pdf-two-phase"),
    ],
)
def test_pipelines_by_source(locations: Locations, source: str, media_type: str | None, pipeline: str) -> None:
    assert Catalog(locations).pipeline_for(source, media_type) == pipeline


def test_a_source_that_no_pipeline_names(locations: Locations) -> None:
    with pytest.raises(NoPipelineForSource, match="auto, expand, pdf-two-phase"):
        Catalog(locations).pipeline_for("elsewhere")


def test_own_pipelines_win_and_two_of_them_are_ambiguous(locations: Locations) -> None:
    catalog = Catalog(locations)
    text = GOOD.replace("stages:", "applicable_sources: [pmc]\nstages:")
    write(locations.config / "pipelines" / "sample.yaml", text)
    assert catalog.pipeline_for("pmc") == "sample"
    assert catalog.pipeline_for("file") == "auto"
    write(locations.config / "pipelines" / "second.yaml", text.replace("sample", "second"))
    with pytest.raises(PipelineAmbiguous, match="sample, second"):
        catalog.pipeline_for("pmc")


def test_unknown_names_suggest_the_nearest(locations: Locations) -> None:
    catalog = Catalog(locations)
    with pytest.raises(UnknownPipeline, match="did you mean 'auto'"):
        catalog.topology("auot")
    with pytest.raises(UnknownPipeline):
        catalog.path("auot")
    with pytest.raises(UnknownProfile, match="did you mean 'cpu'"):
        catalog.profile("cpuu")
    with pytest.raises(UnknownPolicy, match="polite-api"):
        catalog.policies().get("polite")


def test_a_file_is_read_again_when_it_changes(locations: Locations) -> None:
    catalog = Catalog(locations)
    path = locations.config / "pipelines" / "sample.yaml"
    write(path, GOOD)
    first = catalog.topology("sample")
    assert catalog.topology("sample") is first
    assert catalog.path("sample") == path
    write(path, GOOD.replace('"1.0"', '"2.0"'))
    assert catalog.topology("sample").version == "2.0"
    path.unlink()
    with pytest.raises(UnknownPipeline):
        catalog.topology("sample")


def test_a_broken_file_hides_the_bundled_one_and_harms_no_other(locations: Locations) -> None:
    catalog = Catalog(locations)
    path = locations.config / "pipelines" / "auto.yaml"
    write(path, "stages: []")
    for _ in range(2):
        with pytest.raises(TopologyInvalid, match=r"auto\.yaml"):
            catalog.topology("auto")
    assert set(catalog.invalid()) == {"auto"}
    assert set(catalog.topologies()) == {"pdf-two-phase", "expand"}
    path.unlink()
    assert catalog.topology("auto").name == "auto"


def test_a_pipeline_is_called_like_its_file(locations: Locations) -> None:
    write(locations.config / "pipelines" / "other.yaml", GOOD)
    with pytest.raises(TopologyInvalid, match="give both the same name"):
        Catalog(locations).topology("other")


def test_own_shared_sequences_replace_bundled_ones(locations: Locations) -> None:
    catalog = Catalog(locations)
    assert catalog.topology("auto").stages[-1].name == "kg"
    write(locations.config / "pipelines" / "shared" / "post-text.yaml", "- {name: chunk, type: ChunkStage}\n")
    assert catalog.topology("auto").stages[-1].name == "chunk"


def test_own_policies_are_added_and_replace(locations: Locations) -> None:
    catalog = Catalog(locations)
    write(locations.config / "policies.yaml", POLICY.replace("NAME", "mine"))
    assert catalog.policies().get("mine").timeout_seconds == 7
    assert catalog.policies().get("default").timeout_seconds == 60
    write(locations.config / "pipelines" / "sample.yaml", GOOD.replace("{name: parse", "{name: parse, policy: mine"))
    assert catalog.topology("sample").stage("parse").policy == "mine"
    write(locations.config / "policies.yaml", POLICY.replace("NAME", "default"))
    assert catalog.policies().get("default").timeout_seconds == 7
    with pytest.raises(TopologyInvalid, match="unknown-policy"):
        catalog.topology("sample")


def test_wrong_policies(locations: Locations) -> None:
    write(locations.config / "policies.yaml", POLICY.replace("max_attempts: 2", "max_attempts: 11, max_attemts: 1"))
    with pytest.raises(PolicyFileInvalid) as caught:
        Catalog(locations).policies()
    assert {(problem.rule, problem.line) for problem in caught.value.problems} >= {("schema", 2), ("unknown-key", 2)}


def test_wrong_profiles(locations: Locations, published: None) -> None:
    catalog = Catalog(locations)
    path = locations.config / "profiles" / "mine.yaml"
    write(path, "name: mine\nstages:\n  ChunkStge: {implementation: sample.chunker}\n")
    with pytest.raises(ProfileInvalid, match="did you mean 'ChunkStage'"):
        catalog.profile("mine")
    write(path, "name: mine\nstages:\n  ChunkStage: {implementation: sample.chunker}\n")
    with pytest.raises(ProfileInvalid, match="chooses nothing for IngestStage"):
        catalog.profile("mine")
    kinds = ["Ingest", "Download", "Parse", "Chunk", "Embed", "Index", "Extract", "KG"]
    stages = "".join(f"  {kind}Stage: {{implementation: sample.chunker}}\n" for kind in kinds)
    write(path, f"name: mine\nstages:\n{stages}")
    with pytest.raises(ProfileInvalid) as caught:
        catalog.profile("mine")
    assert {problem.rule for problem in caught.value.problems} == {"wrong-implementation"}
    assert sorted(problem.line for problem in caught.value.problems) == [3, 4, 5, 7, 8, 9, 10]


@pytest.mark.parametrize("name", ["cpu", "gpu"])
def test_the_bundled_profiles_choose_for_every_stage(locations: Locations, name: str) -> None:
    catalog = Catalog(locations)
    profile = catalog.profile(name)
    for topology in catalog.topologies().values():
        for stage in topology.stages:
            assert stage.is_gate or profile.choice(stage) == profile.stages[stage.type]


def test_a_topologys_own_choice_wins_over_the_profiles(locations: Locations) -> None:
    choices = {kind: StageChoice(implementation="p.q") for kind in StageType if kind is not StageType.GATE}
    profile = Profile(name="mine", stages=choices)
    stage = Catalog(locations).topology("auto").stage("chunk")
    assert profile.choice(stage).implementation == "p.q"
    own = profile.choice(stage.model_copy(update={"implementation": "a.b", "with_": {"size": 1}}))
    assert (own.implementation, own.with_) == ("a.b", {"size": 1})


def test_the_bundled_folder_of_a_checkout() -> None:
    assert bundled.folder() == Path(__file__).parents[3] / "bundled_pipelines"


def test_the_bundled_folder_of_an_installed_package(tmp_path: Path) -> None:
    package = Path(medkg_lab.__file__).parent
    shutil.copytree(package, tmp_path / "medkg_lab", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(bundled.folder(), tmp_path / "medkg_lab" / bundled.NAME)
    done = subprocess.run(
        [sys.executable, "-c", "from medkg_lab.topology import bundled; print(bundled.folder())"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(done.stdout.strip()) == tmp_path / "medkg_lab" / bundled.NAME
