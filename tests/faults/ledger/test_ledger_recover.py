"""A damaged ledger is brought back from what is sound of it, its archive, its snapshots and the topic."""

import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from medkg_lab.ledger import bookmarks
from medkg_lab.ledger.chain import Epoch, Link, LogRecord, signed
from medkg_lab.ledger.errors import LedgerInUse, NothingToRecover
from medkg_lab.ledger.log_source import EventTopic
from medkg_lab.ledger.opening import open_core
from medkg_lab.ledger.recover import RecoveryReport, SourcePart, recover
from medkg_lab.models.event_codec import to_json
from medkg_lab.signing import Signer
from tests.integration.ledger.harness import LedgerProcess, claim, register, run, submit
from tests.told import logged
from tests.unit.ledger.worlds import done

SIGNER = Signer(b"k" * 32, "log")


@dataclass
class Wreck:
    """A ledger that was killed, and all that it had acknowledged."""

    folder: Path
    events: list[dict[str, Any]]

    @property
    def topic(self) -> list[LogRecord]:
        return chained([orjson.dumps(event) for event in self.events])

    def lose(self, *names: str) -> None:
        for name in names:
            path = self.folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def cut_log(self, size: int) -> None:
        path = self.folder / "ledger.duckdb.wal"
        path.write_bytes(path.read_bytes()[:size])

    def whole(self, upto: int | None = None) -> None:
        """The ledger opens and has exactly the events up to a number, as they were, the pruned ones in its archive."""
        core = open_core(self.folder)
        found = [event for part in core.store.reader().all_after(0) for event in part]
        core.close()
        wanted = self.events[:upto]
        assert [orjson.loads(orjson.dumps(to_json(event))) for event in found] == wanted


def chained(values: list[bytes], start: int = 0, epoch: int = 1) -> list[LogRecord]:
    """The records of the events with these bytes, as the outbox writes them; the first is event `start` + 1."""
    last, records = Link.first(Epoch(epoch, start)), []
    for value in values:
        last, headers = signed(SIGNER, last, last.seq + 1, value)
        records.append(LogRecord(value, headers))
    return records


def log(records: list[LogRecord], **options: Any) -> EventTopic:
    """The topic with these records."""
    return EventTopic(records, SIGNER, **options)


def work(client: Any, name: str) -> None:
    for n in range(5):
        submit(client, f"{name}{n}a", f"{name}{n}b")
        batch = claim(client)
        client.record(batch.batch_id, [done(run(client, batch))])


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
        events = logged(client, 0, limit=10_000)
    process.kill()
    return Wreck(process.folder, events)


@pytest.fixture
def pruned(process: LedgerProcess) -> Wreck:
    """Killed after a snapshot, some pruning, and some more work."""
    with process.client() as client:
        client.snapshot()
        for view in ("outbox", "recorder", "knowledge"):
            client.position(view, client.counts().head)
        client.prune(keep=10)
        work(client, "b")
        events = logged(client, 0, limit=10_000)
    process.kill()
    return Wreck(process.folder, events)


def sources(report: RecoveryReport) -> list[str]:
    return [each.source for each in report.taken]


def test_a_sound_ledger_stays_what_it_is(wreck: Wreck) -> None:
    report = recover(wreck.folder, None)
    assert (report.installed, report.lost, sources(report)) == (True, None, ["ledger"])
    wreck.whole()


def test_the_end_that_is_cut_off_comes_from_the_topic(process: LedgerProcess, wreck: Wreck) -> None:
    size = (wreck.folder / "ledger.duckdb.wal").stat().st_size
    wreck.cut_log(size * 2 // 3)
    report = recover(wreck.folder, log(wreck.topic))
    assert (report.installed, report.lost, sources(report)) == (True, None, ["ledger", "topic"])
    assert report.head == report.promised == len(wreck.events)
    assert report.kept is not None
    assert (Path(report.kept) / "ledger.duckdb.wal").stat().st_size == size * 2 // 3
    wreck.whole()
    process.start()
    with process.client() as client:
        assert logged(client, 0, limit=10_000) == wreck.events
        work(client, "z")


def test_what_cannot_be_brought_back_is_named_and_nothing_changes(wreck: Wreck) -> None:
    size = (wreck.folder / "ledger.duckdb.wal").stat().st_size
    wreck.cut_log(size // 2)
    before = {path.name: path.read_bytes() for path in wreck.folder.iterdir() if path.is_file()}
    last = len(wreck.events)
    report = recover(wreck.folder, log(wreck.topic[-3:]))
    head = report.head
    assert 0 < head < last - 3
    assert (report.installed, report.lost) == (False, (head + 1, last))
    assert report.unusable == (SourcePart("topic", last - 2, last),)
    assert {path.name: path.read_bytes() for path in wreck.folder.iterdir() if path.is_file()} == before
    report = recover(wreck.folder, None, accept_loss=True)
    assert (report.installed, report.head) == (True, head)
    wreck.whole(head)


def test_everything_comes_from_the_topic_alone(wreck: Wreck) -> None:
    wreck.lose("ledger.duckdb", "ledger.duckdb.wal", "views.duckdb", "views.duckdb.wal")
    repeated = [*wreck.topic[:7], *wreck.topic[3:]]
    report = recover(wreck.folder, log(repeated))
    assert (report.installed, sources(report)) == (True, ["topic"])
    wreck.whole()


def test_a_topic_of_another_ledger_is_not_used(wreck: Wreck) -> None:
    wreck.cut_log((wreck.folder / "ledger.duckdb.wal").stat().st_size // 2)
    other = chained([orjson.dumps({**event, "id": f"other-{event['seq']}"}) for event in wreck.events])
    report = recover(wreck.folder, log(other))
    assert not report.installed
    assert "another ledger" in report.problems["topic"]


def test_a_pruned_ledger_comes_back_from_all_there_is(pruned: Wreck) -> None:
    pruned.cut_log((pruned.folder / "ledger.duckdb.wal").stat().st_size // 2)
    report = recover(pruned.folder, log(pruned.topic[-45:]))
    assert (report.installed, report.lost) == (True, None)
    assert sources(report) == ["ledger", "topic"]
    pruned.whole()


def test_without_its_file_it_comes_from_archive_snapshot_and_topic(pruned: Wreck) -> None:
    pruned.lose("ledger.duckdb", "ledger.duckdb.wal")
    snapshot = next((pruned.folder / "snapshots").iterdir())
    report = recover(pruned.folder, log(pruned.topic[20:]))
    assert sources(report) == ["archive", f"snapshot {snapshot.name}", "topic"]
    pruned.whole()


def test_a_damaged_archive_is_made_good_by_a_snapshot(pruned: Wreck) -> None:
    (part,) = (pruned.folder / "archive").glob("*.parquet")
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.unlink()
    part.write_bytes(content)
    pruned.lose("ledger.duckdb", "ledger.duckdb.wal")
    report = recover(pruned.folder, log(pruned.topic))
    assert report.problems["archive"] == "1 of its 1 files are damaged"
    assert (report.installed, report.lost) == (True, None)


def test_behind_a_fold_when_the_first_events_are_gone_for_good(pruned: Wreck) -> None:
    low = len(pruned.events)
    pruned.lose("archive", "ledger.duckdb", "ledger.duckdb.wal", "views.duckdb", "snapshots")
    fold = sorted((pruned.folder / "folds").glob("*.duckdb"))[-1]
    low = int(fold.stem.rpartition("-")[2])
    report = recover(pruned.folder, log(pruned.topic[5:]))
    assert (report.installed, report.taken) == (
        True, (SourcePart("topic", low + 1, len(pruned.events)),)
    )  # fmt: skip
    core = open_core(pruned.folder)
    assert (core.store.low, core.store.head) == (low, len(pruned.events))
    assert core.find("a0a") is not None
    core.close()


def test_any_flipped_byte_is_made_good(wreck: Wreck, tmp_path: Path) -> None:
    chance = random.Random(3)
    for round_ in range(6):
        folder = tmp_path / str(round_)
        shutil.copytree(wreck.folder, folder)
        path = folder / "ledger.duckdb.wal"
        content = bytearray(path.read_bytes())
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        path.write_bytes(content)
        report = recover(folder, log(wreck.topic))
        assert (report.installed, report.lost, report.head) == (True, None, len(wreck.events))
        Wreck(folder, wreck.events).whole()


def test_a_damaged_block_of_the_file_is_made_good(process: LedgerProcess, wreck: Wreck) -> None:
    process.start()
    assert process.stop() == 0
    path = wreck.folder / "ledger.duckdb"
    content = bytearray(path.read_bytes())
    for place in range(len(content) // 3, len(content), 4096):
        content[place] ^= 1
    path.write_bytes(content)
    report = recover(wreck.folder, log(wreck.topic))
    assert (report.installed, report.lost) == (True, None)
    wreck.whole()


def test_it_keeps_its_hands_off_a_running_ledger_and_an_empty_folder(process: LedgerProcess, tmp_path: Path) -> None:
    with pytest.raises(LedgerInUse):
        recover(process.folder, None)
    with pytest.raises(NothingToRecover):
        recover(tmp_path, None)


def lose_half(wreck: Wreck) -> int:
    """Lose the last third of the events of the ledger itself; the number of the last event."""
    wreck.cut_log((wreck.folder / "ledger.duckdb.wal").stat().st_size * 2 // 3)
    return len(wreck.events)


def forged(wreck: Wreck, seq: int) -> bytes:
    return orjson.dumps({**wreck.events[-1], "seq": seq, "id": "forged"})


def test_forged_events_are_never_used(wreck: Wreck) -> None:
    last = lose_half(wreck)
    bare = LogRecord(forged(wreck, last + 1), {})
    unsigned = LogRecord(forged(wreck, last), {})
    borrowed = LogRecord(forged(wreck, last + 1), wreck.topic[-1].headers)
    garbage = [LogRecord(value, {}) for value in (b"", b"no JSON", b"{}", b"[1]")]
    records = [unsigned, *garbage, *wreck.topic[:9], borrowed, bare, *wreck.topic[9:], borrowed, bare, *garbage]
    report = recover(wreck.folder, log(records, accept_more=True))
    assert (report.installed, report.lost, report.head) == (True, None, last)
    assert "11 records without a signature" in report.problems["topic"]
    assert "2 records with a signature that is not" in report.problems["topic"]
    wreck.whole()


def test_signed_events_beyond_what_was_acknowledged_need_a_word(process: LedgerProcess, wreck: Wreck) -> None:
    last = lose_half(wreck)
    more = {**wreck.events[-1], "seq": last + 1, "id": "more", "type": "definition.registered", "jobs": []}
    more["data"] = {"kind": "profile", "name": "more", "version": "1", "content": "{}"}
    records = chained([orjson.dumps(event) for event in (*wreck.events, more)])
    report = recover(wreck.folder, log(records))
    assert (report.installed, report.head) == (True, last)
    assert f"1 events beyond event {last}" in report.problems["topic"]
    wreck.whole()
    report = recover(wreck.folder, log(records, accept_more=True))
    assert (report.installed, report.head) == (True, last + 1)


def test_a_missing_record_ends_what_is_used(wreck: Wreck) -> None:
    wreck.lose("ledger.duckdb", "ledger.duckdb.wal", "views.duckdb", "views.duckdb.wal")
    records = [*wreck.topic[:10], *wreck.topic[11:]]
    report = recover(wreck.folder, log(records))
    assert (report.installed, report.head) == (False, 10)
    assert "after event 10 a record is missing" in report.problems["topic"]


def test_unsigned_records_of_older_versions_need_a_word(wreck: Wreck) -> None:
    last = lose_half(wreck)
    values = [orjson.dumps(event) for event in wreck.events]
    old = [LogRecord(value, {}) for value in values[:-4]]
    records = [*old, *chained(values[-4:], start=last - 4), LogRecord(forged(wreck, last - 1), {})]
    report = recover(wreck.folder, log(records))
    assert not report.installed
    assert "--accept-unsigned uses them, unchecked" in report.problems["topic"]
    report = recover(wreck.folder, log(records, accept_unsigned=True))
    assert (report.installed, report.lost) == (True, None)
    wreck.whole()


def test_a_history_that_was_given_up_stays_so(wreck: Wreck) -> None:
    """The ledger's end was lost, which was accepted, and it went on with other events: copies of the lost ones are stale."""
    wreck.lose("ledger.duckdb", "ledger.duckdb.wal", "views.duckdb", "views.duckdb.wal")
    values = [orjson.dumps(event) for event in wreck.events]
    last = len(values)
    lost = [orjson.dumps({**event, "id": f"lost-{event['seq']}"}) for event in wreck.events[10:]]
    before, after = chained([*values[:10], *lost]), chained(values[10:], start=10, epoch=2)
    newest = Epoch(2, 10)
    report = recover(wreck.folder, log([*before, *after, *before[10:]], newest=newest))
    assert (report.installed, report.head) == (True, last)
    wreck.whole()
    wreck.lose("ledger.duckdb", "views.duckdb")
    report = recover(wreck.folder, log(before, newest=newest), accept_loss=True)
    assert (report.installed, report.head) == (True, 10)


def test_after_it_the_readers_of_topics_begin_anew(wreck: Wreck) -> None:
    (wreck.folder / bookmarks.FILE).write_text('{"intake": {}, "outbox": {}}')
    recover(wreck.folder, None)
    assert not (wreck.folder / bookmarks.FILE).exists()
