"""What scripts/build makes, in use: plug-ins beside it in a lab that works, and a home that an earlier version left behind."""

import json
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.http_service import Answer, http_service
from tests.packaging.installers import ROOT, call, install, uv
from tests.packaging.test_packages import dist
from tests.waiting import wait_until

__all__ = ["dist"]

pytestmark = [pytest.mark.full, pytest.mark.timeout(1200)]
HOMES = ROOT / "tests" / "fixtures" / "homes"
LATER = "99.0.0"


@dataclass(frozen=True)
class Installed:
    """A lab of the built wheel, in an environment and a home of its own."""

    folder: Path
    command: list[str | Path]

    @property
    def home(self) -> Path:
        return self.folder / "lab"

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return call([*self.command, *arguments, "--home", self.home], self.folder)

    def ok(self, *arguments: str) -> Any:
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, f"{arguments}: {done.stderr[-2000:]}{done.stdout[-2000:]}"
        return json.loads(done.stdout)

    @property
    def python(self) -> Path:
        return self.folder / "tools" / "medkg-lab" / "bin" / "python"


@pytest.fixture
def installed(dist: Path) -> Iterator[Installed]:
    folder = Path(tempfile.mkdtemp(prefix="mk", dir="/tmp"))
    made = Installed(folder, install("uv", dist, folder))
    try:
        yield made
    finally:
        made.run("down")
        shutil.rmtree(folder, ignore_errors=True)


def test_plug_ins_that_new_makes_run_in_a_lab(installed: Installed) -> None:
    folder = installed.folder
    for what, name in (("stage", "drop-repeats"), ("source", "ward-notes"), ("pipeline", "longer")):
        assert call([*installed.command, "new", what, name], folder).returncode == 0
    packages = [folder / f"medkg-{name}" for name in ("drop-repeats", "ward-notes")]
    subprocess.run([uv(), "pip", "install", "--quiet", "--python", installed.python, "pytest", *packages], check=True)
    tests = [folder / f"medkg-{name}" / "tests" for name in ("drop-repeats", "ward-notes", "longer")]
    tested = call([installed.python, "-m", "pytest", "-q", "--import-mode=importlib", *tests], folder)
    assert tested.returncode == 0, tested.stdout[-3000:]
    for path in folder.glob("medkg-*/pipelines/*.yaml"):
        installed.ok("pipeline", "apply", path.stem, str(path))
    (folder / "note.txt").write_text(
        "Metformin lowered HbA1c in adults.\n\nMetformin lowered HbA1c in adults.\n\nDoses were low.\n"
    )
    with http_service() as service:
        service.answers["/documents/7"] = [Answer(b"Colchicine eased acute gout in adults.")]
        service.answers["/search"] = [Answer(b'{"ids": ["7"]}')]
        settings = f"sources:\n  ward-notes:\n    base_url: {service.url}\n"
        (installed.home / "config" / "settings.yaml").write_text(settings)
        installed.ok("up")
        installed.ok("submit", "note.txt", "--pipeline", "drop-repeats", "--wait")
        installed.ok("submit", "7", "--source", "ward-notes", "--wait")
        (folder / "note.txt").write_text("Aspirin did not lower mortality in elderly adults.\n")
        installed.ok("submit", "note.txt", "--pipeline", "longer", "--wait")
    jobs = installed.ok("jobs", "list")
    assert {(job["pipeline"], job["state"]) for job in jobs} == {
        (name, "completed") for name in ("drop-repeats", "ward-notes", "longer")
    }
    (first,) = [job for job in jobs if job["pipeline"] == "drop-repeats"]
    stages = installed.ok("jobs", "show", first["job_id"])["stages"]
    assert [one["implementation"] for one in stages if one["stage"] == "drop_repeats"] == ["drop-repeats.simple"]
    assert [hit["doc_id"] for hit in installed.ok("search", "colchicine gout")["hits"]] == ["ward-notes:7"]
    tried = installed.ok("dev", str(folder / "medkg-drop-repeats"), "--once")["documents"]
    assert len(tried) == 3
    assert installed.ok("verify")["ok"]


@pytest.mark.parametrize("recorded", sorted(HOMES.glob("*.zip")), ids=lambda path: path.stem)
def test_a_home_of_an_earlier_version_keeps_its_data(installed: Installed, recorded: Path) -> None:
    with zipfile.ZipFile(recorded) as packed:
        packed.extractall(installed.home)
    # The wheel under test may be of the version that recorded the home: it is made a later one.
    site = call(
        [installed.python, "-c", "import medkg_lab; print(medkg_lab.__file__)"], installed.folder
    ).stdout.strip()
    code = Path(site).read_text()
    Path(site).write_text(re.sub(r'^__version__ = ".*"$', f'__version__ = "{LATER}"', code, flags=re.MULTILINE))
    up = installed.run("up", "--json")
    assert up.returncode == 0, up.stderr
    assert f"was brought from version {recorded.stem} to" in up.stdout + up.stderr
    jobs = {job["doc_id"].split("~")[0]: job for job in installed.ok("jobs", "list")}
    assert {doc: job["state"] for doc, job in jobs.items()} == {
        "clinicaltrials:NCT90000010": "completed",
        "file:kept.txt": "completed",
        "file:broken.json": "failed",
        "file:waits.txt": "waiting_gate",
    }
    assert "file:kept.txt" in installed.ok("search", "metformin in type 2 diabetes")["hits"][0]["doc_id"]
    assert installed.ok("graph", "node", "Metformin")["node"]
    waiting = jobs["file:waits.txt"]["job_id"]
    installed.ok("gate", "set", waiting, "reviewed=true")
    (installed.folder / "new.txt").write_text("Aspirin did not lower mortality in elderly adults.\n")
    installed.ok("submit", "new.txt", "--wait")
    wait_until(
        lambda: installed.ok("jobs", "show", waiting)["state"] == "completed", 60, "the note that waited goes on"
    )
    assert installed.ok("verify")["ok"]
