"""CloudEvents: one per document and transition, valid, with ids that redelivery repeats."""

import json
from dataclasses import replace
from typing import Any, cast

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event, to_structured_event
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.events.cloudevents import (
    PREFIX,
    CloudEventData,
    JobInfo,
    cloud_events,
    cloud_id,
    is_published,
    messages,
    read_id,
    to_json,
)
from medkg_lab.models.event_codec import from_json
from medkg_lab.models.events import RECORDS, Event, of_jobs
from tests.unit.ledger.worlds import spec

JOBS = {
    name: JobInfo(name, "default", f"corr-{name}", f"clinicaltrials:{name}", "auto", "1.0+abc", attempt=2)
    for name in ("j1", "j2")
}

DATA: dict[str, dict[str, Any]] = {
    "stage.started": {"t0": 1000.5},
    "stage.completed": {
        "t0": 1000.5, "t1": 1001.5, "ms": [3.25, 4.5], "counts": [1, 7], "refs": ["a", "b"], "kind": "chunks",
        "implementation": "haystack.splitter", "device": "cpu",
    },
    "stage.skipped": {"t0": 1000.5, "reason": "unchanged"},
    "stage.failed": {"t0": 1000.5, "t1": 1000.75, "attempt": 3, "kind": "bad_input", "error": "NotAStudy", "reason": "no study"},
    "stage.retrying": {"attempt": 1, "delay_s": 0.5, "kind": "timeout", "reason": "slow"},
    "job.submitted": {"specs": [spec("j1"), spec("j2")]},
    "job.completed": {"unchanged": False, "content": ["c", "d"]},
    "job.failed": {"kind": "bad_input", "reason": "no study", "error": "NotAStudy", "stage": "parse"},
    "job.dead": {"reason": "lost three engines", "losses": 3},
    "job.cancelled": {"by": "anna", "why": "duplicate"},
    "document.deleted": {"tenant_id": "default", "doc_id": "clinicaltrials:j1", "by": "anna", "why": "asked for"},
    "gate.waiting": {
        "condition": {"ledger_field": "pdf_ir_ready", "equals": True}, "resume_segment": 1, "resume_lane": "compute",
        "stages": ["chunk"],
    },
    "gate.opened": {"by": "anna", "how": "manual", "why": "fine", "partial": True, "versions": [3, 4]},
    "gate.rejected": {"by": "anna", "why": "wrong file"},
    "gate.released": {"release_id": "r1", "pipeline": "auto", "pipeline_version": "1.0+abc", "segment": 1},
}  # fmt: skip


def event(kind: str) -> Event:
    stage = None if kind.startswith(("job.", "document.")) else "chunk"
    raw = {
        "seq": 7,
        "id": "b1:3",
        "ts": 1002.0,
        "type": kind,
        "stage": stage,
        "batch": "b1",
        "jobs": ["j1", "j2"],
        "data": DATA[kind],
    }
    return from_json(raw)


def test_every_published_type_is_covered_here() -> None:
    assert set(DATA) == {kind for kind, record in RECORDS.items() if is_published(cast(Any, object.__new__(record)))}


def read(message: KafkaMessage) -> Any:
    """The CloudEvent as a reader of the topic has it."""
    return from_binary_event(message)


@pytest.mark.parametrize("kind", sorted(DATA))
def test_each_document_gets_its_own_event_and_the_library_reads_it(kind: str) -> None:
    made = list(messages(event(kind), JOBS))
    assert [read(one).get_id() for one in made] == [cloud_id("b1:3", "j1"), cloud_id("b1:3", "j2")]
    for job_id, message in zip(("j1", "j2"), made, strict=True):
        assert message.key == job_id
        assert message.headers["ce_type"].decode().startswith(PREFIX)
        back = read(message)
        assert back.get_subject() == f"clinicaltrials:{job_id}"
        assert back.get_extension("jobid") == job_id
        assert back.get_extension("pipelineversion") == "1.0+abc"
        data = CloudEventData.model_validate(back.get_data())
        assert data.job_id == job_id
        assert data.correlation_id == f"corr-{job_id}"


def test_the_bytes_on_the_topic_are_those_of_earlier_versions() -> None:
    message = next(messages(event("stage.completed"), JOBS))
    assert message == KafkaMessage(
        {
            "ce_id": b"b1:3:j1",
            "ce_specversion": b"1.0",
            "ce_type": b"org.medicalkg.orchestration.stage.completed",
            "ce_source": b"orchestration/chunk",
            "ce_time": b"1970-01-01T00:16:41.500000Z",
            "content-type": b"application/json",
            "ce_subject": b"clinicaltrials:j1",
            "ce_partitionkey": b"j1",
            "ce_jobid": b"j1",
            "ce_tenantid": b"default",
            "ce_correlationid": b"corr-j1",
            "ce_pipeline": b"auto",
            "ce_pipelineversion": b"1.0+abc",
            "ce_attempt": b"2",
        },
        "j1",
        b'{"job_id":"j1","tenant_id":"default","correlation_id":"corr-j1","stage":"chunk",'
        b'"timestamp":"1970-01-01T00:16:41.500000+00:00","duration_ms":3.25,"output_count":1,"success":true,'
        b'"device":"cpu","implementation":"haystack.splitter"}',
    )


@pytest.mark.parametrize("kind", sorted(DATA))
def test_an_event_as_json_says_what_its_message_says(kind: str) -> None:
    for made, message in zip(cloud_events(event(kind), JOBS), messages(event(kind), JOBS), strict=True):
        said = to_json(made)
        assert said.pop("data") == json.loads(message.value)
        assert said.pop("datacontenttype") == message.headers["content-type"].decode()
        assert {f"ce_{name}": value.encode() for name, value in said.items()} == {
            name: value for name, value in message.headers.items() if name != "content-type"
        }


@pytest.mark.parametrize("kind", sorted(DATA))
def test_the_id_is_read_in_either_mode(kind: str) -> None:
    for made, message in zip(cloud_events(event(kind), JOBS), messages(event(kind), JOBS), strict=True):
        structured = to_structured_event(made)
        assert read_id(message.headers.items(), message.value) == made.get_id()
        assert read_id(structured.headers.items(), structured.value) == made.get_id()


HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["ce_id", "ce_type", "ce_source", "ce_specversion", "ce_time", "CE_ID", "content-type", "x"]),
        st.none() | st.binary() | st.sampled_from([b"1.0", b"0.3", b"a", b"2025-01-01T00:00:00Z"]),
    )
)


@given(
    HEADERS, st.none() | st.binary() | st.sampled_from([b"[" * 100_000, b"[]", b'{"time": 1}', b'{"id": 1}', b"null"])
)
def test_no_record_makes_the_reader_fail(headers: list[tuple[str, bytes | None]], value: bytes | None) -> None:
    found = read_id(headers, value)
    assert found is None or found


def test_a_completed_stage_tells_time_and_count_per_document() -> None:
    first, second = (read(one).get_data() for one in messages(event("stage.completed"), JOBS))
    assert (first["duration_ms"], first["output_count"], first["success"]) == (3.25, 1, True)
    assert (second["duration_ms"], second["output_count"]) == (4.5, 7)


def test_the_same_ledger_event_gives_the_same_bytes_again() -> None:
    once, again = (list(messages(event("stage.failed"), JOBS)) for _ in range(2))
    assert once == again


def test_expanding_many_from_one_event_shares_nothing() -> None:
    made = [read(one) for one in messages(event("stage.started"), JOBS)]
    assert len({one.get_id() for one in made}) == 2
    assert len({one.get_subject() for one in made}) == 2


def test_a_name_beyond_ascii_travels() -> None:
    jobs = {"j1": JobInfo("j1", "default", "c", "file:\u00fcber\u4e2d", "auto", "1.0+abc")}
    (message,) = messages(replace(event("stage.started"), data=of_jobs(event("stage.started").data, {"j1"})), jobs)
    assert read(message).get_subject() == "file:\u00fcber\u4e2d"
