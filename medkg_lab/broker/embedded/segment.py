"""One file of a partition's log: whole record batches one after the other, and a sparse index of them in memory."""

import contextlib
import os
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from medkg_lab.broker.embedded import disk
from medkg_lab.broker.embedded.batch import ASSIGNED, HEADER_BYTES, LEADER_EPOCH, Batch, read_header
from medkg_lab.broker.embedded.compression import Buffer
from medkg_lab.broker.embedded.errors import Damaged

SUFFIX = ".log"
INDEX_INTERVAL_BYTES = 4096
"""Bytes of log per index entry: a search walks over that many bytes of headers at most, plus one batch."""
_WALK_BYTES = 64 * 1024
_NO_TIME = -1


@dataclass(frozen=True, slots=True)
class SegmentSummary:
    """A segment in a checkpoint: its first offset, its bytes, the next offset, its newest time, and the columns of its index."""

    base: int
    size: int
    next: int
    time: int
    index: tuple[list[int], list[int], list[int]]


class Segment:
    """A file that begins with the offset in its name. Only the newest of a log is written to; an older one is closed and is
    opened for each read. `size` counts what was written, `durable_size` what is known to be on the disk."""

    def __init__(self, folder: Path, base_offset: int) -> None:
        self.base_offset = base_offset
        self.path = folder / f"{base_offset:020d}{SUFFIX}"
        self.size = 0
        self.durable_size = 0
        self.next_offset = base_offset
        self.max_timestamp = _NO_TIME
        self._changed_ms: int | None = None
        """When it was last written, by the clock of ages; None until that clock is looked at."""
        self._carries_age = False
        self._descriptor: int | None = None
        self._offsets = array("q")
        self._positions = array("q")
        self._times_before = array("q")

    def __repr__(self) -> str:
        return f"<Segment {self.path.name} offsets {self.base_offset}..{self.next_offset} {self.size} B>"

    def open(self) -> int:
        """Open the file for writing, making it when it is not there, and return its descriptor. Raises OSError."""
        if self._descriptor is None:
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._descriptor

    def close(self) -> None:
        """Give the descriptor back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def append(self, batch: Batch, records: Buffer, offset: int) -> None:
        """Write `records`, the bytes of `batch`, so that its first record has `offset`.

        Raises OSError after taking back what was written of it.
        """
        descriptor = self.open()
        head = ASSIGNED.pack(offset, batch.size - 12, LEADER_EPOCH)
        try:
            disk.write_at(descriptor, [head, memoryview(records)[ASSIGNED.size :]], self.size)
        except OSError:
            os.ftruncate(descriptor, self.size)
            raise
        self._changed_ms, self._carries_age = None, False
        self.note(batch._replace(base_offset=offset), self.size)

    def note(self, batch: Batch, position: int) -> None:
        """Take the batch at `position` into the index; batches come in order."""
        if not self._positions or position - self._positions[-1] >= INDEX_INTERVAL_BYTES:
            self._offsets.append(batch.base_offset)
            self._positions.append(position)
            self._times_before.append(self.max_timestamp)
        self.max_timestamp = max(self.max_timestamp, batch.max_timestamp)
        self.size = position + batch.size
        self.next_offset = batch.next_offset

    def cut(self, size: int) -> None:
        """Drop everything from byte `size` on, and keep that on the disk. Raises OSError.

        The index is not touched: the caller reads the file anew or writes to it no more.
        """
        descriptor = self.open()
        os.ftruncate(descriptor, size)
        os.fsync(descriptor)

    def read(self, position: int, count: int) -> bytes:
        """Up to `count` bytes from `position`. Raises OSError."""
        if self._descriptor is not None:
            return os.pread(self._descriptor, count, position)
        with open(self.path, "rb", buffering=0) as file:
            return os.pread(file.fileno(), count, position)

    def walk(self, position: int, end: int) -> Iterator[tuple[int, Batch]]:
        """The headers from the batch at `position` up to byte `end`, each with its position. Raises Damaged, OSError."""
        chunk, start = b"", position
        while position < end:
            if position + HEADER_BYTES > start + len(chunk):
                chunk, start = self.read(position, min(_WALK_BYTES, end - position)), position
            batch = read_header(chunk, position - start)
            if batch is None or batch.base_offset < self.base_offset:
                raise Damaged(path=self.path, position=position, detail="no batch header where one must be")
            yield position, batch
            position += batch.size

    def locate(self, offset: int) -> tuple[int, Batch] | None:
        """Position and header of the batch that holds `offset`, or of the next one; None when there is none yet."""
        entry = bisect_right(self._offsets, offset) - 1
        if entry < 0:
            return None
        for position, batch in self.walk(self._positions[entry], self.durable_size):
            if batch.next_offset > offset:
                return position, batch
        return None

    def locate_time(self, timestamp: int, offset: int) -> tuple[int, Batch] | None:
        """Position and header of the first batch with records at `offset` or above whose newest is at or after `timestamp`."""
        if self.max_timestamp < timestamp or not self._positions:
            return None
        by_time = bisect_left(self._times_before, timestamp) - 1
        by_offset = bisect_right(self._offsets, offset) - 1
        for position, batch in self.walk(self._positions[max(by_time, by_offset, 0)], self.durable_size):
            if batch.max_timestamp >= timestamp and batch.next_offset > offset:
                return position, batch
        return None

    def age_ms(self, now_ms: int) -> int:
        """How long ago the file was last written, where `now_ms` is what the broker's clock of ages shows. Raises OSError.

        Ages count from here and not from the records' own times: those are the producers' word, and a replay of old events
        must not vanish at once. A closed file carries the time as its own, so that it is known after a restart.
        """
        if self._changed_ms is None or self._changed_ms > now_ms:
            self._changed_ms, self._carries_age = now_ms, False
        if self._descriptor is None:
            self.write_age()
        return now_ms - self._changed_ms

    def write_age(self) -> None:
        """Put the time of the last change, as far as it is known, on the file. Raises OSError."""
        if self._changed_ms is not None and not self._carries_age:
            os.utime(self.path, ns=(self._changed_ms * 1_000_000,) * 2)
            self._carries_age = True

    def read_age(self) -> None:
        """Take over the time that the file carries. Raises OSError."""
        self._changed_ms, self._carries_age = self.path.stat().st_mtime_ns // 1_000_000, True

    def remove(self) -> None:
        """Delete the file. Raises OSError."""
        self.close()
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()

    def summary(self) -> "SegmentSummary":
        """What a checkpoint keeps of this segment."""
        index = (self._offsets.tolist(), self._positions.tolist(), self._times_before.tolist())
        return SegmentSummary(self.base_offset, self.size, self.next_offset, self.max_timestamp, index)

    def restore(self, summary: "SegmentSummary") -> None:
        """Take over a summary that was made of this very file; what it lists was durable.

        Raises ValueError and OverflowError for a damaged one.
        """
        self.size = self.durable_size = summary.size
        self.next_offset = summary.next
        self.max_timestamp = summary.time
        offsets, positions, times_before = (array("q", column) for column in summary.index)
        if not len(offsets) == len(positions) == len(times_before):
            raise ValueError("the columns of its index have different lengths")
        self._offsets, self._positions, self._times_before = offsets, positions, times_before
