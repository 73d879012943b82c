"""The completeness proof finds every kind of difference, and none where the sides agree."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from medkg_lab.lab.verify import compare, fold, of_known, topic_mark, without_leading
from medkg_lab.models.events import Event
from medkg_lab.orchestration.runs import RecordedRun, visible_run_id
from tests import told


def event(seq: int, name: str, jobs: list[str], stage: str | None = None, **data: Any) -> Event:
    return told.event(name, jobs, stage, seq=seq, batch="b", **data)


def history() -> list[Event]:
    return [
        event(1, "job.submitted", ["a", "b"]),
        event(2, "job.claimed", ["a", "b"], half=0, executions=[1, 1]),
        event(3, "stage.started", ["a", "b"], "parse"),
        event(4, "stage.failed", ["b"], "parse", kind="bad_input"),
        event(5, "job.failed", ["b"]),
        event(6, "stage.completed", ["a"], "parse"),
        event(7, "stage.started", ["a"], "chunk"),
        event(8, "batch.expired", ["a"], reason="lease"),
        event(9, "job.claimed", ["a"], half=0, executions=[2]),
        event(10, "stage.started", ["a"], "chunk"),
        event(11, "stage.completed", ["a"], "chunk"),
        event(12, "stage.skipped", ["a"], "embed"),
        event(13, "job.completed", ["a"]),
    ]


def topic() -> Counter[str]:
    return Counter(fold(history()).cloud_ids)


def run(job: str, execution: int, status: str, **steps: str) -> RecordedRun:
    return recorded(visible_run_id(job, 0, execution), job, status, steps)


def recorded(run_id: str, job: str, status: str = "SUCCESS", steps: Mapping[str, str] | None = None) -> RecordedRun:
    return RecordedRun(
        run_id=run_id, job_id=job, half=0, execution=1, status=status, steps=steps or {}, pipeline="p", version=None,
        batch=None, gate=None, release=None,
    )  # fmt: skip


def runs() -> dict[str, RecordedRun]:
    made = [
        run("b", 1, "FAILURE", parse="FAILURE"),
        run("a", 1, "FAILURE", parse="SUCCESS", chunk="FAILURE"),
        run("a", 2, "SUCCESS", chunk="SUCCESS", embed="SKIPPED"),
    ]
    return {one.run_id: one for one in made}


def test_sides_that_agree_differ_in_nothing() -> None:
    assert compare(fold(history()), topic(), runs()) == []


def test_redelivered_events_are_fine() -> None:
    assert compare(fold(history()), topic() + topic(), runs()) == []


def what(differences: Sequence[Mapping[str, object]]) -> list[object]:
    return [one["what"] for one in differences]


def test_a_missing_cloud_event_is_found() -> None:
    less = topic()
    del less["e6:a"]
    assert compare(fold(history()), less, runs()) == [{"what": "CloudEvent missing on the topic", "id": "e6:a"}]


def test_an_unknown_cloud_event_is_found() -> None:
    assert what(compare(fold(history()), topic() + Counter(["x:y"]), runs())) == ["CloudEvent unknown to the ledger"]


@pytest.mark.parametrize("execution", [1, 2])
def test_a_missing_run_is_found(execution: int) -> None:
    left = runs()
    del left[visible_run_id("a", 0, execution)]
    assert what(compare(fold(history()), topic(), left)) == ["Dagster run missing"]


def test_a_wrong_status_and_a_wrong_step_are_found() -> None:
    wrong = runs()
    wrong[visible_run_id("a", 0, 2)] = run("a", 2, "STARTED", chunk="IN_PROGRESS", embed="SKIPPED")
    assert what(compare(fold(history()), topic(), wrong)) == [
        "Dagster run has another status",
        "Dagster step has another state",
    ]


def test_a_step_that_dagster_alone_has_is_found() -> None:
    wrong = runs()
    wrong[visible_run_id("a", 0, 2)] = run("a", 2, "SUCCESS", chunk="SUCCESS", embed="SKIPPED", kg="SUCCESS")
    assert what(compare(fold(history()), topic(), wrong)) == ["Dagster step has another state"]


def test_an_unknown_run_is_found() -> None:
    more = runs() | {"r": recorded("r", "zz")}
    assert what(compare(fold(history()), topic(), more)) == ["Dagster run unknown to the ledger"]


def test_two_outcomes_of_one_execution_are_found() -> None:
    twice = [*history()[:6], event(99, "stage.completed", ["a"], "parse"), *history()[6:]]
    assert "stage execution with several outcomes" in what(compare(fold(twice), topic() + Counter(["e99:a"]), runs()))


def test_an_execution_without_an_outcome_is_found() -> None:
    lost = [one for one in history() if one.seq != 11]
    assert "stage execution without an outcome" in what(compare(fold(lost), topic(), runs()))


def gate_history(*last: Event) -> list[Event]:
    return [
        event(1, "job.claimed", ["p"], half=0, executions=[1]),
        event(2, "stage.started", ["p"], "ingest"),
        event(3, "stage.completed", ["p"], "ingest"),
        event(4, "gate.waiting", ["p"], "pdf_gate"),
        *last,
    ]


@pytest.mark.parametrize(
    ("last", "status", "steps"),
    [
        ([event(5, "gate.opened", ["p"], "pdf_gate")], "SUCCESS", {"ingest": "SUCCESS", "pdf_gate": "SUCCESS"}),
        (
            [event(5, "gate.failed", ["p"], "pdf_gate"), event(6, "job.failed", ["p"])],
            "FAILURE",
            {"ingest": "SUCCESS", "pdf_gate": "FAILURE"},
        ),
        ([event(5, "gate.rejected", ["p"], "pdf_gate")], "CANCELED", {"ingest": "SUCCESS", "pdf_gate": "FAILURE"}),
        ([event(5, "job.cancelled", ["p"])], "CANCELED", {"ingest": "SUCCESS", "pdf_gate": "FAILURE"}),
        ([], "STARTED", {"ingest": "SUCCESS", "pdf_gate": "IN_PROGRESS"}),
    ],
)
def test_a_gate_is_a_marker_in_the_run_that_came_to_it(last: list[Event], status: str, steps: dict[str, str]) -> None:
    side = fold(gate_history(*last))
    made = run("p", 1, status, **steps)
    assert compare(side, Counter(side.cloud_ids), {made.run_id: made}) == []
    made.steps["pdf_gate"] = "SKIPPED"
    assert what(compare(side, Counter(side.cloud_ids), {made.run_id: made})) == ["Dagster step has another state"]


def test_only_what_began_above_the_low_water_mark_counts() -> None:
    side = fold(history(), mark=8)
    assert set(side.runs) == {("a", 0, 2)}
    newer = Counter(fold(history()).cloud_ids - {"e1:a", "e1:b", "e3:a", "e6:a"})
    kept = {run_id: one for run_id, one in runs().items() if one.job_id == "a"}
    assert compare(side, newer, kept) == []
    assert what(compare(side, newer - Counter(["e11:a"]), kept)) == ["CloudEvent missing on the topic"]
    assert what(compare(side, newer, {})) == ["Dagster run missing"]
    assert compare(side, topic(), runs()) == []


def test_a_run_that_goes_on_over_the_mark_is_left_out() -> None:
    goes_on = [*history()[:9], event(10, "job.claimed", ["a"], half=0, executions=[2])]
    assert fold(goes_on, mark=9).runs == {}


def test_the_topic_tells_what_retention_took() -> None:
    published = [(0, "e6:a"), (0, "e7:a"), (1, "e4:b"), (1, "e5:b")]
    assert topic_mark(history(), published, set()) == 0
    assert topic_mark(history(), published, {0}) == 5
    assert topic_mark(history(), published, {0, 1}) == 5
    assert topic_mark(history(), published, {2}) == 13


def test_records_older_than_the_ledger_are_passed_over() -> None:
    published = [(0, "gone:x"), (0, "e6:a"), (0, "odd:x"), (1, "gone:y")]
    assert without_leading(published, {"e6:a"}) == ["e6:a", "odd:x"]


def test_runs_of_forgotten_events_are_not_missed_by_what_came_later() -> None:
    ledger = fold(
        [event(9, "field.set", ["old"]), event(10, "job.submitted", ["new"]), event(11, "job.claimed", ["new"])], 8
    )
    mine, forgotten = visible_run_id("new", 0, 1), visible_run_id("old", 0, 1)
    invented = visible_run_id("new", 0, 7)
    runs = {one: recorded(one, job) for one, job in ((mine, "new"), (forgotten, "old"), (invented, "new"))}
    assert set(of_known(ledger, runs)) == {mine, invented}
