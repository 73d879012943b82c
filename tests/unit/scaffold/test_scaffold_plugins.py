"""Plug-ins as the lab meets them: a reader of a format that it does not know, and one that cannot be loaded."""

import subprocess
import sys
from pathlib import Path

import pytest

PLUGIN = """
from medkg_lab.models.documents import Block, Document, Place
from medkg_lab.sources.readers import Reader

def _read(data, doc_id, source):
    texts = data.removeprefix(b"WARD1\\x00").decode().split("|")
    blocks = tuple(Block(kind="paragraph", text=text, place=Place(element=f"part/{number}")) for number, text in enumerate(texts))
    return Document(doc_id=doc_id, source=source, title=texts[0], blocks=blocks)

WARD = Reader("ward", {".ward": "application/x-ward"}, lambda data: data.startswith(b"WARD1\\x00"), _read)
"""
PROGRAM = """
from pathlib import Path
from medkg_lab.testing import run_pipeline
from medkg_lab.topology import bundled
pipeline = bundled.folder() / "pipelines" / "auto.yaml"
for one in run_pipeline(pipeline, [Path("notes")]):
    print(one.doc_id.split("~")[0], one.failed_at or "done", [block.text for block in one.by_stage["parse"].blocks])
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    metadata = folder / "medkg_ward-1.0.dist-info"
    metadata.mkdir(parents=True)
    (folder / "medkg_ward.py").write_text(PLUGIN)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: medkg-ward\nVersion: 1.0\n")
    points = "[medkg_lab.sources]\npmc = medkg_ward:WARD\nzebra = medkg_ward:WARD\n"
    points += "[medkg_lab.readers]\nward = medkg_ward:WARD\nbroken = medkg_ward:NOT_THERE\n"
    (metadata / "entry_points.txt").write_text(points)
    return folder


def test_a_format_of_a_plug_in_is_read_and_a_broken_one_is_left_out(site: Path, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "a.ward").write_bytes(b"WARD1\x00Ward round|Metformin was continued in type 2 diabetes.")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, env={"PYTHONPATH": str(site), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert done.stdout == "file:a.ward done ['Ward round', 'Metformin was continued in type 2 diabetes.']\n", (
        done.stderr
    )
    assert "broken of medkg_lab.readers cannot be loaded" in done.stderr


def test_a_name_of_the_labs_own_is_not_taken_and_what_is_no_source_is_left_out(site: Path, tmp_path: Path) -> None:
    program = (
        "from medkg_lab import plugins; from medkg_lab.sources.catalog import adapters;"
        "found = plugins.points('medkg_lab.sources'); print(found['pmc'].value, list(found)[-1], len(adapters({})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env={"PYTHONPATH": str(site), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, timeout=110, check=True,
    )  # fmt: skip
    assert done.stdout == "medkg_lab.sources.pmc:Pmc zebra 7\n"
