"""The contract of the ledger's storage: what DuckDB's files and plain memory answer is the same, and what the ports say."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from medkg_lab.ledger.errors import QueryFailed, QueryRefused
from medkg_lab.ledger.memory import MemoryEventLog, MemoryJobViews
from medkg_lab.ledger.ports import EventLog, JobViews
from medkg_lab.ledger.query import FILTERS
from medkg_lab.ledger.store import EventStore
from medkg_lab.ledger.views import Views
from medkg_lab.models.event_codec import encode, to_row
from medkg_lab.models.events import command_of
from tests.told import event
from tests.unit.ledger.test_ledger_walks import Walk
from tests.unit.ledger.worlds import World, canonical

SQL = "SELECT state, count(*), max(length(record)) FROM job GROUP BY state ORDER BY state"


@pytest.fixture(params=["duckdb", "memory"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EventLog]:
    made = EventStore(tmp_path / "ledger.duckdb") if request.param == "duckdb" else MemoryEventLog()
    yield made
    made.close()


def test_a_log_gives_back_what_it_was_given(log: EventLog) -> None:
    ids = ["c1", "c1~1", "c2", "c3", "c3~1"]
    events = [event("job.cancelled", [f"j{n}"], seq=n) for n in range(1, 6)]
    rows = [(each.seq, name, *to_row(encode(each))[2:]) for each, name in zip(events, ids, strict=True)]
    assert [command_of(name) for name in ids] == ["c1", "c1", "c2", "c3", "c3"]
    log.append(rows[:2])
    log.append(rows[2:])
    reader = log.reader()
    assert (log.head, log.low, log.reaches(0), log.has_room()) == (5, 0, True, True)
    assert reader.rows(1, 2) == rows[1:3]
    assert reader.rows(0, 9, "j4") == [rows[3]]
    assert [each.seq for each in reader.after(3, 9)] == [4, 5]
    assert [each.seq for part in reader.all_after(0) for each in part] == [1, 2, 3, 4, 5]
    assert list(reader.all_after(5)) == []
    assert reader.last(2) == [(4, "c3"), (5, "c3~1")]
    assert [each.seq for each in reader.at([4, 2])] == [2, 4]
    assert [each.id for each in reader.of_commands(["c3", "nobody", "c1"])] == ["c1", "c1~1", "c3", "c3~1"]
    reader.close()


def asked(world: World) -> dict[str, Any]:
    """Everything that the ports answer."""
    core = world.core
    core.project()
    views, reader = core.views, core.views.reader()
    everyone = sorted({job_id for each in world.log() for job_id in each.jobs} | {"nobody"})
    loaded = reader.load()
    keys = [(job.spec.tenant_id, job.spec.doc_id) for job in reader.jobs(everyone)]
    with views.questions() as questions:
        lists = [questions.jobs({}, 100, None), questions.jobs({}, 3, None)]
        lists += [questions.jobs({}, 100, lists[0][1].job_id), questions.jobs({}, 100, "nobody")]
        first = next(job for job in lists[0] if job.source == "file")
        values = {"state": first.state, "pipeline": first.pipeline, "doc": first.doc_id, "tenant": first.tenant_id}
        values |= {"correlation": first.correlation_id, "source": "file"}
        lists += [questions.jobs({name: values[name]}, 100, None) for name in FILTERS]
        lists += [questions.jobs({"doc": f"file:{first.doc_key}", "tenant": "another"}, 100, None)]
        found = {
            "state": canonical(loaded),
            "jobs": sorted(reader.jobs(everyone), key=lambda job: job.id),
            "documents": reader.documents([*keys, ("default", "nobody")]),
            "lists": [orjson.loads(orjson.dumps(each)) for each in lists],
            "gates": [questions.gates(state) for state in (None, "waiting", "open")],
            "select": questions.select(SQL, [], 3, 10.0),
        }
        for wrong, error in (("DELETE FROM job", QueryRefused), ("SELECT nobody FROM job", QueryFailed)):
            with pytest.raises(error):
                questions.select(wrong, [], 3, 10.0)
    reader.close()
    # Without the ids: those of the ledger's own commands are of chance.
    log = [(row[0], *row[2:]) for row in world.core.store.reader().rows(0, 10_000)]
    return found | {"seq": views.seq, "log": log}


@pytest.mark.parametrize("seed", [3, 4])
def test_both_storages_answer_alike_whatever_happens(tmp_path: Path, seed: int) -> None:
    answers = []
    for in_memory in (False, True):
        folder = tmp_path / str(in_memory) / "same"
        folder.mkdir(parents=True)
        walk = Walk(folder, seed, in_memory)
        walk.go(150)
        answers.append(asked(walk.world))
        walk.world.core.close()
    files, memory = answers
    assert memory.keys() == files.keys()
    for name in files:
        assert memory[name] == files[name], name
    assert files["jobs"]


def test_both_are_what_the_ports_say(tmp_path: Path) -> None:
    store = EventStore(tmp_path / "ledger.duckdb")
    logs: list[EventLog] = [store, MemoryEventLog()]
    views: list[JobViews] = [Views(tmp_path / "views.duckdb", store.archive.folder), MemoryJobViews()]
    assert {each.head for each in logs} == {each.seq for each in views} == {0}
    for each in views:
        each.discard()
        assert each.reader().load().jobs == {}
        each.close()
    store.close()
