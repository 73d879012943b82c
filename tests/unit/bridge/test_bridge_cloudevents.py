"""CloudEvents: one per document and transition, valid, with ids that redelivery repeats."""

from typing import Any

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event, to_binary_event

from medkg_lab.events.cloudevents import PREFIX, TYPES, EventData, JobInfo, Message, cloud_id, messages

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
    "job.submitted": {"specs": []},
    "job.completed": {"unchanged": False, "content": ["c", "d"]},
    "job.failed": {"kind": "bad_input", "reason": "no study", "error": "NotAStudy", "stage": "parse"},
    "job.dead": {"reason": "lost three engines", "losses": 3},
    "job.cancelled": {"by": "anna", "why": "duplicate"},
    "gate.waiting": {"condition": {"ledger_field": "pdf_ir_ready", "equals": True}},
    "gate.opened": {"by": "anna", "how": "manual", "why": "fine", "partial": True},
    "gate.rejected": {"by": "anna", "why": "wrong file"},
    "gate.released": {"release_id": "r1"},
}  # fmt: skip


def event(kind: str) -> dict[str, Any]:
    stage = None if kind.startswith("job.") else "chunk"
    return {
        "seq": 7,
        "id": "b1:3",
        "ts": 1002.0,
        "type": kind,
        "stage": stage,
        "batch": "b1",
        "jobs": ["j1", "j2"],
        "data": DATA[kind],
    }


def test_every_published_type_is_covered_here() -> None:
    assert set(DATA) == set(TYPES)


def read(message: Message) -> Any:
    """The CloudEvent as the specification's own library reads it."""
    return from_binary_event(KafkaMessage(headers=message.headers, key=message.key.decode(), value=message.value))


@pytest.mark.parametrize("kind", sorted(DATA))
def test_each_document_gets_its_own_event_and_the_library_reads_it(kind: str) -> None:
    made = list(messages(event(kind), JOBS))
    assert [read(one).get_id() for one in made] == [cloud_id("b1:3", "j1"), cloud_id("b1:3", "j2")]
    for job_id, message in zip(("j1", "j2"), made, strict=True):
        assert message.key == job_id.encode()
        assert message.headers["ce_type"].decode().startswith(PREFIX)
        back = read(message)
        assert back.get_subject() == f"clinicaltrials:{job_id}"
        assert back.get_extension("jobid") == job_id
        assert back.get_extension("pipelineversion") == "1.0+abc"
        data = EventData.model_validate(back.get_data())
        assert data.job_id == job_id
        assert data.correlation_id == f"corr-{job_id}"


@pytest.mark.parametrize("kind", sorted(DATA))
def test_the_library_writes_the_same_attributes(kind: str) -> None:
    for message in messages(event(kind), JOBS):
        assert dict(to_binary_event(read(message)).headers) == message.headers


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
    (message,) = messages({**event("stage.started"), "jobs": ["j1"]}, jobs)
    assert read(message).get_subject() == "file:\u00fcber\u4e2d"
