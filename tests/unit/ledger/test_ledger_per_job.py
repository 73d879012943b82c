"""What of an event belongs to one of its jobs: the list in `ledger/events.py` knows every such entry that the commands write."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from medkg_lab.ledger.events import PER_JOB, Event, of_jobs
from tests.unit.ledger.test_ledger_walks import STEPS, Walk


def entries_per_job(events: Iterable[Event]) -> set[str]:
    """The keys that hold an entry per job, going by the events alone: by the number of the jobs, or by their ids."""
    lengths: dict[str, set[tuple[int, int]]] = defaultdict(set)
    found: set[str] = set()
    for event in events:
        for key, value in event.data.items():
            if isinstance(value, list | tuple):
                lengths[key].add((len(value), len(event.jobs)))
            elif isinstance(value, dict) and set(value) & set(event.jobs):
                found.add(key)
    for key, pairs in lengths.items():
        if len({jobs for _, jobs in pairs}) > 1 and all(length == jobs for length, jobs in pairs):
            found.add(key)
    return found


def test_every_entry_per_job_that_is_ever_written_is_listed(tmp_path: Path) -> None:
    events: list[Event] = []
    for seed in range(5):
        (tmp_path / str(seed)).mkdir()
        walk = Walk(tmp_path / str(seed), seed)
        walk.go(STEPS)
        events += walk.check()
    found = entries_per_job(events)
    assert found - PER_JOB == set(), "a command writes an entry per job that PER_JOB does not have: add it there"
    # The walks open gates and import jobs one by one, and no stage runs over its deadline.
    assert found >= PER_JOB - {"entries", "over", "versions"}, "PER_JOB has a key that no command writes"


def test_a_part_of_an_event_has_the_entries_of_its_jobs_alone() -> None:
    data = {
        "docs": ["a", "b", "c"],
        "counts": [1, 2],
        "versions": {"j1": 5, "j3": 6},
        "stages": ["x", "y", "z"],
        "t0": 1.0,
    }
    assert of_jobs(data, ["j1", "j2", "j3"], {"j3"}) == {
        "docs": ["c"],
        "versions": {"j3": 6},
        "stages": ["x", "y", "z"],
        "t0": 1.0,
    }
