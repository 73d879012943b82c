"""Archives of what another system left behind: what is there is used, what is not is named."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from medkg_lab.locations import locate
from medkg_lab.repro import archive as archives
from medkg_lab.repro.assemble import Parts, assemble
from medkg_lab.repro.errors import NotAssembled
from medkg_lab.repro.foreign import cloud_events, converter_output, seconds
from medkg_lab.repro.overrides import ReplayOverrides
from medkg_lab.repro.workbench import Workbench
from tests.unit.repro.worlds import SHORT, study

JOB = "job-77"
WHEN = "2025-03-01T10:00:0{}"


def structured(kind: str, stage: str, second: int, **data: Any) -> dict[str, Any]:
    """A CloudEvent as one JSON object."""
    said = {"job_id": JOB, "stage": stage, "timestamp": WHEN.format(second), **data}
    head = {"specversion": "1.0", "id": f"{stage}-{kind}", "type": f"org.medicalkg.orchestration.stage.{kind}"}
    return {**head, "source": f"orchestration/{stage}", "subject": "clinicaltrials:NCT70000009", "data": said}


def binary(event: dict[str, Any], form: str) -> dict[str, Any]:
    """The same event as a record of a topic, dumped by one tool or another."""
    headers = [(f"ce_{name}", str(value)) for name, value in event.items() if name != "data"]
    body = json.dumps(event["data"])
    if form == "kcat":
        return {"topic": "t", "headers": [part for pair in headers for part in pair], "key": JOB, "payload": body}
    return {
        "topic": "t",
        "headers": [list(pair) for pair in headers] if form == "pairs" else dict(headers),
        "value": body,
    }


EVENTS = [
    structured("started", "ingest", 0),
    structured("completed", "ingest", 1, duration_ms=12, output_count=1, success=True),
    structured("started", "parse", 2),
    structured("completed", "parse", 3, duration_ms=30, output_count=1, success=True),
    structured("completed", "chunk", 4, duration_ms=9, output_count=2, success=True),
    structured("completed", "extract", 5, duration_ms=9, output_count=5, success=True),
]


def written(folder: Path, events: list[dict[str, Any]], **entry: Any) -> Parts:
    """All that such a system has, in files."""
    known = {"job_id": JOB, "dataset": "clinicaltrials", "doc_key": "NCT70000009", "status": "completed"}
    (folder / "entry.json").write_text(json.dumps({**known, "pipeline_name": "short", **entry}))
    (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    (folder / "short.yaml").write_text(yaml.safe_dump(dict(SHORT), sort_keys=False))
    (folder / "payload.json").write_text(json.dumps(study("NCT70000009")))
    return Parts(folder / "entry.json", [folder / "events.jsonl"], folder / "short.yaml", folder / "payload.json")


@pytest.mark.parametrize("form", ["structured", "kcat", "pairs", "object"])
def test_events_of_either_mode_say_the_same(tmp_path: Path, form: str) -> None:
    told = [event if form == "structured" else binary(event, form) for event in EVENTS]
    path = tmp_path / "events.jsonl"
    path.write_text("\n".join(json.dumps(one) for one in [{"unrelated": 1}, *told]))
    found = list(cloud_events(path))
    assert [(one.kind, one.stage, one.job_id) for one in found] == [
        (event["type"].rpartition("orchestration.")[2], event["data"]["stage"], JOB) for event in EVENTS
    ]
    assert found[0].ts == seconds("2025-03-01T10:00:00+00:00")
    assert found[0].doc_id == "clinicaltrials:NCT70000009"


@pytest.mark.parametrize(
    "change",
    [
        {"time": "2025-03-01T10:00:00"},
        {"time": 1_740_823_200},
        {"id": 7, "subject": "", "source": None, "job_id": "not an attribute's name"},
        {"data": None, "data_base64": base64.b64encode(json.dumps(EVENTS[0]["data"]).encode()).decode()},
        {"data": json.dumps(EVENTS[0]["data"])},
    ],
)
def test_a_careless_writers_event_is_read(tmp_path: Path, change: dict[str, Any]) -> None:
    (tmp_path / "events.jsonl").write_text(json.dumps({**EVENTS[0], **change}))
    (found,) = cloud_events(tmp_path / "events.jsonl")
    assert (found.kind, found.stage, found.job_id) == ("stage.started", "ingest", JOB)
    assert found.ts == seconds("2025-03-01T10:00:00+00:00")


def test_an_event_without_any_time_is_at_the_beginning(tmp_path: Path) -> None:
    said = {name: value for name, value in EVENTS[0]["data"].items() if name != "timestamp"}
    (tmp_path / "events.jsonl").write_text(json.dumps({**EVENTS[0], "data": said}))
    assert [one.ts for one in cloud_events(tmp_path / "events.jsonl")] == [0.0]


@pytest.mark.parametrize("change", ['"specversion": "7.1"', '"time": 1e999'])
def test_an_event_that_is_none_is_refused_with_its_line(tmp_path: Path, change: str) -> None:
    line = json.dumps({name: value for name, value in EVENTS[0].items() if name != "data"})
    (tmp_path / "events.jsonl").write_text(f"{json.dumps(EVENTS[1])}\n{line[:-1]}, {change}}}")
    with pytest.raises(NotAssembled, match="line 2 is not a CloudEvent"):
        list(cloud_events(tmp_path / "events.jsonl"))


def test_an_assembled_incident_runs_and_is_compared_with_what_the_events_say(tmp_path: Path) -> None:
    made = assemble(written(tmp_path, EVENTS))
    archives.write(tmp_path / "a.mklab", made)
    bench = Workbench.of(archives.read(tmp_path / "a.mklab"), locate(tmp_path / "desk"))
    run = bench.run(ReplayOverrides())
    assert run.states == {JOB: "completed"}
    report = bench.compare(run.id)
    assert [(one.stage, one.field, one.a) for one in report.divergences] == [("extract", "count", 5)]
    said = " ".join(made.manifest.missing)
    assert "policies" in said
    assert "exchanges" in said
    assert made.manifest.origin == "assemble"


def test_a_stage_that_failed_there_is_compared(tmp_path: Path) -> None:
    failed = structured("failed", "parse", 3, failure_kind="bad_input", reason="no protocolSection", success=False)
    parts = written(tmp_path, [*EVENTS[:3], failed], status="failed", error="no protocolSection")
    bench = Workbench.of(assemble(parts), locate(tmp_path / "desk"))
    report = bench.compare(bench.run(ReplayOverrides()).id)
    assert report.first is not None
    assert (report.first.stage, report.first.a) == ("parse", "failed: no protocolSection")


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    whole = written(tmp_path, EVENTS)
    alone = assemble(Parts(events=whole.events, topology=whole.topology))
    assert alone.manifest.jobs[0].doc_id == "clinicaltrials:NCT70000009"
    assert any("source payload" in one for one in alone.manifest.missing)
    bundled = assemble(Parts(entry=_entry(tmp_path, "auto"), payload=whole.payload))
    assert any("topology" in one for one in bundled.manifest.missing)
    assert any("CloudEvents" in one for one in bundled.manifest.missing)


def _entry(folder: Path, pipeline: str) -> Path:
    path = folder / f"{pipeline}.json"
    known = {"job_id": JOB, "dataset": "clinicaltrials", "doc_key": "NCT70000009", "status": "completed"}
    path.write_text(json.dumps({**known, "pipeline_name": pipeline}))
    return path


def test_what_a_converter_left_stands_behind_the_gate(tmp_path: Path) -> None:
    folder = tmp_path / "mineru" / "auto"
    folder.mkdir(parents=True)
    title = {"type": "text", "text": "Metformin in diabetes", "text_level": 1, "page_idx": 0}
    text = {"type": "text", "text": "Adults with type 2 diabetes take metformin every day.", "page_idx": 0}
    (folder / "paper_content_list.json").write_text(json.dumps([title, text]))
    assert converter_output(tmp_path / "mineru")[0] == "paper_content_list.json"
    entry = tmp_path / "entry.json"
    known = {"job_id": JOB, "dataset": "unpaywall", "doc_key": "10.7700/x", "status": "completed"}
    entry.write_text(json.dumps({**known, "pipeline_name": "pdf-two-phase", "pdf_ir_ready": True}))
    paper = tmp_path / "paper.pdf"
    paper.write_bytes(b"%PDF-1.7 as it was")
    made = assemble(Parts(entry=entry, payload=paper, converted=tmp_path / "mineru"))
    bench = Workbench.of(made, locate(tmp_path / "desk"))
    run = bench.run(ReplayOverrides(until="chunk"))
    steps = {step.stage: step for step in run.steps}
    assert (steps["pdf_gate"].how, steps["pdf_gate"].status) == ("recorded", "completed")
    assert (steps["chunk"].how, steps["chunk"].status) == ("ran", "completed")


@pytest.mark.parametrize(
    ("entry", "reason"),
    [("[1]", "object"), ("{", "JSON|Expecting"), ('{"job_id": "x"}', "dataset|string|required|valid")],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, entry: str, reason: str) -> None:
    (tmp_path / "entry.json").write_text(entry)
    with pytest.raises(NotAssembled, match=reason):
        assemble(Parts(entry=tmp_path / "entry.json"))
    with pytest.raises(NotAssembled):
        assemble(Parts())
    (tmp_path / "events.jsonl").write_text("no json")
    with pytest.raises(NotAssembled, match="line 1"):
        assemble(Parts(events=[tmp_path / "events.jsonl"]))
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotAssembled, match="no JSON of a converter"):
        converter_output(tmp_path / "empty")
