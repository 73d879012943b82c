"""A batch that is asked for ahead of time: it is taken, or given back, and never lost on the way."""

import threading

from medkg_lab.engine.batch_prefetcher import BatchPrefetcher
from medkg_lab.errors import LabError
from medkg_lab.ledger.answers import ClaimedBatch
from tests import answers
from tests.waiting import wait_until

BATCH = answers.batch("b")


class Away(LabError):
    """The ledger is away."""


def ahead(keep_seconds: float = 30.0) -> tuple[BatchPrefetcher, list[str]]:
    returned: list[str] = []
    return BatchPrefetcher(returned.append, keep_seconds), returned


def test_what_was_asked_for_is_taken_once() -> None:
    made, returned = ahead()
    asked = threading.Event()

    def ask() -> ClaimedBatch:
        asked.set()
        return BATCH

    made.start(0.0, ask)
    assert asked.wait(10)
    assert made.pop() is BATCH
    assert made.pop() is None
    assert returned == []


def test_a_question_on_its_way_is_waited_for() -> None:
    made, _ = ahead()
    asked, answer = threading.Event(), threading.Event()

    def ask() -> ClaimedBatch:
        asked.set()
        answer.wait(10)
        return BATCH

    made.start(0.0, ask)
    assert asked.wait(10)
    threading.Timer(0.05, answer.set).start()
    assert made.pop() is BATCH


def test_taking_before_the_time_leaves_the_question_out() -> None:
    made, _ = ahead()
    made.start(60.0, lambda: answers.batch("never"))
    assert made.pop() is None
    made.start(0.0, lambda: BATCH)
    wait_until(lambda: made._batch is BATCH, 10, "the second question to be answered")
    assert made.pop() is BATCH


def test_a_batch_that_nobody_takes_is_given_back() -> None:
    made, returned = ahead(keep_seconds=0.05)
    made.start(0.0, lambda: BATCH)
    wait_until(lambda: returned == ["b"], 10, "the batch to be given back")
    assert made.pop() is None


def test_a_ledger_that_is_away_is_no_batch() -> None:
    made, returned = ahead()
    asked = threading.Event()

    def ask() -> None:
        asked.set()
        raise Away

    made.start(0.0, ask)
    assert asked.wait(10)
    assert made.pop() is None
    assert returned == []
