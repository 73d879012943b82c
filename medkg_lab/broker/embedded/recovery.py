"""Bringing a partition's segments back at start: from the checkpoint of a clean stop, or by reading every batch.

A crash can tear only the end of the newest file. So the bytes after the last whole batch there are cut when nothing valid
follows them; anything else that is wrong is damage, which is reported and left as it is.
"""

import logging
import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import orjson

from medkg_lab.broker.embedded import disk
from medkg_lab.broker.embedded.batch import MAGIC, Batch, fault, read_header
from medkg_lab.broker.embedded.errors import Damaged
from medkg_lab.broker.embedded.producers import Producers
from medkg_lab.broker.embedded.segment import SUFFIX, Segment, SegmentSummary
from medkg_lab.files import replace_private

log = logging.getLogger(__name__)

CHECKPOINT = "checkpoint.json"
_FORMAT = 1
_EPOCH_AND_MAGIC = bytes([0, 0, 0, 0, MAGIC])
_EPOCH_AT = 12


@dataclass
class Recovered:
    """A partition's segments, oldest first, never none; `cut_bytes` is what a crash had torn."""

    segments: list[Segment]
    producers: Producers
    cut_bytes: int = 0


def recover(folder: Path, producer_limit: int) -> Recovered:
    """Read the partition in `folder`. Raises Damaged when it is not what a crash can leave, and OSError."""
    bases = sorted(int(path.stem) for path in folder.glob("[0-9]*" + SUFFIX))
    content = _pop_checkpoint(folder)
    if content is not None and bases:
        found = _restored(folder, content, bases, producer_limit)
        if found is not None:
            return found
    return _read_all(folder, bases, producer_limit)


def write_checkpoint(folder: Path, segments: list[Segment], producers: Producers) -> None:
    """Keep what `recover` would find out by reading; only for a log that is wholly durable. Raises OSError."""
    summary = _Checkpoint(_FORMAT, [segment.summary() for segment in segments], producers.summary())
    replace_private(folder / CHECKPOINT, orjson.dumps(summary), durable=True)


@dataclass(frozen=True, slots=True)
class _Checkpoint:
    format: int
    segments: list[SegmentSummary]
    producers: list[Any]


class _Head(msgspec.Struct):
    format: object


def _pop_checkpoint(folder: Path) -> bytes | None:
    """Read and remove the checkpoint: it holds until the first write, so a crash from here on must not find it."""
    path = folder / CHECKPOINT
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    path.unlink()
    disk.sync_folder(folder)
    try:
        return content if msgspec.json.decode(content, type=_Head).format == _FORMAT else None
    except msgspec.DecodeError:
        return None


def _restored(folder: Path, content: bytes, bases: list[int], producer_limit: int) -> Recovered | None:
    """What the checkpoint says, if it is about these files; None for a damaged one, so that the files are read."""
    try:
        checkpoint = msgspec.json.decode(content, type=_Checkpoint)
        if [entry.base for entry in checkpoint.segments] == bases:
            return _restore(folder, checkpoint, producer_limit)
    except (msgspec.ValidationError, TypeError, ValueError, OverflowError):
        log.warning("the checkpoint of %s is damaged: its files are read instead", folder)
    return None


def _restore(folder: Path, checkpoint: _Checkpoint, producer_limit: int) -> Recovered | None:
    segments = []
    for entry in checkpoint.segments:
        segment = Segment(folder, entry.base)
        if segment.path.stat().st_size != entry.size:
            return None
        segment.restore(entry)
        segment.read_age()
        segments.append(segment)
    producers = Producers(producer_limit)
    producers.restore(checkpoint.producers)
    segments[-1].open()
    return Recovered(segments, producers)


def _read_all(folder: Path, bases: list[int], producer_limit: int) -> Recovered:
    found = Recovered([], Producers(producer_limit))
    for base in bases:
        segment = Segment(folder, base)
        if found.segments and found.segments[-1].next_offset != base:
            detail = f"it begins at offset {base}, the file before it ends at {found.segments[-1].next_offset}"
            raise Damaged(path=segment.path, position=0, detail=detail)
        found.cut_bytes += _read_segment(segment, found.producers, newest=base == bases[-1])
        found.segments.append(segment)
    if not found.segments:
        found.segments.append(Segment(folder, 0))
    found.segments[-1].open()
    disk.sync_folder(folder)
    return found


def _read_segment(segment: Segment, producers: Producers, newest: bool) -> int:
    size = segment.path.stat().st_size
    if size:
        with open(segment.path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            problem = _read_batches(segment, producers, data)
            if problem and not (newest and _is_torn_tail(segment, data)):
                raise Damaged(path=segment.path, position=segment.size, detail=problem)
    if segment.size < size:
        segment.cut(segment.size)
    # What a killed process had written but not synced is readable here, so it has to be made durable before it is shown.
    disk.sync_file(segment.path)
    segment.durable_size = segment.size
    segment.close()
    if not newest:
        segment.read_age()  # what a crash left of the newest was written just now, as far as anyone knows
    return size - segment.size


def _read_batches(segment: Segment, producers: Producers, data: mmap.mmap) -> str | None:
    with memoryview(data) as view:
        while segment.size < len(view):
            batch = read_header(view, segment.size)
            problem = fault(batch, view, segment.size) or _misplaced(batch, segment)
            if problem or batch is None:
                return problem
            segment.note(batch, segment.size)
            producers.note(batch)
    return None


def _misplaced(batch: Batch | None, segment: Segment) -> str | None:
    if batch is None or batch.base_offset == segment.next_offset:
        return None
    return f"a batch with offset {batch.base_offset} where {segment.next_offset} comes next"


def _is_torn_tail(segment: Segment, data: mmap.mmap) -> bool:
    """Whether no valid batch of this segment follows the last good one."""
    with memoryview(data) as view:
        start = segment.size + _EPOCH_AT
        while (found := data.find(_EPOCH_AND_MAGIC, start)) >= 0:
            position = found - _EPOCH_AT
            batch = read_header(view, position)
            if (
                position > segment.size
                and batch
                and batch.base_offset > segment.next_offset
                and not fault(batch, view, position)
            ):
                return False
            start = found + 1
    return True
