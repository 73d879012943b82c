"""The diffs of CONTRIBUTING.md, applied to a copy of the lab: what they add is found, and works."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
KINDS = ("A source", "A stage's implementation", "A stage type", "A broker engine", "A mode of the screen")
DISTRIBUTION = "medkg_lab-0.1.0.dist-info"
PIPELINE = """
version: "1.0"
name: both
stages:
  - {name: ingest, type: IngestStage, policy: local}
  - {name: parse, type: ParseStage, policy: local, depends_on: [ingest]}
  - {name: summary, type: SummaryStage, implementation: summary.first, policy: local, depends_on: [parse]}
  - {name: chunk, type: ChunkStage, implementation: paragraphs, policy: local, depends_on: [parse]}
"""
PROGRAM = """
import asyncio
import shutil
from pathlib import Path

from medkg_lab.broker.client import topic_listing
from medkg_lab.broker.engine import choose
from medkg_lab.lab.engines import running
from medkg_lab.lab.facade import Lab
from medkg_lab.sources.catalog import adapters
from medkg_lab.testing import FakeHttp, MemoryArtifacts, run_pipeline, stage_context
from tests.tui.screens import opened

artifacts = MemoryArtifacts()
context = stage_context(artifacts=artifacts, http=FakeHttp({"https://here.example/letters/7": b"Dear colleague"}))
payload = asyncio.run(adapters({"wards": {"base_url": "https://here.example"}})["wards"].fetch(context, "7"))
print("source", artifacts.get(payload.sha256))

(done,) = run_pipeline(Path("both.yaml"), ["note.txt"])
print("stage", [chunk.text for chunk in done.values["chunks"]])
print("type", done.values["summary"]["text"])

lab = Lab.at("home")
engine = choose(lab.locations, lab.settings)
with running(engine) as address:
    print("engine", engine.name, engine.durability(), str(address) == str(engine.address), topic_listing(address))
shutil.rmtree(engine.data)


async def look() -> None:
    async with opened(Path("home")) as screen:
        await screen.type(":disk")
        await screen.press("enter")
        await screen.sees("documents, ledger, indexes, topics")
        print("mode", screen.app.mode.word)


asyncio.run(look())
"""


def diffs() -> dict[str, str]:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    parts = re.findall(r"^### (.*?)\n.*?^```diff\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return dict(parts)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the lab with all diffs, as if it were installed."""
    folder = tmp_path / "copy"
    shutil.copytree(ROOT / "medkg_lab", folder / "medkg_lab", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "bundled_pipelines", folder / "bundled_pipelines")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for kind, diff in diffs().items():
        done = subprocess.run(
            ["git", "apply", "-"], cwd=folder, input=diff, text=True, capture_output=True, check=False,
            env=os.environ | {"GIT_CEILING_DIRECTORIES": str(tmp_path)},
        )  # fmt: skip
        assert done.returncode == 0, f"{kind}: {done.stderr}"
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    (folder / DISTRIBUTION).mkdir()
    (folder / DISTRIBUTION / "METADATA").write_text("Metadata-Version: 2.1\nName: medkg-lab\nVersion: 0.1.0\n")
    points = (
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in each.items())
        for group, each in project["entry-points"].items()
    )
    (folder / DISTRIBUTION / "entry_points.txt").write_text("\n".join(points))
    return folder


def test_each_kind_has_a_diff_and_what_it_adds_works(copy: Path, tmp_path: Path) -> None:
    assert tuple(diffs()) == KINDS
    (tmp_path / "both.yaml").write_text(PIPELINE)
    (tmp_path / "note.txt").write_text("Metformin and lactate.\n\nDoses were low.\n")
    (tmp_path / "home" / "config").mkdir(parents=True)
    (tmp_path / "home" / "config" / "settings.yaml").write_text("broker: {engine: in-memory}\n")
    env = os.environ | {"PYTHONPATH": f"{copy}:{ROOT}"}
    env.pop("MEDKG_LAB_HOME", None)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines() == [
        "source b'Dear colleague'",
        "stage ['Metformin and lactate.', 'Doses were low.']",
        "type Metformin and lactate.",
        "engine in-memory acks=all: kept in memory; nothing survives the machine False []",
        "mode disk",
    ]
