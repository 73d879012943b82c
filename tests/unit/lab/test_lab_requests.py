"""The work queue is compared with the jobs, and what others did to it or to the lab's topics is noticed."""

import pytest

from medkg_lab.broker.topics import TopicSpec
from medkg_lab.lab.removed import is_explained, removed_events
from medkg_lab.lab.requests import Queue, Request, compare
from medkg_lab.models.events import Event
from tests import told

DAY = 24 * 60 * 60
SPEC = TopicSpec("events", partitions=4, retention_days=7, retention_mib=100)


def request(offset: int, *jobs: str, partition: int = 0) -> Request:
    return Request(partition, offset, frozenset(jobs))


def what(queue: Queue, *jobs: str) -> list[str]:
    return [one["what"] for one in compare("q", queue, set(jobs)).differences]


def test_requests_that_became_jobs_or_dead_letters_or_wait_are_fine() -> None:
    requests = [request(0, "a", "a2"), request(1), request(2, "a"), request(3, "b"), request(4)]
    queue = Queue(requests, {"q/0@1"}, read={0: 3}, oldest={0: 0}, committed={0: 3})
    found = compare("q", queue, {"a"})
    assert (found.requests, found.dead, found.waiting, found.differences) == (5, 1, 2, [])


@pytest.mark.parametrize("lost", [request(0, "lost"), request(0)])
def test_a_request_that_was_read_and_has_no_job_is_a_difference(lost: Request) -> None:
    assert what(Queue([lost], read={0: 1}), "a") == ["request without a job"]


def test_a_dead_letter_of_another_place_excuses_nothing() -> None:
    assert what(Queue([request(0)], {"q/1@0", "q/0@00"}, read={0: 1})) == ["request without a job"]


def test_what_others_did_is_a_difference() -> None:
    queue = Queue(read={0: 3, 1: 5}, oldest={0: 7, 1: 5}, committed={0: 4, 1: 5, 2: 1}, members=["k2"])
    assert what(queue) == [
        "requests deleted before they were read",
        "offset of group medkg-intake committed by somebody else",
        "offset of group medkg-intake committed by somebody else",
        "others are in group medkg-intake",
    ]


@pytest.mark.parametrize(
    ("age_days", "mib", "explained"), [(6.9, 49, False), (7, 0, True), (0, 50, True), (0, 0, False)]
)
def test_age_or_size_explains_what_is_gone(age_days: float, mib: int, explained: bool) -> None:
    assert is_explained(SPEC, age_days * DAY, mib * 2**20) is explained


def event(seq: int, age_days: float, kind: str = "job.completed") -> Event:
    return told.event(kind, ["a"], seq=seq, ts=100 * DAY - age_days * DAY)


def test_young_events_without_their_cloudevent_were_deleted() -> None:
    events = [event(1, 9), event(2, 3), event(3, 2, "job.claimed"), event(4, 2), event(5, 1), event(6, 0)]
    assert removed_events(events, {"e4:a"}, 5, 100 * DAY, SPEC, 0) == 2
    assert removed_events(events, {"e4:a"}, 5, 100 * DAY, SPEC, 60 * 2**20) == 0
    assert removed_events(events, {"e2:a", "e4:a", "e5:a"}, 5, 100 * DAY, SPEC, 0) == 0


def test_what_is_older_than_the_retention_itself_may_have_gone_by_the_one_before() -> None:
    events = [event(1, 4), event(2, 3), event(3, 1)]
    assert removed_events(events, set(), 3, 100 * DAY, SPEC, 0, since=98 * DAY) == 1
    assert removed_events(events, set(), 3, 100 * DAY, SPEC, 0, since=float("inf")) == 0
