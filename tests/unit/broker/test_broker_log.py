"""A partition's log on a real folder: what it shows, what it keeps over a crash, and what it refuses to guess."""

import asyncio
import errno
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medkg_lab.broker.embedded import disk, recovery
from medkg_lab.broker.embedded.batch import read_header
from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.errors import Damaged, Refused, StorageFailed
from medkg_lab.broker.embedded.log import PartitionLog
from medkg_lab.broker.embedded.topic_config import TopicConfig
from tests.brokers import record_batch

DAY_MS = 24 * 60 * 60 * 1000


def open_log(folder: Path, config: TopicConfig | None = None, log_start: int = 0) -> PartitionLog:
    folder.mkdir(exist_ok=True)
    log = PartitionLog("t", 0, folder, config or TopicConfig())
    log.adopt(recovery.recover(folder, 100), log_start)
    return log


def sync(log: PartitionLog) -> None:
    while (work := log.begin_sync()) is not None:
        work.run()
        log.finish_sync(work)


def append(log: PartitionLog, *values: bytes, producer: tuple[int, int, int] = (-1, -1, -1)) -> int:
    return log.append(record_batch(values, producer=producer), disk_is_low=False).base_offset


def values_of(data: bytes) -> list[bytes]:
    """The values of the whole batches in `data`, read with kafka-python."""
    from kafka.record.memory_records import MemoryRecords

    found, records = [], MemoryRecords(data)
    while records.has_next():
        found += [bytes(record.value) for record in records.next_batch() or ()]
    return found


def content(log: PartitionLog) -> list[bytes]:
    found: list[bytes] = []
    while log.log_start + len(found) < log.high_watermark:
        found += values_of(log.read(log.log_start + len(found), 1))
    return found


def refused(call: Callable[[], object]) -> Code:
    with pytest.raises(Refused) as caught:
        call()
    return caught.value.code


def test_records_are_seen_only_once_they_are_durable(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    assert append(log, b"a", b"b") == 0
    assert (log.end_offset, log.high_watermark) == (2, 0)
    assert log.read(0, 1000) == b""
    work = log.begin_sync()
    assert work is not None
    assert append(log, b"c") == 2
    work.run()
    log.finish_sync(work)
    assert log.high_watermark == 2
    assert content(log) == [b"a", b"b"]
    sync(log)
    assert content(log) == [b"a", b"b", b"c"]


def test_only_the_assigned_bytes_of_a_batch_change(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    append(log, b"first")
    data = record_batch([b"second", b"third"])
    log.append(data, disk_is_low=False)
    sync(log)
    stored = log.read(1, 10_000)
    assert stored[16:] == data[16:]
    found = read_header(stored)
    assert found is not None
    assert found.base_offset == 1


def test_a_batch_larger_than_asked_for_comes_whole(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    append(log, b"x" * 5000)
    sync(log)
    assert values_of(log.read(0, 1)) == [b"x" * 5000]


def test_offsets_outside_of_the_log_are_refused(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    append(log, b"a")
    sync(log)
    assert log.read(1, 100) == b""
    assert refused(lambda: log.read(2, 100)) == Code.OFFSET_OUT_OF_RANGE
    assert refused(lambda: log.read(-1, 100)) == Code.OFFSET_OUT_OF_RANGE


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(1, 900), min_size=1, max_size=40), st.booleans())
def test_a_log_of_many_files_is_found_again_whole(sizes: list[int], cleanly: bool) -> None:
    with tempfile.TemporaryDirectory() as name:
        config = TopicConfig(segment_bytes=3000)
        log = open_log(Path(name), config)
        written = [bytes([number % 256]) * size for number, size in enumerate(sizes)]
        for value in written:
            append(log, value)
        sync(log)
        if cleanly:
            log.checkpoint()
        log.close()
        again = open_log(Path(name), config)
        assert content(again) == content(log) == written
        assert again.cut_bytes == 0
        assert append(again, b"next") == len(written)
        assert not (Path(name) / recovery.CHECKPOINT).exists()
        again.close()


def three_batches(folder: Path) -> tuple[Path, list[int]]:
    """A log of three batches in one file, and where each ends."""
    log = open_log(folder)
    ends = []
    for value in (b"first", b"second", b"third"):
        append(log, value, value)
        ends.append(log.size)
    sync(log)
    log.close()
    return next(folder.glob("*.log")), ends


def test_a_tail_torn_at_any_byte_is_cut_and_the_rest_stays(tmp_path: Path) -> None:
    path, ends = three_batches(tmp_path / "good")
    whole = path.read_bytes()
    for size in range(ends[1], ends[2]):
        folder = tmp_path / str(size)
        folder.mkdir()
        (folder / path.name).write_bytes(whole[:size])
        log = open_log(folder)
        assert log.cut_bytes == size - ends[1]
        assert content(log) == [b"first"] * 2 + [b"second"] * 2
        assert (folder / path.name).stat().st_size == ends[1]
        assert append(log, b"again") == 4
        log.close()


def test_a_bit_flipped_at_any_byte_of_the_last_batch_cuts_that_batch(tmp_path: Path) -> None:
    path, ends = three_batches(tmp_path / "good")
    whole = path.read_bytes()
    for at in [*range(ends[1], ends[1] + 12), *range(ends[1] + 16, ends[2])]:
        folder = tmp_path / str(at)
        folder.mkdir()
        changed = bytearray(whole)
        changed[at] ^= 0x40
        (folder / path.name).write_bytes(changed)
        log = open_log(folder)
        assert content(log) == [b"first"] * 2 + [b"second"] * 2, at
        log.close()


@pytest.mark.parametrize("garbage", [b"\0" * 500, b"\xff" * 61, b"noise" * 70])
def test_garbage_after_the_last_batch_is_cut(tmp_path: Path, garbage: bytes) -> None:
    path, ends = three_batches(tmp_path / "log")
    with path.open("ab") as file:
        file.write(garbage)
    log = open_log(tmp_path / "log")
    assert log.cut_bytes == len(garbage)
    assert path.stat().st_size == ends[2]


def test_damage_with_good_batches_behind_it_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path, ends = three_batches(tmp_path / "log")
    changed = bytearray(path.read_bytes())
    changed[ends[0] + 70] ^= 1
    path.write_bytes(changed)
    with pytest.raises(Damaged, match=f"byte {ends[0]}"):
        open_log(tmp_path / "log")
    assert path.read_bytes() == changed


@pytest.mark.parametrize("harm", ["flip", "cut", "remove"])
def test_damage_in_an_earlier_file_is_refused(tmp_path: Path, harm: str) -> None:
    log = open_log(tmp_path, TopicConfig(segment_bytes=1024))
    for _ in range(12):
        append(log, b"x" * 300)
    sync(log)
    log.close()
    paths = sorted(tmp_path.glob("*.log"))
    assert len(paths) > 3
    if harm == "flip":
        changed = bytearray(paths[1].read_bytes())
        changed[-5] ^= 1
        paths[1].write_bytes(changed)
    elif harm == "cut":
        os.truncate(paths[1], paths[1].stat().st_size - 7)
    else:
        paths[1].unlink()
    with pytest.raises(Damaged):
        open_log(tmp_path)


def test_a_checkpoint_that_does_not_fit_the_files_is_not_believed(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    append(log, b"a")
    sync(log)
    log.checkpoint()
    kept = (tmp_path / recovery.CHECKPOINT).read_bytes()
    append(log, b"b")
    sync(log)
    log.close()
    for stale in (kept, b"{", b"[]", b'{"format": 99}'):
        (tmp_path / recovery.CHECKPOINT).write_bytes(stale)
        again = open_log(tmp_path)
        assert content(again) == [b"a", b"b"]
        again.close()


def test_a_write_that_fails_half_way_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = open_log(tmp_path)
    append(log, b"kept")
    size = log.size
    real = disk.write_at

    def full(descriptor: int, parts: list[bytes], position: int) -> None:
        real(descriptor, [parts[0]], position)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(disk, "write_at", full)
    assert refused(lambda: append(log, b"lost")) == Code.KAFKA_STORAGE_ERROR
    assert next(tmp_path.glob("*.log")).stat().st_size == size
    monkeypatch.setattr(disk, "write_at", real)
    assert append(log, b"later") == 1
    sync(log)
    assert content(log) == [b"kept", b"later"]


def test_a_low_disk_refuses_new_batches_and_still_answers_repeated_ones(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    append(log, b"a", producer=(5, 0, 0))
    again = record_batch([b"a"], producer=(5, 0, 0))
    assert log.append(again, disk_is_low=True).base_offset == 0
    assert refused(lambda: log.append(record_batch([b"b"]), disk_is_low=True)) == Code.KAFKA_STORAGE_ERROR


def test_after_a_failed_sync_nothing_unsynced_survives(tmp_path: Path) -> None:
    async def scenario() -> None:
        log = open_log(tmp_path, TopicConfig(segment_bytes=1024))
        append(log, b"durable" * 100)
        sync(log)
        appended = log.append(record_batch([b"doubtful" * 100]), disk_is_low=False)
        acknowledged = log.durable(appended.next_offset)
        watcher: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        log.watch(watcher)
        log.fail("fdatasync failed")
        with pytest.raises(StorageFailed, match="fdatasync failed"):
            await acknowledged
        assert watcher.done()
        assert refused(lambda: append(log, b"more")) == Code.KAFKA_STORAGE_ERROR
        assert refused(lambda: log.read(0, 10)) == Code.KAFKA_STORAGE_ERROR
        log.close()

    asyncio.run(scenario())
    assert content(open_log(tmp_path)) == [b"durable" * 100]


def test_repeated_batches_are_answered_and_not_stored_again(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    offsets = [append(log, b"v", producer=(9, 0, number)) for number in range(7)]
    assert offsets == list(range(7))
    assert [append(log, b"v", producer=(9, 0, number)) for number in range(2, 7)] == [2, 3, 4, 5, 6]
    assert log.repeats == 5
    assert refused(lambda: append(log, b"v", producer=(9, 0, 8))) == Code.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert refused(lambda: append(log, b"v", producer=(10, 0, 3))) == Code.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert append(log, b"v", producer=(9, 1, 0)) == 7
    assert refused(lambda: append(log, b"v", producer=(9, 0, 7))) == Code.INVALID_PRODUCER_EPOCH


@pytest.mark.parametrize("cleanly", [False, True])
def test_repeated_batches_are_recognised_after_a_restart(tmp_path: Path, cleanly: bool) -> None:
    log = open_log(tmp_path)
    for number in range(3):
        append(log, b"v", producer=(9, 0, number))
    sync(log)
    if cleanly:
        log.checkpoint()
    log.close()
    again = open_log(tmp_path)
    assert append(again, b"v", producer=(9, 0, 2)) == 2
    assert again.repeats == 1
    assert append(again, b"v", producer=(9, 0, 3)) == 3


def grown(folder: Path, config: TopicConfig) -> PartitionLog:
    """A log of ten files with one record each."""
    log = open_log(folder, config)
    for number in range(10):
        append(log, bytes([number]) * 1000)
    sync(log)
    return log


def test_retention_by_bytes_removes_whole_closed_files(tmp_path: Path) -> None:
    log = grown(tmp_path, TopicConfig(segment_bytes=1024, retention_bytes=3500, retention_ms=-1))
    assert len(list(tmp_path.glob("*.log"))) == 10
    assert log.retain(0) == 6
    assert (log.log_start, log.high_watermark) == (6, 10)
    assert log.size >= 3500
    assert content(log) == [bytes([number]) * 1000 for number in range(6, 10)]
    assert refused(lambda: log.read(5, 100)) == Code.OFFSET_OUT_OF_RANGE
    log.close()
    again = open_log(tmp_path)
    assert (again.log_start, again.high_watermark) == (6, 10)


def test_retention_by_time_counts_from_the_last_write_and_keeps_the_newest_file(tmp_path: Path) -> None:
    config = TopicConfig(segment_bytes=1024, retention_ms=DAY_MS, segment_ms=30 * DAY_MS)
    grown(tmp_path, config).close()
    now = 1_800_000_000_000
    for number, path in enumerate(sorted(tmp_path.glob("*.log"))):
        age = 2 * DAY_MS if number < 4 else DAY_MS // 2
        os.utime(path, ns=((now - age) * 1_000_000, (now - age) * 1_000_000))
    log = open_log(tmp_path, config)
    assert log.retain(now) == 4
    assert log.log_start == 4
    assert log.retain(now + 3 * DAY_MS) == 6
    assert log.log_start == log.high_watermark == 10
    assert len(list(tmp_path.glob("*.log"))) == 1
    assert append(log, b"next") == 10


def test_files_are_as_old_as_the_clock_of_ages_says_and_stay_so_over_a_restart(tmp_path: Path) -> None:
    config = TopicConfig(segment_bytes=1024, retention_ms=DAY_MS, segment_ms=30 * DAY_MS)
    log = grown(tmp_path, config)
    assert log.retain(1000) == 0
    assert log.retain(1000 + DAY_MS // 2) == 0
    append(log, b"x" * 1000)
    sync(log)
    assert log.retain(2000 + DAY_MS // 2) == 0
    log.checkpoint()
    log.close()
    again = open_log(tmp_path, config)
    assert again.retain(2000 + DAY_MS) == 10
    assert again.log_start == 10
    assert again.retain(3000 + DAY_MS + DAY_MS // 2) == 1


def test_files_from_a_time_to_come_are_as_old_as_they_are_seen_first(tmp_path: Path) -> None:
    config = TopicConfig(segment_bytes=1024, retention_ms=DAY_MS, segment_ms=30 * DAY_MS)
    grown(tmp_path, config).close()
    for path in tmp_path.glob("*.log"):
        os.utime(path, ns=(2**62, 2**62))
    log = open_log(tmp_path, config)
    assert log.retain(1000) == 0
    assert log.retain(1001 + DAY_MS) == 10


def test_a_topic_that_deletes_nothing_keeps_its_files_until_they_are_taken_by_hand(tmp_path: Path) -> None:
    log = grown(tmp_path, TopicConfig(segment_bytes=1024, retention_bytes=0, retention_ms=0, deletes=False))
    assert log.retain(2**50) == 0
    log.move_start(log.check_new_start(5))
    assert log.retain(2**50) == 5
    assert (log.log_start, log.high_watermark) == (5, 10)


def test_a_file_is_not_removed_before_it_is_synced(tmp_path: Path) -> None:
    log = open_log(tmp_path, TopicConfig(segment_bytes=1024, retention_bytes=0))
    for _ in range(3):
        append(log, b"x" * 1000)
    assert log.retain(0) == 0
    sync(log)
    assert log.retain(0) == 2


def test_deleted_records_stay_hidden_and_their_files_go(tmp_path: Path) -> None:
    log = grown(tmp_path, TopicConfig(segment_bytes=1024, retention_ms=-1))
    start = log.check_new_start(5)
    log.move_start(start)
    assert log.log_start == 5
    assert refused(lambda: log.read(4, 100)) == Code.OFFSET_OUT_OF_RANGE
    assert refused(lambda: log.check_new_start(11)) == Code.OFFSET_OUT_OF_RANGE
    assert log.check_new_start(-1) == 10
    assert log.check_new_start(2) == 5
    assert log.retain(0) == 5
    log.close()
    assert open_log(tmp_path, log_start=5).log_start == 5


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.lists(st.integers(1, 500), min_size=1, max_size=5), min_size=1, max_size=30),
    st.integers(0, 510),
    st.integers(0, 150),
)
def test_the_first_record_at_a_time_is_found_over_many_files(
    batches: list[list[int]], wanted: int, hidden: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        log = open_log(Path(name), TopicConfig(segment_bytes=1024))
        for times in batches:
            log.append(record_batch([b"v" * 100] * len(times), times=times), disk_is_low=False)
        sync(log)
        flat = [time for times in batches for time in times]
        log.move_start(hidden := min(hidden, len(flat)))
        expected = next(
            ((offset, time) for offset, time in enumerate(flat) if time >= wanted and offset >= hidden), None
        )
        assert asyncio.run(log.offset_at(wanted)) == expected
        log.close()


def test_damage_met_while_reading_takes_the_partition_offline(tmp_path: Path) -> None:
    path, ends = three_batches(tmp_path / "log")
    log = open_log(tmp_path / "log")
    with path.open("r+b") as file:
        file.seek(ends[0])
        file.write(b"\0" * 61)
    assert refused(lambda: log.read(4, 1000)) == Code.KAFKA_STORAGE_ERROR
    assert "damaged at byte" in str(log.offline)
    assert path.stat().st_size == ends[2]


def test_a_partition_whose_folder_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    shutil.rmtree(tmp_path)
    with pytest.raises(OSError, match="No such file"):
        recovery.recover(tmp_path, 10)
    tmp_path.mkdir()
