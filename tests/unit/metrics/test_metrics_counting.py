"""The same events give the same counts, however they are portioned, and whatever ends the process in between."""

import os
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from medkg_lab.ledger.state import FINISHED
from medkg_lab.ledger.view_file import Place
from medkg_lab.metrics import names
from medkg_lab.metrics.counting import SUM, Counting, JobNote, Series
from medkg_lab.metrics.counts import Counts
from medkg_lab.models.events import (
    Event,
    JobCompleted,
    JobFailed,
    JobImported,
    JobSubmitted,
    StageCompleted,
    StageFailed,
    StageSkipped,
    stamp,
)
from tests.unit.ledger.test_ledger_walks import Walk
from tests.unit.ledger.worlds import EVIDENCE, World, completed, done, failed, ids


@dataclass(frozen=True)
class Walked:
    """A long log, the jobs that are under way at its end, and the pipeline of every job."""

    events: list[Event]
    unfinished: set[str]
    pipelines: Mapping[str, str]


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Walked:
    walk = Walk(tmp_path_factory.mktemp("walk"), 7)
    walk.go(250)
    events = walk.world.log()
    core = walk.world.core
    specs = [spec for event in events if isinstance(event.data, JobSubmitted) for spec in event.data.entries]
    imported = [one.spec for event in events if isinstance(event.data, JobImported) for one in event.data.entries]
    unfinished = {job.id for job in core.state.jobs.values() if job.state not in FINISHED}
    core.close()
    return Walked(events, unfinished, {spec.job_id: spec.pipeline for spec in (*specs, *imported)})


def counted(events: Sequence[Event], pipelines: Mapping[str, str] | None = None) -> Counting:
    counting = Counting({}, lambda job_id: (pipelines or {}).get(job_id, "unknown"))
    for event in events:
        counting.add(event)
    return counting


def test_a_long_walk_is_counted_and_only_jobs_under_way_are_remembered(walked: Walked) -> None:
    events = walked.events
    counting = counted(events, walked.pipelines)
    assert {job_id for job_id, note in counting.notes.items() if note is not None} == walked.unfinished

    def total(metric: names.Metric, **labels: str) -> int:
        places = [(metric.labels.index(name), value) for name, value in labels.items()]
        return sum(
            value
            for one, value in counting.added.items()
            if one.metric == metric.name and one.part != SUM and all(one.labels[n] == label for n, label in places)
        )

    def happened(*kinds: type) -> int:
        return sum(len(event.jobs) for event in events if isinstance(event.data, kinds))

    types = Counter(event.type.value for event in events)
    assert {one.labels[0]: value for one, value in counting.added.items() if one.metric == names.EVENTS.name} == types
    assert total(names.JOBS_SUBMITTED) == happened(JobSubmitted, JobImported)
    assert total(names.STAGE_EXECUTIONS) == happened(StageCompleted, StageSkipped, StageFailed)
    assert total(names.STAGE_EXECUTIONS, outcome="completed") == happened(StageCompleted) == total(names.STAGE_DURATION)
    assert total(names.JOB_FAILURES) == total(names.JOBS_ENDED, outcome="failed") == happened(JobFailed)
    assert total(names.JOB_DURATION) == happened(JobCompleted)
    assert "unknown" not in {one.labels[0] for one in counting.added if one.metric == names.STAGE_EXECUTIONS.name}


@pytest.mark.parametrize("seed", range(3))
def test_portions_and_restarts_change_no_count(tmp_path: Path, walked: Walked, seed: int) -> None:
    events = walked.events
    path, pick = tmp_path / "counts.sqlite", random.Random(seed)

    def opened(name: str = path.name) -> Counts:
        return Counts(tmp_path / name, walked.pipelines.__getitem__)

    counts, at = opened(), 0
    while at < len(events):
        portion = events[at : at + pick.randint(1, 40)]
        if pick.random() < 0.3:
            with pytest.raises(RuntimeError, match="killed"):
                counts.apply([*portion, Killer(portion[-1].seq, "x", 0.0, portion[-1].data)])
        if pick.random() < 0.3:
            counts.close()
            counts = opened()
        counts.apply(portion)
        at += len(portion)
    whole = opened("whole.sqlite")
    whole.apply(events)
    assert counts.totals() == whole.totals() != {}
    counts.close()
    assert opened().totals() == whole.totals()
    assert opened().place == Place(events[-1].seq, events[-1].id)
    assert os.stat(path).st_mode & 0o777 == 0o600


class Killer(Event):
    """An event in the middle of which the process ends."""

    __slots__ = ()

    @property
    def type(self) -> "object":  # type: ignore[override]
        raise RuntimeError("killed")


def test_what_a_gate_and_a_job_took_is_observed(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.to_gate("a", "b", "c")
    waiting_since = world.log()[-1].ts
    world.clock += 100
    world.do("set_field", job_id="b", field="pdf_ir_ready", value=True, by="pdf", evidence=EVIDENCE)
    world.do("gate_reject", job_id="a", by="someone", why="unreadable")
    world.do("cancel", job_id="c", by="someone", why="not needed")
    added = counted(world.log()).added
    waits = {
        one.labels[2]: value / 1e6
        for one, value in added.items()
        if one.metric == names.GATE_WAIT.name and one.part == SUM
    }
    assert waits.keys() == {"rejected", "opened", "cancelled"}
    assert all(99 < seconds < 101 + waiting_since for seconds in waits.values())
    assert Series(names.GATE_WAIT.name, ("gated", "gate", "opened"), "3") in added


def test_each_bucket_has_what_is_at_most_its_bound() -> None:
    counting = Counting({"j": JobNote("plain", 0.0)}, str)
    for ms in (1.0, 1.1, 299_999.0, 300_001.0):
        data = completed("chunk", ["j"])
        entry = data.entries[0]._replace(ms=ms)
        [event] = stamp([StageCompleted("chunk", 0.0, 1.0, (entry,), data.kind, "x", None)], "c", 0, 1.0)
        counting.add(event)
    parts = {
        one.part: value
        for one, value in counting.added.items()
        if one.metric == names.STAGE_DURATION.name and one.part != SUM
    }
    last = len(names.STAGE_DURATION.bounds)
    assert parts == {"0": 1, "1": 1, str(last - 1): 1, str(last): 1}


def test_a_job_that_is_run_again_and_fails_is_counted_twice(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.submit("a")
    batch = world.claim()
    world.record(batch, *failed("ingest", "a"))
    world.do("retry", job_id="a", by="someone")
    batch = world.claim()
    world.run(batch)
    world.record(batch, done(ids(batch)))
    added = counted(world.log(), {"a": "plain"}).added
    assert added[Series(names.JOBS_ENDED.name, ("plain", "failed"))] == 1
    assert added[Series(names.JOBS_ENDED.name, ("plain", "completed"))] == 1
    assert added[Series(names.JOBS_REQUEUED.name, ("person",))] == 1
    assert added[Series(names.STAGE_FAILURES.name, ("plain", "ingest", "bad_input"))] == 1
