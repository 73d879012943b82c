"""One partition: an append-only log of record batches whose visible end is what the disk is known to hold."""

import asyncio
import contextlib
import logging
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from medkg_lab.broker.embedded import batch as batches
from medkg_lab.broker.embedded import disk, times
from medkg_lab.broker.embedded.batch import Batch
from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.errors import Damaged, Refused, StorageFailed
from medkg_lab.broker.embedded.producers import KnownProducer, Producers
from medkg_lab.broker.embedded.recovery import Recovered, write_checkpoint
from medkg_lab.broker.embedded.segment import Segment
from medkg_lab.broker.embedded.topic_config import TopicConfig

_log = logging.getLogger("medkg_lab.broker")


@dataclass(frozen=True)
class Appended:
    """Where a batch went, or lies already: it may be acknowledged once the log is durable up to `next_offset`."""

    base_offset: int
    next_offset: int


@dataclass(frozen=True)
class SyncWork:
    """What one round of fdatasync makes durable: segments with their sizes when the round began."""

    folder: Path | None
    segments: list[tuple[Segment, int, int]]
    end_offset: int

    def run(self) -> None:
        """Do it; for a worker thread. Raises OSError."""
        if self.folder is not None:
            disk.sync_folder(self.folder)
        for _, descriptor, _ in self.segments:
            disk.sync(descriptor)


class PartitionLog:
    """The log of one partition. Not thread-safe: it belongs to the event loop; only `SyncWork.run` runs beside it.

    Every offset below `high_watermark` is on the disk and visible; what lies above it was written but may still vanish.
    """

    def __init__(self, topic: str, partition: int, folder: Path, config: TopicConfig) -> None:
        self.topic = topic
        self.partition = partition
        self.folder = folder
        self.config = config
        self.offline: str | None = None
        self.high_watermark = 0
        self.log_start = 0
        self.cut_bytes = 0
        self._segments: list[Segment] = []
        self._unsynced: list[Segment] = []
        self._folder_changed = False
        self._producers = Producers(0)
        self._durable_waiters: list[tuple[int, asyncio.Future[None]]] = []
        self._watchers: set[asyncio.Future[None]] = set()

    def __repr__(self) -> str:
        state = f"offline: {self.offline}" if self.offline else f"{self.log_start}..{self.high_watermark}"
        return f"<PartitionLog {self.topic}-{self.partition} {state}>"

    @property
    def end_offset(self) -> int:
        """The offset that the next record gets."""
        return self._segments[-1].next_offset

    @property
    def size(self) -> int:
        """Bytes in the log's files."""
        return sum(segment.size for segment in self._segments)

    @property
    def newest_change_ms(self) -> int | None:
        """The latest time that one of the files carries; None when none was written. Raises OSError."""
        times = [segment.path.stat().st_mtime_ns // 1_000_000 for segment in self._segments if segment.size]
        return max(times, default=None)

    @property
    def repeats(self) -> int:
        """How many batches came again and were not stored again."""
        return self._producers.repeats

    def producers(self) -> list[KnownProducer]:
        """The idempotent producers that are remembered. Raises Refused when the partition is offline."""
        self.check_online()
        return self._producers.known()

    def adopt(self, recovered: Recovered, log_start: int) -> None:
        """Take over what recovery found; `log_start` is where DeleteRecords had moved the beginning, if anywhere."""
        self._segments = recovered.segments
        self._producers = recovered.producers
        self.cut_bytes = recovered.cut_bytes
        self.high_watermark = self.end_offset
        self.log_start = min(max(log_start, self._segments[0].base_offset), self.high_watermark)

    # --- writing

    def append(self, records: bytes | None, disk_is_low: bool) -> Appended:
        """Check and write one record set. Synchronous, so requests are stored in the order in which they came.

        Raises Refused with the producer's error code.
        """
        self.check_online()
        found = batches.admit(records, self.config.max_message_bytes)
        assert records is not None, "admit lets no empty set through"
        stored = self._producers.check(found, something_removed=self._segments[0].base_offset > 0)
        if stored is not None:
            return Appended(stored, stored + found.last_delta + 1)
        if disk_is_low:
            raise Refused(Code.KAFKA_STORAGE_ERROR, "too little disk space is left")
        return self._write(found, records)

    def _write(self, found: Batch, records: bytes) -> Appended:
        offset = self.end_offset
        try:
            if self._segments[-1].size and self._segments[-1].size + found.size > self.config.segment_bytes:
                self.roll()
            segment = self._segments[-1]
            segment.append(found, records, offset)
        except OSError as error:
            _log.error("%s-%d: a batch was not written: %s", self.topic, self.partition, error)
            raise Refused(Code.KAFKA_STORAGE_ERROR, f"the batch was not written: {error}") from error
        if segment not in self._unsynced:
            self._unsynced.append(segment)
        placed = found._replace(base_offset=offset)
        self._producers.note(placed)
        return Appended(offset, placed.next_offset)

    def roll(self) -> None:
        """Begin a new file. Raises OSError, and then everything is as before."""
        fresh = Segment(self.folder, self.end_offset)
        fresh.open()
        self._folder_changed = True
        closed = self._segments[-1]
        self._segments.append(fresh)
        if closed not in self._unsynced:
            closed.close()

    # --- becoming durable

    def begin_sync(self) -> SyncWork | None:
        """What is to be synced now, or None when everything is."""
        if self.offline or not self._unsynced:
            return None
        folder = self.folder if self._folder_changed else None
        self._folder_changed = False
        segments = [(segment, segment.open(), segment.size) for segment in self._unsynced]
        return SyncWork(folder, segments, self.end_offset)

    def finish_sync(self, work: SyncWork) -> None:
        """`work` was done: show its records and tell who waits."""
        for segment, _, size in work.segments:
            segment.durable_size = size
            if segment.size == size:
                self._unsynced.remove(segment)
                if segment is not self._segments[-1]:
                    segment.close()
        self.high_watermark = work.end_offset
        self._notify()

    def fail(self, reason: str) -> None:
        """Take the partition offline: nothing that is not durable will ever be acknowledged or shown.

        After a failed fdatasync the kernel may call pages clean that never reached the disk, so a second try would prove
        nothing; the bytes in question are cut away instead.
        """
        if self.offline:
            return
        self.offline = reason
        _log.error("%s-%d is offline: %s", self.topic, self.partition, reason)
        for segment in reversed(self._unsynced):
            try:
                if segment.durable_size or segment is self._segments[0]:
                    segment.cut(segment.durable_size)
                else:
                    segment.remove()
            except OSError as error:
                _log.error("%s was not cut back to its durable part: %s", segment.path, error)
        self._notify()

    def durable(self, offset: int) -> "asyncio.Future[None]":
        """A future that is done once every record below `offset` is durable; it raises StorageFailed when that cannot be."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._durable_waiters.append((offset, future))
        self._notify_durable()
        return future

    def watch(self, future: "asyncio.Future[None]") -> None:
        """Complete `future` at the next change that a reader can see."""
        self._watchers.add(future)

    def unwatch(self, future: "asyncio.Future[None]") -> None:
        """Forget `future`."""
        self._watchers.discard(future)

    def _notify(self) -> None:
        self._notify_durable()
        for future in self._watchers:
            if not future.done():
                future.set_result(None)
        self._watchers.clear()

    def _notify_durable(self) -> None:
        waiting, self._durable_waiters = self._durable_waiters, []
        for offset, future in waiting:
            if future.done():
                continue
            if offset <= self.high_watermark:
                future.set_result(None)
            elif self.offline:
                future.set_exception(StorageFailed(topic=self.topic, partition=self.partition, detail=self.offline))
            else:
                self._durable_waiters.append((offset, future))

    # --- reading

    def read(self, offset: int, max_bytes: int) -> bytes:
        """Batches from the one that holds `offset` on, about `max_bytes` of them but the first one whole.

        The last batch may be incomplete, as the protocol allows. Empty at the high watermark. Raises Refused when `offset`
        is outside of the log or the partition is offline.
        """
        self.check_online()
        if not self.log_start <= offset <= self.high_watermark:
            raise Refused(
                Code.OFFSET_OUT_OF_RANGE, f"offset {offset}, the log has {self.log_start} to {self.high_watermark}"
            )
        if offset == self.high_watermark:
            return b""
        with self._damage_takes_offline():
            segment = self._segment_of(offset)
            found = segment.locate(offset)
            if found is None:
                return b""
            position, first = found
            return segment.read(position, min(max(max_bytes, first.size), segment.durable_size - position))
        raise AssertionError("unreachable")

    @property
    def max_timestamp(self) -> int:
        """The latest time of a record, in milliseconds since 1970; -1 when there is none."""
        return max(segment.max_timestamp for segment in self._segments)

    async def offset_at(self, timestamp: int) -> tuple[int, int] | None:
        """(offset, time) of the first visible record at or after `timestamp` in ms, or None. Raises Refused.

        A batch is unpacked in a worker thread: a large one takes longer than other clients should wait.
        """
        start = self.log_start
        while (data := self._batch_at(timestamp, start)) is not None:
            found = await asyncio.to_thread(times.first_at, data, timestamp, start)
            if found is not None:
                return found
            header = batches.read_header(data)
            assert header is not None, "_batch_at gives whole batches"
            start = header.next_offset
        return None

    def _batch_at(self, timestamp: int, start: int) -> bytes | None:
        """The first batch with records from `start` on whose newest is at or after `timestamp`."""
        self.check_online()
        with self._damage_takes_offline():
            for segment in self._segments:
                found = segment.locate_time(timestamp, start)
                if found is not None:
                    position, batch = found
                    return segment.read(position, batch.size)
        return None

    @contextlib.contextmanager
    def _damage_takes_offline(self) -> Iterator[None]:
        try:
            yield
        except (Damaged, OSError) as error:
            self.fail(str(error))
            self.check_online()

    def _segment_of(self, offset: int) -> Segment:
        return self._segments[bisect_right(self._segments, offset, key=lambda segment: segment.base_offset) - 1]

    def check_online(self) -> None:
        """Raise Refused with the reason when the partition is offline."""
        if self.offline:
            raise Refused(Code.KAFKA_STORAGE_ERROR, f"{self.topic}-{self.partition} is offline: {self.offline}")

    # --- keeping and removing

    def retain(self, now_ms: int) -> int:
        """Remove whole closed files that the topic's limits no longer keep; returns how many. Raises OSError.

        `now_ms` is what the clock of ages shows.

        Also begins a new file when the newest is older than the topic allows, so that time can take it later.
        """
        if self.offline:
            return 0
        ages = {segment: segment.age_ms(now_ms) for segment in self._segments}
        self._roll_by_age(ages[self._segments[-1]])
        removed = 0
        while len(self._segments) > 1 and self._may_go(self._segments[0], ages[self._segments[0]]):
            self._segments.pop(0).remove()
            removed += 1
        if removed:
            disk.sync_folder(self.folder)
            self.log_start = max(self.log_start, self._segments[0].base_offset)
            self._notify()
        return removed

    def _roll_by_age(self, age_ms: int) -> None:
        newest = self._segments[-1]
        limits = [limit for limit in (self.config.segment_ms, self.config.retention_ms) if limit >= 0]
        if newest.size and newest not in self._unsynced and limits and age_ms > min(limits):
            self.roll()

    def _may_go(self, oldest: Segment, age_ms: int) -> bool:
        if oldest in self._unsynced:
            return False
        if oldest.next_offset <= self.log_start:
            return True
        if not self.config.deletes:
            return False
        if self.config.retention_bytes >= 0 and self.size - oldest.size >= self.config.retention_bytes:
            return True
        return 0 <= self.config.retention_ms < age_ms

    def check_new_start(self, offset: int) -> int:
        """The log start that DeleteRecords asks for with `offset`; -1 stands for the high watermark. Raises Refused."""
        self.check_online()
        wanted = self.high_watermark if offset == -1 else offset
        if not 0 <= wanted <= self.high_watermark:
            raise Refused(Code.OFFSET_OUT_OF_RANGE, f"offset {offset}, the log ends at {self.high_watermark}")
        return max(wanted, self.log_start)

    def move_start(self, offset: int) -> None:
        """Hide everything below `offset`; `retain` removes the files that it empties."""
        self.log_start = max(self.log_start, offset)
        self._notify()

    def checkpoint(self) -> None:
        """Keep what the next start would otherwise find by reading every batch. Raises OSError."""
        if not self.offline and not self._unsynced:
            self._segments[-1].write_age()
            write_checkpoint(self.folder, self._segments, self._producers)

    def close(self) -> None:
        """Give the descriptors back."""
        for segment in self._segments:
            segment.close()
