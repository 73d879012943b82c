"""Snapshots, pruning with its archive, low-water marks, and views that are made again."""

import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest

from medkg_lab import exit_codes
from medkg_lab.ledger import files
from medkg_lab.ledger.archive import Archive
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.ledger.errors import EventsPruned, QueryRefused, SnapshotFailed
from medkg_lab.ledger.opening import open_core
from medkg_lab.ledger.rebuild import rebuild
from tests.integration.ledger.harness import LedgerProcess, claim, run, submit, to_gate
from tests.told import logged
from tests.unit.ledger.worlds import canonical, done
from tests.waiting import wait_until

READERS = ("outbox", "recorder", "knowledge")


def work(client: LedgerClient, name: str, rounds: int = 6) -> None:
    """Run some jobs to their end, and leave one queued and one at its gate."""
    for n in range(rounds):
        submit(client, f"{name}-{n}a", f"{name}-{n}b")
        batch = claim(client)
        client.record(batch.batch_id, [done(run(client, batch))])
    to_gate(client, f"{name}-waits")
    submit(client, f"{name}-queued")


def head(client: LedgerClient) -> int:
    return int(client.counts().head)


def told(client: LedgerClient, seq: int) -> None:
    """Have all readers tell this position."""
    for view in READERS:
        client.position(view, seq)


def everything(client: LedgerClient) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = logged(client, 0, limit=10_000)
    return events


def rows(client: LedgerClient) -> dict[str, Any]:
    """All rows of the tables that anyone may query."""
    tables = ("job", "stage_run", "gate", "document", "artifact", "provenance")
    return {name: sorted(map(str, client.query(f"SELECT * FROM {name}").rows)) for name in tables}


@pytest.fixture
def pruned(ledger: LedgerProcess, client: LedgerClient) -> list[dict[str, Any]]:
    """A ledger whose first events are in the archive; gives all events as they were before."""
    work(client, "a")
    before, last = everything(client), head(client)
    told(client, last)
    assert client.prune(keep=5).pruned == last - 5
    return before


def test_nothing_is_pruned_above_a_view(client: LedgerClient) -> None:
    work(client, "a", rounds=1)
    assert client.prune(keep=1).pruned == 0
    client.position("outbox", head(client))
    client.position("recorder", head(client))
    assert client.prune(keep=1).pruned == 0
    client.position("knowledge", 7)
    answer = client.prune(keep=1)
    assert (answer.pruned, answer.low) == (7, 7)
    client.position("another", 3)
    assert client.prune(keep=1).pruned == 0


def test_pruned_events_are_read_from_the_archive(
    ledger: LedgerProcess, client: LedgerClient, pruned: list[dict[str, Any]]
) -> None:
    assert client.prune(keep=5).pruned == 0
    ledger.kill()
    ledger.start()
    assert everything(client) == pruned
    one = [event for event in pruned if "a-0a" in event["jobs"]]
    assert logged(client, 0, job_id="a-0a") == one
    assert logged(client, 10, limit=3) == pruned[10:13]
    assert client.low_waters() == {"ledger": 0}
    again = client.query("SELECT seq, id, type FROM event_archive ORDER BY seq").rows
    assert again == [[event["seq"], event["id"], event["type"]] for event in pruned[:-5]]
    with duckdb.connect() as copy:
        parts = Archive(ledger.folder / "archive").relation()
        assert copy.execute(f"SELECT count(*) FROM {parts}").fetchall() == [(len(pruned) - 5,)]


def test_it_goes_on_and_is_pruned_again(
    ledger: LedgerProcess, client: LedgerClient, pruned: list[dict[str, Any]]
) -> None:
    work(client, "b")
    assert client.retry("a-0a", by="someone").from_stage == "ingest"
    told(client, head(client))
    assert client.prune(keep=2).pruned > 0
    ledger.kill()
    ledger.start()
    events = everything(client)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[: len(pruned)] == pruned
    assert len(Archive(ledger.folder / "archive").parts()) == 2


def test_a_pruning_that_was_cut_off_is_finished_by_the_next(ledger: LedgerProcess, client: LedgerClient) -> None:
    """It died after events were archived and before they were removed, and while it wrote."""
    work(client, "a")
    before = everything(client)
    assert ledger.stop() == 0
    core = open_core(ledger.folder)
    core.store.reader().archive(1, 10)
    core.close()
    (ledger.folder / "archive" / "events-000000000011-000000000020.part").write_bytes(b"half")
    (ledger.folder / "folds").mkdir()
    (ledger.folder / "folds" / "fold.part").write_bytes(b"half")
    ledger.start()
    assert everything(client) == before
    told(client, head(client))
    assert client.prune(keep=5).low == len(before) - 5
    ranges = [(part.first, part.last) for part in Archive(ledger.folder / "archive").parts()]
    assert ranges == [(1, 10), (11, len(before) - 5)]
    assert everything(client) == before


def test_what_the_archive_drops_is_missed_by_nobody(
    ledger: LedgerProcess, client: LedgerClient, pruned: list[dict[str, Any]]
) -> None:
    work(client, "b")
    told(client, head(client))
    assert client.prune(keep=5).pruned > 0
    before, last = rows(client), head(client)
    assert client.drop_archive(len(pruned) - 6) == 0, "a file goes as a whole"
    assert client.drop_archive(len(pruned) - 5) == 1
    assert client.low_waters() == {"ledger": len(pruned) - 5}
    assert [event["seq"] for event in logged(client, len(pruned) - 5, limit=10_000)] == list(
        range(len(pruned) - 4, last + 1)
    )
    ledger.kill()
    ledger.start()
    assert rows(client) == before
    with pytest.raises(EventsPruned):
        logged(client, 0)
    assert ledger.stop() == 0
    (ledger.folder / "views.duckdb").unlink()
    ledger.start()
    assert rows(client) == before, "the views were made again from the fold"
    assert client.retry("a-0a", by="someone").from_stage == "ingest"


def test_an_old_command_is_answered_from_the_archive(
    ledger: LedgerProcess, client: LedgerClient, pruned: list[dict[str, Any]]
) -> None:
    submitted = next(event for event in pruned if event["type"] == "job.submitted")
    ledger.kill()
    ledger.start()
    last = head(client)
    again = client._call("submit", {"id": submitted["id"], "jobs": submitted["data"]["specs"], "resend": True}, 30.0)
    assert [each["new"] for each in again] == [True, True]
    assert head(client) == last


@pytest.mark.parametrize("keeps_archive", [True, False])
def test_lost_views_come_back_behind_a_pruned_log(
    ledger: LedgerProcess, client: LedgerClient, pruned: list[dict[str, Any]], keeps_archive: bool
) -> None:
    before = rows(client)
    ledger.kill()
    for path in ledger.folder.glob("views.duckdb*"):
        path.unlink()
    if not keeps_archive:
        shutil.rmtree(ledger.folder / "archive")
    ledger.start()
    assert rows(client) == before
    work(client, "b")
    if not keeps_archive:
        low = client.low_waters()["ledger"]
        assert low == len(pruned) - 5
        with pytest.raises(EventsPruned):
            client.events(0)
        assert logged(client, low)[:5] == pruned[-5:]


def test_without_archive_fold_and_views_it_does_not_start(ledger: LedgerProcess, pruned: list[dict[str, Any]]) -> None:
    ledger.kill()
    for path in (*ledger.folder.glob("views.duckdb*"), *ledger.folder.glob("folds/*.sha256")):
        path.unlink()
    shutil.rmtree(ledger.folder / "archive")
    other = ledger.spawn()
    assert other.wait(60) == exit_codes.NO_RESTART
    other.communicate()
    assert "its views must be made again" in ledger.errors


def test_a_query_reaches_the_archive_and_no_other_file(
    ledger: LedgerProcess, client: LedgerClient, pruned: list[dict[str, Any]]
) -> None:
    folder = ledger.folder / "archive"
    for sql in (
        "SELECT * FROM read_text('/etc/hostname')",
        f"SELECT * FROM read_text('{folder}/../positions.json')",
        f"SELECT * FROM read_blob('{folder}/../ledger.duckdb')",
        "SELECT * FROM glob('/etc/*')",
    ):
        with pytest.raises(Exception, match="Permission Error"):
            client.query(sql)
    for sql in ("DROP VIEW event_archive", f"COPY event_archive TO '{folder}/x.csv'", "SELECT 1; SELECT 2"):
        with pytest.raises(QueryRefused):
            client.query(sql)
    assert not (folder / "x.csv").exists()


def test_a_snapshot_is_whole_while_work_goes_on(ledger: LedgerProcess, client: LedgerClient, short_tmp: Path) -> None:
    work(client, "a")
    made = client.snapshot()
    path = Path(made.path)
    assert json.loads((path / "manifest.json").read_text())["head"] == made.head == head(client)
    work(client, "b", rounds=1)
    told(client, head(client))
    client.prune(keep=3)
    second = client.snapshot(short_tmp / "copy")
    assert second.head == head(client)
    events = Archive(short_tmp / "copy" / "events")
    assert events.covers(1, second.head)
    assert all(files.is_sound(part.path) for part in events.parts())
    with duckdb.connect(str(short_tmp / "copy" / "fold.duckdb"), read_only=True) as fold:
        jobs = fold.execute("SELECT job_id, state FROM job ORDER BY 1").fetchall()
        kept = [tuple(row) for row in client.query("SELECT job_id, state FROM job ORDER BY 1").rows]
        assert jobs == kept
    for wrong in (Path("relative"), path):
        with pytest.raises(SnapshotFailed):
            client.snapshot(wrong)


def test_views_are_made_again_with_the_same_rows(
    ledger: LedgerProcess, client: LedgerClient, pruned: list[dict[str, Any]]
) -> None:
    before = rows(client)
    assert ledger.process is not None
    client.rebuild()
    assert ledger.wait() == 0
    ledger.start()
    assert rows(client) == before
    report = json.loads((ledger.folder / "rebuild.json").read_text())
    assert report["differing"] == []
    assert report["tables"]["job"] == len(before["job"])
    assert ledger.stop() == 0
    core = open_core(ledger.folder)
    wrong = core.views.cursor()
    wrong.execute("UPDATE job SET state = 'completed' WHERE job_id = 'a-queued'")
    wrong.close()
    core.close()
    assert rebuild(ledger.folder).differing == ("job",)
    core = open_core(ledger.folder)
    memory = canonical(core.state)
    core.close()
    assert rebuild(ledger.folder).differing == ()
    core = open_core(ledger.folder)
    assert canonical(core.state) == memory
    core.close()


def test_finished_jobs_leave_memory(ledger: LedgerProcess, client: LedgerClient) -> None:
    jobs = [f"j{n}" for n in range(1300)]
    submit(client, *jobs)
    for job_id in jobs:
        client.cancel(job_id, "me", "no")
    client.flush()
    wait_until(lambda: client.health().jobs_in_memory <= 1000, 20, "finished jobs to leave memory")
    found = client.get("j0")
    assert found is not None
    assert found.state == "cancelled"


def test_views_tell_what_they_have_forgotten(ledger: LedgerProcess, client: LedgerClient) -> None:
    client.low_water("recorder", 12)
    assert client.low_waters() == {"ledger": 0, "recorder": 12}
    assert "recorder" not in client.positions()
