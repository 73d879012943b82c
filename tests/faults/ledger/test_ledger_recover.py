"""A damaged ledger is brought back from what is sound of it, its archive, its snapshots and the topic."""

import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from medkg_lab.ledger.core import Core
from medkg_lab.ledger.errors import LedgerInUse, NothingToRecover
from medkg_lab.ledger.recover import recover
from tests.integration.ledger.harness import LedgerProcess, claim, register, run, submit
from tests.unit.ledger.worlds import done


@dataclass
class Wreck:
    """A ledger that was killed, and all that it had acknowledged."""

    folder: Path
    events: list[dict[str, Any]]

    @property
    def topic(self) -> list[bytes]:
        return [orjson.dumps(event) for event in self.events]

    def lose(self, *names: str) -> None:
        for name in names:
            path = self.folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def cut_log(self, size: int) -> None:
        path = self.folder / "ledger.duckdb.wal"
        path.write_bytes(path.read_bytes()[:size])

    def whole(self, upto: int | None = None) -> None:
        """The ledger opens and has exactly the events up to a number, as they were, the pruned ones in its archive."""
        core = Core(self.folder)
        found = [event for part in core.store.reader().all_after(0) for event in part]
        core.close()
        wanted = self.events[:upto]
        assert [(e.seq, e.id, e.ts, e.type.value, e.stage, e.batch, list(e.jobs), e.data) for e in found] == [
            tuple(e[key] for key in ("seq", "id", "ts", "type", "stage", "batch", "jobs", "data")) for e in wanted
        ]


def work(client: Any, name: str) -> None:
    for n in range(5):
        submit(client, f"{name}{n}a", f"{name}{n}b")
        batch = claim(client)
        client.record(batch["batch_id"], [done(run(client, batch))])


@pytest.fixture
def process(short_tmp: Path) -> Iterator[LedgerProcess]:
    with LedgerProcess(short_tmp / "home") as made:
        made.start()
        with made.client() as client:
            register(client)
            work(client, "a")
        yield made


@pytest.fixture
def wreck(process: LedgerProcess) -> Wreck:
    """Killed with everything in the write-ahead log."""
    with process.client() as client:
        events = client.events(0, limit=10_000)["events"]
    process.kill()
    return Wreck(process.folder, events)


@pytest.fixture
def pruned(process: LedgerProcess) -> Wreck:
    """Killed after a snapshot, some pruning, and some more work."""
    with process.client() as client:
        client.snapshot()
        for view in ("outbox", "recorder", "knowledge"):
            client.position(view, client.counts()["head"])
        client.prune(keep=10)
        work(client, "b")
        events = client.events(0, limit=10_000)["events"]
    process.kill()
    return Wreck(process.folder, events)


def sources(report: dict[str, Any]) -> list[str]:
    return [each["source"] for each in report["taken"]]


def test_a_sound_ledger_stays_what_it_is(wreck: Wreck) -> None:
    report = recover(wreck.folder, None)
    assert (report["installed"], report["lost"], sources(report)) == (True, None, ["ledger"])
    wreck.whole()


def test_the_end_that_is_cut_off_comes_from_the_topic(process: LedgerProcess, wreck: Wreck) -> None:
    size = (wreck.folder / "ledger.duckdb.wal").stat().st_size
    wreck.cut_log(size * 2 // 3)
    report = recover(wreck.folder, wreck.topic)
    assert (report["installed"], report["lost"], sources(report)) == (True, None, ["ledger", "topic"])
    assert report["head"] == report["promised"] == len(wreck.events)
    assert (Path(report["kept"]) / "ledger.duckdb.wal").stat().st_size == size * 2 // 3
    wreck.whole()
    process.start()
    with process.client() as client:
        assert client.events(0, limit=10_000)["events"] == wreck.events
        work(client, "z")


def test_what_cannot_be_brought_back_is_named_and_nothing_changes(wreck: Wreck) -> None:
    size = (wreck.folder / "ledger.duckdb.wal").stat().st_size
    wreck.cut_log(size // 2)
    before = {path.name: path.read_bytes() for path in wreck.folder.iterdir() if path.is_file()}
    last = len(wreck.events)
    report = recover(wreck.folder, wreck.topic[-3:])
    head = report["head"]
    assert 0 < head < last - 3
    assert (report["installed"], report["lost"]) == (False, [head + 1, last])
    assert report["unusable"] == [{"source": "topic", "first": last - 2, "last": last}]
    assert {path.name: path.read_bytes() for path in wreck.folder.iterdir() if path.is_file()} == before
    report = recover(wreck.folder, None, accept_loss=True)
    assert (report["installed"], report["head"]) == (True, head)
    wreck.whole(head)


def test_everything_comes_from_the_topic_alone(wreck: Wreck) -> None:
    wreck.lose("ledger.duckdb", "ledger.duckdb.wal", "views.duckdb", "views.duckdb.wal")
    repeated = [*wreck.topic[:7], *wreck.topic[3:]]
    report = recover(wreck.folder, repeated)
    assert (report["installed"], sources(report)) == (True, ["topic"])
    wreck.whole()


def test_a_topic_of_another_ledger_is_not_used(wreck: Wreck) -> None:
    wreck.cut_log((wreck.folder / "ledger.duckdb.wal").stat().st_size // 2)
    other = [orjson.dumps({**event, "id": f"other-{event['seq']}"}) for event in wreck.events]
    report = recover(wreck.folder, other)
    assert not report["installed"]
    assert "another ledger" in report["problems"]["topic"]


def test_a_pruned_ledger_comes_back_from_all_there_is(pruned: Wreck) -> None:
    pruned.cut_log((pruned.folder / "ledger.duckdb.wal").stat().st_size // 2)
    report = recover(pruned.folder, pruned.topic[-45:])
    assert (report["installed"], report["lost"]) == (True, None)
    assert sources(report) == ["ledger", "topic"]
    pruned.whole()


def test_without_its_file_it_comes_from_archive_snapshot_and_topic(pruned: Wreck) -> None:
    pruned.lose("ledger.duckdb", "ledger.duckdb.wal")
    snapshot = next((pruned.folder / "snapshots").iterdir())
    report = recover(pruned.folder, pruned.topic[20:])
    assert sources(report) == ["archive", f"snapshot {snapshot.name}", "topic"]
    pruned.whole()


def test_a_damaged_archive_is_made_good_by_a_snapshot(pruned: Wreck) -> None:
    (part,) = (pruned.folder / "archive").glob("*.parquet")
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.unlink()
    part.write_bytes(content)
    pruned.lose("ledger.duckdb", "ledger.duckdb.wal")
    report = recover(pruned.folder, pruned.topic)
    assert report["problems"]["archive"] == "1 of its 1 files are damaged"
    assert (report["installed"], report["lost"]) == (True, None)


def test_behind_a_fold_when_the_first_events_are_gone_for_good(pruned: Wreck) -> None:
    low = len(pruned.events)
    pruned.lose("archive", "ledger.duckdb", "ledger.duckdb.wal", "views.duckdb", "snapshots")
    fold = sorted((pruned.folder / "folds").glob("*.duckdb"))[-1]
    low = int(fold.stem.rpartition("-")[2])
    report = recover(pruned.folder, pruned.topic[5:])
    assert (report["installed"], report["taken"]) == (
        True, [{"source": "topic", "first": low + 1, "last": len(pruned.events)}]
    )  # fmt: skip
    core = Core(pruned.folder)
    assert (core.store.low, core.store.head) == (low, len(pruned.events))
    assert core.find("a0a") is not None
    core.close()


def test_any_flipped_byte_is_made_good(wreck: Wreck, tmp_path: Path) -> None:
    chance = random.Random(3)
    for round_ in range(6):
        folder = tmp_path / str(round_)
        shutil.copytree(wreck.folder, folder)
        log = folder / "ledger.duckdb.wal"
        content = bytearray(log.read_bytes())
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        log.write_bytes(content)
        report = recover(folder, wreck.topic)
        assert (report["installed"], report["lost"], report["head"]) == (True, None, len(wreck.events))
        Wreck(folder, wreck.events).whole()


def test_a_damaged_block_of_the_file_is_made_good(process: LedgerProcess, wreck: Wreck) -> None:
    process.start()
    assert process.stop() == 0
    path = wreck.folder / "ledger.duckdb"
    content = bytearray(path.read_bytes())
    for place in range(len(content) // 3, len(content), 4096):
        content[place] ^= 1
    path.write_bytes(content)
    report = recover(wreck.folder, wreck.topic)
    assert (report["installed"], report["lost"]) == (True, None)
    wreck.whole()


def test_it_keeps_its_hands_off_a_running_ledger_and_an_empty_folder(process: LedgerProcess, tmp_path: Path) -> None:
    with pytest.raises(LedgerInUse):
        recover(process.folder, None)
    with pytest.raises(NothingToRecover):
        recover(tmp_path, None)
