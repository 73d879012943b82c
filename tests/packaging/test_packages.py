"""What scripts/build makes, installed as people install it: an empty environment ends in a lab that runs the demo."""

import json
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from tests.packaging.installers import ROOT, call, install, uv

pytestmark = pytest.mark.timeout(1200)
VERSIONS = ("3.12", "3.13", "3.14")


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-P", ROOT / "scripts" / "build_packages.py", folder], check=True, timeout=300)
    return folder


def wheel(dist: Path, name: str) -> zipfile.ZipFile:
    return zipfile.ZipFile(next(dist.glob(f"{name}-*.whl")))


def requirements(dist: Path, name: str) -> list[str]:
    with wheel(dist, name) as archive:
        metadata = next(one for one in archive.namelist() if one.endswith(".dist-info/METADATA"))
        return message_from_bytes(archive.read(metadata)).get_all("Requires-Dist", [])


def test_the_wheel_has_what_the_lab_reads_and_nothing_of_the_tests(dist: Path) -> None:
    with wheel(dist, "medkg_lab") as archive:
        names = archive.namelist()
    assert "medkg_lab/py.typed" in names
    vendored = {f"medkg_lab/report/vendor/{name}" for name in ("echarts.min.js", "LICENSE", "NOTICE")}
    assert vendored | {"medkg_lab/__init__.pyi", "medkg_lab/report/page.html.jinja"} <= set(names)
    assert any(name.startswith("medkg_lab/scaffold/templates/stage/") for name in names)
    assert any(name.startswith("medkg_lab/bundled_pipelines/demo/papers/") for name in names)
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"medkg_lab"}
    with tarfile.open(next(dist.glob("medkg_lab-*.tar.gz"))) as source:
        tops = {name.split("/")[1] for name in source.getnames()}
    assert {"medkg_lab", "bundled_pipelines", "LICENSE", "README.md"} <= tops
    assert "tests" not in tops


def test_the_default_installation_brings_the_weights_and_no_torch(dist: Path) -> None:
    needed = [one for one in requirements(dist, "medkg_lab") if "extra ==" not in one]
    assert any(one.startswith("medkg-lab-minilm") for one in needed)
    assert not any(one.startswith(("torch", "sentence-transformers", "gt-all")) for one in needed)
    assert requirements(dist, "medkg_lab_minilm") == []
    with wheel(dist, "medkg_lab_minilm") as archive:
        names = set(archive.namelist())
    assert {f"medkg_lab_minilm/model/{name}" for name in ("model.safetensors", "tokenizer.json", "README.md")} <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_a_tool_made_of_the_wheels_lacks_nothing(dist: Path, tmp_path: Path) -> None:
    command = install("uv", dist, tmp_path)
    found = call([*command, "doctor", "--json"], tmp_path)
    checks = {one["name"]: one["ok"] for one in json.loads(found.stdout)["checks"]}
    assert (found.returncode, checks["MiniLM weights"], all(checks.values())) == (0, True, True)
    python = tmp_path / "tools" / "medkg-lab" / "bin" / "python"
    where = call([python, "-c", "import medkg_lab; print(medkg_lab.__file__)"], tmp_path).stdout
    assert where.startswith(str(tmp_path))
    assert call([python, "-c", "import torch"], tmp_path).returncode == 1
    assert call([*command, "new", "stage", "drop-repeats"], tmp_path).returncode == 0
    assert (tmp_path / "medkg-drop-repeats" / "medkg_drop_repeats" / "__init__.py").exists()
    assert "openapi" in json.loads(call([*command, "serve", "--openapi"], tmp_path).stdout)


@pytest.mark.full
@pytest.mark.parametrize("how", ["uvx", "sdist"])  # uv, pipx and pip: test_packages_reached.py
def test_the_demo_runs_however_it_was_installed(dist: Path, tmp_path: Path, how: str) -> None:
    command = install(how, dist, tmp_path)
    done = call([*command, "demo", "--json"], tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout)["ok"]


@pytest.mark.full
@pytest.mark.parametrize("version", VERSIONS)
def test_the_demo_runs_with_other_versions_of_python(dist: Path, tmp_path: Path, version: str) -> None:
    found = call([uv(), "python", "find", "--no-python-downloads", version], tmp_path)
    if found.returncode:
        pytest.skip(f"Python {version} is not here")
    command = install("uv", dist, tmp_path, found.stdout.strip())
    done = call([*command, "demo", "--json"], tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout)["ok"]


@pytest.mark.full
@pytest.mark.parametrize("version", ["3.11", *VERSIONS])
def test_every_dependency_has_wheels(version: str) -> None:
    command = [uv(), "pip", "compile", "--quiet", "--only-binary", ":all:", "--no-header", "pyproject.toml"]
    target = ["--python-version", version, "--python-platform", "x86_64-manylinux_2_28"]
    done = subprocess.run([*command, *target], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "dagster==" in done.stdout
