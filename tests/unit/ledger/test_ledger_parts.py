"""The parts: migrations, the event file, the views, the ring, positions, definitions."""

import os
import stat
from pathlib import Path

import duckdb
import pytest

from medkg_lab.ledger import errors
from medkg_lab.ledger.migrations import MIGRATIONS, migrate
from medkg_lab.ledger.positions import Positions
from medkg_lab.ledger.ring import Ring
from medkg_lab.ledger.store import EventStore
from medkg_lab.models.event_codec import Encoded, encode, from_row, to_row
from medkg_lab.models.events import JobCancelled, JobDead, command_of, stamp
from tests.unit.ledger.worlds import VERSIONS, World, done, registrations


def some(count: int, after: int = 0) -> list[Encoded]:
    """Encoded events."""
    draft = JobCancelled(("a", "b"), "ü", "no")
    return [encode(stamp([draft], f"c{n}", n, 5.0)[0]) for n in range(after, after + count)]


def test_an_event_is_read_as_it_was_written() -> None:
    (one,) = some(1)
    assert from_row(to_row(one)) == one.event
    with pytest.raises(ValueError, match="unheard"):
        from_row((1, "a", 0.0, "unheard.of", None, None, "[]", "{}"))


def test_the_events_of_a_command_share_its_id() -> None:
    events = stamp([JobDead((), "lost", 3, None, None)] * 2, "c", 7, 1.0)
    assert [(event.seq, event.id) for event in events] == [(8, "c"), (9, "c~1")]
    assert {command_of(event.id) for event in events} == {"c"}


def test_migrations_are_recorded_and_done_once(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "f")) as connection:
        assert migrate(connection, "f") == len(MIGRATIONS)
        assert (
            migrate(connection, "f", (*MIGRATIONS, "ALTER TABLE event ADD COLUMN more INTEGER")) == len(MIGRATIONS) + 1
        )
        assert connection.execute("SELECT count(*) FROM schema_migration WHERE length(sha256) = 64").fetchall() == [
            (len(MIGRATIONS) + 1,)
        ]
        with pytest.raises(errors.LedgerFromElsewhere, match="knows 1"):
            migrate(connection, "f")
        with pytest.raises(errors.LedgerFromElsewhere, match="step 1 differs"):
            migrate(connection, "f", ("CREATE TABLE other(a INT)", "x"))


def test_a_migration_that_fails_leaves_the_old_version(tmp_path: Path) -> None:
    path = tmp_path / "f"
    connection = duckdb.connect(str(path))
    migrate(connection, "f")
    with pytest.raises(duckdb.Error):
        migrate(connection, "f", (*MIGRATIONS, "CREATE TABLE half(a INT); CREATE TABLE half(a INT)"))
    connection.close()
    with duckdb.connect(str(path)) as connection:
        assert migrate(connection, "f") == len(MIGRATIONS)
        assert connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'half'").fetchall() == []


def test_the_event_file_reads_what_was_appended(tmp_path: Path) -> None:
    store = EventStore(tmp_path / "ledger.duckdb")
    store.append([to_row(each) for each in some(5)])
    reader = store.reader()
    assert [event.seq for event in reader.after(2, 2)] == [3, 4]
    assert reader.rows(0, 9, "a")[0][6] == '["a","b"]'
    assert reader.rows(0, 9, "c") == []
    assert reader.last(2) == [(4, "c3"), (5, "c4")]
    assert [event.id for event in reader.at([2, 4])] == ["c1", "c3"]
    assert [event.seq for event in reader.of_commands(["c1", "zz"])] == [2]
    store.close()
    assert EventStore(tmp_path / "ledger.duckdb").head == 5


def test_only_one_owner(tmp_path: Path) -> None:
    store = EventStore(tmp_path / "ledger.duckdb")
    with pytest.raises(errors.LedgerInUse):
        EventStore(tmp_path / "ledger.duckdb")
    store.close()


def test_a_file_that_ends_too_early_is_refused(tmp_path: Path) -> None:
    store = EventStore(tmp_path / "ledger.duckdb")
    store.append([to_row(each) for each in some(5)])
    store.close()
    (tmp_path / "ledger.duckdb.hwm").write_bytes((9).to_bytes(8, "little"))
    with pytest.raises(errors.LedgerShort, match="ends at event 5, but event 9"):
        EventStore(tmp_path / "ledger.duckdb")
    (tmp_path / "ledger.duckdb").unlink()
    with pytest.raises(errors.LedgerShort, match="ends at event 0"):
        EventStore(tmp_path / "ledger.duckdb")


def test_a_gap_is_refused(tmp_path: Path) -> None:
    store = EventStore(tmp_path / "ledger.duckdb")
    store.append([to_row(each) for each in [*some(3), *some(2, after=7)]])
    store.close()
    with pytest.raises(errors.LedgerDamaged, match="5 events from 1 to 9"):
        EventStore(tmp_path / "ledger.duckdb")


def test_a_first_start_that_was_cut_off_is_no_damage(tmp_path: Path) -> None:
    (tmp_path / "ledger.duckdb").touch()
    assert EventStore(tmp_path / "ledger.duckdb").head == 0


def test_views_of_another_schema_or_without_sense_are_made_again(world: World) -> None:
    world.submit("a")
    world.core.close()
    with duckdb.connect(str(world.folder / "views.duckdb")) as connection:
        connection.execute("UPDATE memory SET record = '\"older\"' WHERE name = 'schema'")
    world.core = world.open()
    assert world.core.views.reader().position() == world.core.store.head
    world.core.close()
    (world.folder / "views.duckdb").write_bytes(b"nonsense" * 1000)
    world.core = world.open()
    assert world.core.views.cursor().execute("SELECT job_id FROM job").fetchall() == [("a",)]


def test_views_ahead_of_the_events_are_made_again(world: World) -> None:
    world.submit("a")
    world.core.close()
    with duckdb.connect(str(world.folder / "views.duckdb")) as connection:
        connection.execute("UPDATE position SET seq = seq + 100")
        connection.execute("UPDATE job SET state = 'completed'")
    world.core = world.open()
    assert world.core.views.cursor().execute("SELECT state FROM job").fetchall() == [("queued",)]


def test_the_ring_forgets_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medkg_lab.ledger.ring.MAX_EVENTS", 4)
    ring = Ring(10)
    assert (ring.after(10, 5), ring.after(9, 5)) == ([], None)
    ring.extend(some(6, after=10))
    assert (ring.start, ring.head) == (13, 16)
    assert ring.after(11, 5) is None
    assert [line[:9] for line in ring.after(12, 2) or []] == [b'{"seq":13', b'{"seq":14']
    assert ring.after(12, 9, "nobody") == []
    assert ring.after(99, 9) == []


def test_answers_are_limited_in_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medkg_lab.ledger.ring.REPLY_BYTES", 10)
    ring = Ring(0)
    ring.extend(some(3))
    assert len(ring.after(0, 3) or []) == 1


def test_positions_survive_and_their_loss_is_harmless(tmp_path: Path) -> None:
    path = tmp_path / "positions.json"
    positions = Positions(path)
    positions.set("outbox", 7)
    positions.save()
    assert Positions(path).all() == {"outbox": 7}
    path.write_text("{")
    assert Positions(path).all() == {}
    assert os.listdir(tmp_path) == ["positions.json"]


def test_definitions_are_registered_once(world: World) -> None:
    first = registrations()[0]
    assert world.do("register", **first) == {"new": False}
    error = world.refused("register", **{**first, "content": first["content"] + " "})
    assert isinstance(error, errors.DefinitionConflict)
    wrong = {"kind": "topology", "name": "odd", "version": "1", "content": "{}"}
    assert isinstance(world.refused("register", **wrong), errors.MalformedCommand)
    assert isinstance(world.refused("register", **{**wrong, "kind": "song"}), errors.MalformedCommand)
    assert world.do("register", kind="profile", name="cpu", version="1", content="{}") == {"new": True}
    world.restart()
    assert ("topology", "gated", VERSIONS["gated"]) in world.core.state.definitions


def test_finished_jobs_leave_memory_and_are_found_again(tmp_path: Path) -> None:
    world = World(tmp_path, kept_finished=1)
    world.submit(*"abc")
    for job_id in "abc":
        world.do("cancel", job_id=job_id, by="me", why="no")
    world.core.project()
    assert list(world.core.state.jobs) == ["c"]
    assert world.job("a").reason == "no"
    assert world.submit("a") == [{"job_id": "a", "new": False, "state": "cancelled"}]
    world.do("retry", job_id="b", by="me")
    assert world.job("b").state == "queued"
    world.core.close()


def finish(world: World, job_id: str) -> None:
    """Submit a job and run it to its end."""
    world.submit(job_id)
    batch = world.claim()
    world.run(batch)
    world.record(batch, done([job_id]))


def test_what_changed_while_the_views_were_written_stays_in_memory(tmp_path: Path) -> None:
    world = World(tmp_path, kept_finished=0)
    core = world.core
    finish(world, "a")
    changes = core.projection.pop_changes(core.state)
    finish(world, "b")
    core.views.project(changes)
    core.projected()
    assert list(core.state.jobs) == ["b"]
    assert list(core.state.documents) == [("default", "file:b")]
    assert (world.job("a").content, world.job("b").content) == ("content:a", "content:b")
    core.close()


def test_a_forgotten_job_that_runs_again_is_remembered_by_a_restart(tmp_path: Path) -> None:
    world = World(tmp_path, kept_finished=0)
    finish(world, "a")
    world.core.project()
    assert world.core.state.jobs == {}
    world.do("retry", job_id="a", by="me")
    world.restart(project=False)
    assert (world.job("a").state, world.job("a").execution) == ("queued", 2)
    world.core.close()


def test_the_mark_beside_the_events_is_for_the_owner_alone(tmp_path: Path) -> None:
    store = EventStore(tmp_path / "ledger.duckdb")
    assert stat.S_IMODE((tmp_path / "ledger.duckdb.hwm").stat().st_mode) == 0o600
    store.close()
