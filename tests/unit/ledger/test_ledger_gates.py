"""Gates: what opens them, what does not, and what comes after."""

from dataclasses import replace

import pytest

from medkg_lab import exit_codes
from medkg_lab.ledger import errors
from medkg_lab.ledger.commands.gates import satisfied
from medkg_lab.models.events import Condition, EventType, GateWaiting, OpenedJob
from tests.unit.ledger.worlds import DOCUMENT, EVIDENCE, World, done, ids, waiting


def ready(world: World, job_id: str, value: bool = True, missing: tuple[int, ...] = ()) -> object:
    """What the PDF process says when it is done."""
    evidence = {**EVIDENCE, "missing_pages": list(missing)}
    return world.do("set_field", job_id=job_id, field="pdf_ir_ready", value=value, by="pdf", evidence=evidence)


def test_a_field_opens_the_gate_in_the_same_commit(world: World) -> None:
    world.to_gate("a", "b")
    assert ready(world, "a") == {"opened": True}
    field, opened = world.log()[-2:]
    assert (field.type, opened.type) == (EventType.FIELD_SET, EventType.GATE_OPENED)
    assert (opened.data.how, opened.data.by, opened.jobs) == ("condition", "pdf", ("a",))
    assert world.job("a").outputs["document"] == DOCUMENT
    assert world.job("b").gate.state == "waiting"


def test_a_field_that_holds_already_opens_the_gate_on_arrival(world: World) -> None:
    world.submit("a", "b", pipeline="gated")
    batch = world.claim()
    assert ready(world, "a") == {"opened": False}
    world.run(batch)
    world.record(batch, waiting(["a", "b"]))
    opened = world.log()[-1]
    assert (opened.type, opened.jobs, opened.data.by) == (EventType.GATE_OPENED, ("a",), "ledger")
    assert opened.data.entries == (OpenedJob("a", world.job("a").version),)


def test_true_needs_evidence_and_all_pages(world: World) -> None:
    world.to_gate("a")
    bare = {"job_id": "a", "field": "pdf_ir_ready", "value": True, "by": "pdf"}
    assert isinstance(world.refused("set_field", **bare), errors.GateWithoutEvidence)
    assert isinstance(world.refused("set_field", **bare, evidence={"document": "x"}), errors.GateWithoutEvidence)
    missing = world.refused("set_field", **bare, evidence={**EVIDENCE, "missing_pages": [3, 4]})
    assert isinstance(missing, errors.GatePagesMissing)
    assert "3, 4" in str(missing)


def test_opening_by_hand(world: World) -> None:
    world.to_gate("a")
    error = world.refused("gate_open", job_id="a", by="me")
    assert isinstance(error, errors.GateWithoutEvidence)
    assert error.exit_code == exit_codes.GATE_REFUSED
    ready(world, "a", value=False, missing=(2,))
    assert world.job("a").gate.state == "waiting"
    error = world.refused("gate_open", job_id="a", by="me")
    assert isinstance(error, errors.GatePagesMissing)
    assert error.exit_code == exit_codes.GATE_REFUSED
    answer = world.do("gate_open", job_id="a", by="me", why="page 2 is blank", partial=True)
    assert answer == {"version": world.job("a").version}
    gate = world.job("a").gate
    assert (gate.opened_by, gate.how, gate.why, gate.partial) == ("me", "manual", "page 2 is blank", True)
    error = world.refused("gate_open", job_id="a", by="you", partial=True)
    assert isinstance(error, errors.GateNotWaiting)
    assert error.exit_code == exit_codes.GATE_REFUSED
    assert "gate gate is open" in str(error)


def test_a_queued_job_waits_at_no_gate(world: World) -> None:
    world.submit("a")
    for op, args in {
        "gate_open": {},
        "gate_reject": {"why": "no"},
        "gate_fail": {"kind": "bad_input", "reason": "no"},
    }.items():
        assert isinstance(world.refused(op, job_id="a", by="me", **args), errors.GateNotWaiting)
        assert isinstance(world.refused(op, job_id="z", by="me", **args), errors.UnknownJob)


def test_a_rejected_gate_cancels_its_job(world: World) -> None:
    world.to_gate("a")
    world.do("gate_reject", job_id="a", by="me", why="not ours")
    assert [event.type for event in world.log()[-2:]] == [EventType.GATE_REJECTED, EventType.JOB_CANCELLED]
    job = world.job("a")
    assert (job.state, job.gate.state, job.reason) == ("cancelled", "rejected", "not ours")


def test_a_failed_gate_fails_its_job(world: World) -> None:
    world.to_gate("a")
    world.do("gate_fail", job_id="a", by="pdf", kind="bad_input", reason="encrypted")
    assert [event.type for event in world.log()[-2:]] == [EventType.GATE_FAILED, EventType.JOB_FAILED]
    job = world.job("a")
    assert (job.state, job.gate.state, job.failure_kind, job.stage) == ("failed", "failed", "bad_input", "gate")


def test_finished_jobs_have_no_fields_set(world: World) -> None:
    world.submit("a")
    world.do("cancel", job_id="a", by="me", why="no")
    args = {"job_id": "a", "field": "pdf_ir_ready", "value": False, "by": "pdf"}
    assert isinstance(world.refused("set_field", **args), errors.IllegalTransition)


@pytest.mark.parametrize("args", [{"field": "post_pdf_started"}, {"field": "A b"}, {"value": 1.5}, {"value": None}])
def test_some_fields_and_values_cannot_be_set(world: World, args: dict[str, object]) -> None:
    world.submit("a")
    wanted = {"job_id": "a", "field": "pdf_downloaded", "value": True, "by": "me", **args}
    assert isinstance(world.refused("set_field", **wanted), errors.MalformedCommand)


def test_a_condition_holds_for_exactly_its_value() -> None:
    assert satisfied(Condition("f", True), {"f": True})
    assert not satisfied(Condition("f", True), {"f": 1})
    assert not satisfied(Condition("f", 1), {"f": True})
    assert not satisfied(Condition("f", False), {})


def test_open_gates_become_releases_that_stay_until_launched(world: World) -> None:
    jobs = [f"j{n:02}" for n in range(50)]
    world.submit(*jobs, pipeline="gated")
    batch = world.claim(limit=50)
    world.run(batch)
    world.record(batch, waiting(jobs))
    assert world.do("releases") == []
    for job_id in jobs:
        ready(world, job_id)
    first = world.do("releases")
    assert [len(release["jobs"]) for release in first] == [48, 2]
    assert {(release["segment"], release["half"], release["pipeline"]) for release in first} == {(1, 1, "gated")}
    assert world.do("releases") == first
    world.restart()
    assert world.do("releases") == first


def test_a_launched_release_is_claimed_as_one_batch_of_that_run(world: World) -> None:
    world.to_gate("a", "b")
    for job_id in "ab":
        ready(world, job_id)
    (release,) = world.do("releases")
    assert world.do("launch", run_id="r1", release_id=release["release_id"], by="sensor") == {"jobs": ["a", "b"]}
    assert world.do("releases") == []
    error = world.refused("launch", run_id="r2", release_id=release["release_id"], by="sensor")
    assert isinstance(error, errors.UnknownRelease)
    world.submit("c", "d")
    batch = world.claim(limit=1)
    assert (batch["batch_id"], ids(batch), batch["half"], batch["segment"]) == ("r1", ["a", "b"], 1, 1)
    assert batch["jobs"][0]["fields"]["post_pdf_started"] is True
    assert batch["jobs"][0]["outputs"]["document"] == DOCUMENT
    world.run(batch)
    world.record(batch, done(ids(batch)))
    assert world.job("a").state == "completed"


def test_a_cancelled_job_leaves_its_release(world: World) -> None:
    world.to_gate("a", "b")
    for job_id in "ab":
        ready(world, job_id)
    (release,) = world.do("releases")
    world.do("cancel", job_id="a", by="me", why="no")
    assert world.do("releases")[0]["jobs"] == ["b"]
    world.do("cancel", job_id="b", by="me", why="no")
    assert world.do("releases") == []
    error = world.refused("launch", run_id="r1", release_id=release["release_id"], by="sensor")
    assert isinstance(error, errors.UnknownRelease)


def test_a_retry_of_what_failed_at_the_gate_waits_there_again(world: World) -> None:
    world.to_gate("a")
    world.do("gate_fail", job_id="a", by="pdf", kind="timeout", reason="too slow")
    assert world.do("retry", job_id="a", by="me")["from_stage"] == "gate"
    job = world.job("a")
    assert (job.state, job.gate.state, job.execution) == ("waiting_gate", "waiting", 2)
    told = world.log()[-1].data
    assert isinstance(told, GateWaiting)
    assert replace(told, batch=None) == waiting(["a"])
    ready(world, "a")
    assert world.job("a").gate.state == "open"


def test_a_retry_from_before_the_gate_asks_for_the_document_again(world: World) -> None:
    world.to_gate("a")
    ready(world, "a")
    world.do("cancel", job_id="a", by="me", why="a better PDF is there")
    world.do("retry", job_id="a", from_stage="download", by="me")
    assert "pdf_ir_ready" not in world.job("a").fields
    batch = world.claim()
    world.run(batch)
    world.record(batch, waiting(["a"]))
    assert world.job("a").gate.state == "waiting"


def test_a_retry_from_after_the_gate_keeps_the_document(world: World) -> None:
    world.to_gate("a")
    ready(world, "a")
    (release,) = world.do("releases")
    world.do("launch", run_id="r1", release_id=release["release_id"], by="sensor")
    world.do("cancel", job_id="a", by="me", why="stop")
    world.do("retry", job_id="a", from_stage="chunk", by="me")
    batch = world.claim()
    assert (batch["half"], batch["stages"], batch["jobs"][0]["outputs"]["document"]) == (1, ["chunk"], DOCUMENT)


def test_launching_jobs_by_name(world: World) -> None:
    world.submit("a", "b")
    assert world.do("launch", run_id="r1", job_ids=["b"], by="page") == {"jobs": ["b"]}
    assert isinstance(world.refused("launch", run_id="r1", job_ids=["a"], by="page"), errors.BatchIdTaken)
    batch = world.claim(limit=1)
    assert ids(batch) == ["a"]
    assert isinstance(world.refused("launch", run_id="r2", job_ids=["a"], by="page"), errors.IllegalTransition)
    batch = world.claim(limit=1)
    assert (batch["batch_id"], ids(batch)) == ("r1", ["b"])
    world.run(batch)
    world.record(batch, done(["b"]))
    world.do("launch", run_id="r3", job_ids=["b"], from_stage="chunk", by="page")
    batch = world.claim()
    assert (batch["batch_id"], batch["stages"], batch["jobs"][0]["execution"]) == ("r3", ["chunk"], 2)


def test_jobs_at_different_points_are_not_launched_together(world: World) -> None:
    world.submit("a")
    world.submit("b", pipeline="gated")
    error = world.refused("launch", run_id="r1", job_ids=["a", "b"], by="page")
    assert isinstance(error, errors.MixedLaunch)
    assert "plain" in str(error)
    assert isinstance(world.refused("launch", run_id="r1", by="page"), errors.MalformedCommand)


def test_what_stood_behind_a_gate_before_is_not_forgotten(world: World) -> None:
    world.to_gate("a")
    ready(world, "a", value=False, missing=(3,))
    other = {**EVIDENCE, "document": "f" * 64}
    world.do(
        "set_field", job_id="a", field="pdf_ir_ready", value=False, by="pdf", evidence={**other, "missing_pages": [4]}
    )
    assert world.job("a").earlier == [DOCUMENT, "e" * 64]
    world.do("cancel", job_id="a", by="anna", why="again")
    world.do("retry", job_id="a", from_stage="ingest", by="anna")
    assert world.job("a").evidence == {}
    assert world.job("a").earlier == [DOCUMENT, "e" * 64, "f" * 64]
