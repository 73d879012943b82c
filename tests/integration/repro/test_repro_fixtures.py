"""The archives in tests/fixtures/incidents, which were made by an earlier state of the lab, run as they were recorded.

`scripts/make_incident_fixtures.py` makes them anew.
"""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import orjson
import pytest

from medkg_lab import exit_codes
from medkg_lab.cli.main import main
from medkg_lab.repro import archive as archives
from medkg_lab.repro import manifest as names
from medkg_lab.repro.archive import Archive
from medkg_lab.repro.manifest import FORMAT, Manifest, entries, lines

INCIDENTS = sorted((Path(__file__).parents[2] / "fixtures" / "incidents").glob("*.mklab"))
COMPLETED = next(path for path in INCIDENTS if path.stem == "study-that-completed")


def verify(report: Path, *paths: Path) -> tuple[int, list[ElementTree.Element]]:
    """The exit code of `repro verify`, and the test cases of its JUnit report."""
    code = main(["repro", "verify", *map(str, paths), "--junit", str(report)])
    return code, list(ElementTree.parse(report).getroot().iter("testcase"))


def test_they_run_as_they_were_recorded(tmp_path: Path) -> None:
    code, cases = verify(tmp_path / "report.xml", *INCIDENTS)
    assert [(case.get("name"), [*case]) for case in cases] == [(path.name, []) for path in INCIDENTS]
    assert code == exit_codes.OK


def test_they_are_few_and_small() -> None:
    assert 3 <= len(INCIDENTS) <= 5
    assert all(path.stat().st_size < 100_000 for path in INCIDENTS)


def test_they_cover_both_pipelines_a_failure_and_retries() -> None:
    made = [archives.read(path) for path in INCIDENTS]
    jobs = [job for one in made for job in one.manifest.jobs]
    assert {job.pipeline for job in jobs} >= {"auto", "pdf-two-phase"}
    assert {job.state for job in jobs} == {"completed", "failed"}
    told = [json.loads(line) for one in made for line in one.members[names.EXCHANGES].splitlines()]
    assert {one["status"] for one in told} >= {200, 429, 503}


def test_a_format_that_changed_is_said(tmp_path: Path) -> None:
    made = archives.read(COMPLETED)
    newer = made.manifest.model_copy(update={"format": "medkg.repro/2"})
    archives.write(tmp_path / "newer.mklab", replace(made, manifest=newer))
    code, [case] = verify(tmp_path / "report.xml", tmp_path / "newer.mklab")
    [error] = case
    assert (code, error.tag) == (exit_codes.FAILED, "error")
    assert f"has format medkg.repro/2, and this version reads {FORMAT}" in str(error.get("message"))


@pytest.mark.parametrize(
    ("kind", "stage"), [("chunks", "chunk"), ("embeddings", "embed"), ("document", "parse")], ids=lambda one: str(one)
)
def test_an_output_that_was_another_is_a_failure_that_names_its_stage(tmp_path: Path, kind: str, stage: str) -> None:
    archives.write(tmp_path / "changed.mklab", with_another_output(archives.read(COMPLETED), kind))
    code, [case] = verify(tmp_path / "report.xml", tmp_path / "changed.mklab")
    [failure] = case
    assert (code, failure.tag) == (exit_codes.FAILED, "failure")
    assert stage in str(failure.get("message"))


def with_another_output(made: Archive, kind: str) -> Archive:
    """The archive as if the stage that gives this kind had given something else."""
    members = dict(made.members)
    events = [orjson.loads(line) for line in members[names.EVENTS].splitlines()]
    [event] = [one for one in events if one["type"] == "stage.completed" and one["data"]["kind"] == kind]
    [old] = event["data"]["refs"]
    data = members.pop(f"{names.ARTIFACTS}{old}")
    # Vectors end with their numbers: the last sixteen become nought. A text has a word changed, and keeps its length.
    changed = data[:-64] + bytes(64) if kind == "embeddings" else data.replace(b"topiramate", b"valproates")
    assert changed != data
    new = hashlib.sha256(changed).hexdigest()
    event["data"]["refs"] = [new]
    members |= {f"{names.ARTIFACTS}{new}": changed, names.EVENTS: lines(events)}
    manifest = Manifest.model_validate({**vars(made.manifest), "files": entries(members)})
    return Archive(manifest, members)
