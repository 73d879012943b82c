"""What the ledger's events mean for the knowledge store."""

import pytest

from medkg_lab.knowledge.effects import Action, Effect, effects
from tests.told import event


def test_a_completed_job_is_published() -> None:
    assert effects([event("job.completed", ["a", "b"], unchanged=False)]) == [
        Effect(Action.PUBLISH, "a"),
        Effect(Action.PUBLISH, "b"),
    ]


@pytest.mark.parametrize("kind", ["job.failed", "job.dead", "job.cancelled", "gate.failed", "gate.rejected"])
def test_a_job_that_ended_otherwise_is_parked(kind: str) -> None:
    assert effects([event(kind, ["a"])]) == [Effect(Action.PARK, "a")]


def test_an_unchanged_document_publishes_nothing() -> None:
    assert effects([event("job.completed", ["a"], unchanged=True)]) == [Effect(Action.PARK, "a")]


def test_an_expired_batch_is_fenced_and_its_jobs_are_left_alone() -> None:
    assert effects([event("batch.expired", ["a"], batch="b7")]) == [Effect(Action.FENCE, "b7")]


def test_a_deleted_document_takes_what_its_jobs_staged_with_it() -> None:
    assert effects([event("document.deleted", ["a", "b"])]) == [Effect(Action.DELETE, "a"), Effect(Action.DELETE, "b")]


def test_other_events_have_no_effect_and_order_is_kept() -> None:
    log = [event("stage.completed", ["a"]), event("job.failed", ["a"]), event("job.requeued", ["a"])]
    assert effects([*log, event("job.completed", ["a"])]) == [Effect(Action.PARK, "a"), Effect(Action.PUBLISH, "a")]
