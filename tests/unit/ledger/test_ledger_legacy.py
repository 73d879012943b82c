"""Entries of an older ledger: which fields they get, and what is refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from medkg_lab.ledger.legacy import LegacyEntry
from medkg_lab.models.event_codec import spec_from_json
from tests.unit.ledger.worlds import World, spec

OLD: dict[str, Any] = {
    "job_id": "j1",
    "tenant_id": "t",
    "dataset": "clinicaltrials",
    "doc_key": "NCT1",
    "status": "completed",
}


def read(**changes: Any) -> LegacyEntry:
    return LegacyEntry.model_validate({**OLD, **changes})


def test_the_new_fields_get_their_defaults() -> None:
    entry = read()
    assert (entry.pdf_downloaded, entry.pdf_ir_ready, entry.post_pdf_started) == (False, False, False)
    assert (entry.current_stage, entry.retry_count_per_stage, entry.pipeline_name) == (None, {}, "auto")


@pytest.mark.parametrize(
    ("changes", "pipeline"),
    [
        ({}, "auto"),
        ({"metadata": {"pdf_url": "https://example.org/a.pdf"}}, "pdf-two-phase"),
        ({"metadata": '{"pdf_url": null}'}, "pdf-two-phase"),
        ({"dataset": "pmc-fulltext"}, "pdf-two-phase"),
        ({"dataset": "unpaywall"}, "pdf-two-phase"),
        ({"dataset": "core"}, "pdf-two-phase"),
        ({"dataset": "core", "pipeline_name": "auto"}, "auto"),
        ({"pipeline_name": None, "dataset": "core"}, "pdf-two-phase"),
    ],
)
def test_the_pipeline_is_inferred_unless_it_is_named(changes: dict[str, Any], pipeline: str) -> None:
    assert read(**changes).pipeline_name == pipeline


def test_fields_that_are_there_stay() -> None:
    kept = {
        "pdf_downloaded": True,
        "pdf_ir_ready": True,
        "current_stage": "chunk",
        "retry_count_per_stage": {"parse": 2},
    }
    imported = read(**kept).imported(spec_from_json(spec("j1")), 9.0)
    assert imported.fields == {"pdf_downloaded": True, "pdf_ir_ready": True, "post_pdf_started": False}
    assert (imported.stage, imported.retries, imported.state) == ("chunk", {"parse": 2}, "completed")


def test_what_was_not_finished_starts_anew() -> None:
    imported = read(status="processing", pdf_ir_ready=True, current_stage="chunk").imported(
        spec_from_json(spec("j1")), 9.0
    )
    assert (imported.state, imported.stage, imported.created_at) == ("queued", None, 9.0)
    assert not any(imported.fields.values())


@pytest.mark.parametrize(
    "wrong",
    [
        {"job_id": None}, {"job_id": ""}, {"dataset": None}, {"doc_key": None}, {"status": "sleeping"}, {"metadata": "{"},
        {"metadata": [1]}, {"retry_count_per_stage": {"a": "many"}}, {"created_at": "yesterday"}, {"pdf_downloaded": "maybe"},
    ],
)  # fmt: skip
def test_what_makes_no_sense_fails(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        read(**wrong)


def test_moments_are_read_in_all_their_forms() -> None:
    assert read(created_at="2024-05-01T00:00:00+00:00").created_at == 1714521600.0
    assert read(created_at="2024-05-01T00:00:00").created_at == 1714521600.0
    assert read(created_at=1714521600).created_at == 1714521600.0
    assert read(created_at="1714521600.5").created_at == 1714521600.5


def test_a_document_is_found_where_entries_name_it() -> None:
    assert read(doc_key=None, metadata={"nct_id": "NCT7"}).document == "NCT7"
    assert read(doc_key=None, item={"id": "NCT8"}).document == "NCT8"
    assert read(dataset="pmc-fulltext").source == "pmc"


def entry(job_id: str, state: str) -> dict[str, Any]:
    return {
        "spec": spec(job_id), "state": state, "stage": None, "fields": {"pdf_downloaded": True}, "retries": {},
        "reason": None, "created_at": 5.0,
    }  # fmt: skip


def test_imported_jobs_stand_where_they_stood(world: World) -> None:
    made = world.do("import_jobs", entries=[entry("a", "completed"), entry("b", "queued")])
    assert [(each["job_id"], each["new"], each["state"]) for each in made] == [
        ("a", True, "completed"), ("b", True, "queued")
    ]  # fmt: skip
    head = world.core.state.seq
    assert [each["new"] for each in world.do("import_jobs", entries=[entry("a", "failed"), entry("b", "queued")])] == [
        False, False
    ]  # fmt: skip
    assert world.core.state.seq == head
    world.restart(project=False)
    assert world.job("a").fields == {"pdf_downloaded": True}
    assert [job["job_id"] for job in world.claim()["jobs"]] == ["b"]
    assert world.do("retry", job_id="a", by="me")["from_stage"] == "ingest"


@pytest.mark.parametrize("wrong", [{"state": "running"}, {"stage": 3}, {"spec": {}}, {"extra": 1}])
def test_entries_are_checked(world: World, wrong: dict[str, Any]) -> None:
    assert "did not understand" in str(world.refused("import_jobs", entries=[{**entry("a", "queued"), **wrong}]))
