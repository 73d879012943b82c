"""Removing values that nobody reads any more from a store that is written to meanwhile.

What a sweep may remove was written before it began: it notes the ends of all packs first, and from then on no writer answers
that an older value is there already (`store.Barrier`). Whoever still had an older one in mind at that time has finished when
the caller says so, and only then it is asked which values are needed. So a value that comes back while it is being removed is
written anew, behind the end.

A record that goes becomes a hole: its hash is zero, its bytes are given back to the disk, and what stands behind it stays where
it is. A pack that still grows is changed in place; all others, which backups may share, are replaced by a copy. A sweep that is
killed leaves records that nobody reads, for the next one.
"""

import contextlib
import fcntl
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medkg_lab import linux
from medkg_lab.artifacts.store import NAME_FROM, NOTHING, PACKS, Barrier, pack_number, records
from medkg_lab.errors import LabError
from medkg_lab.files import sync

_LOCK = "sweep.lock"
_COPY = ".copy"


class SweepRuns(LabError):
    """The artifacts at {root} are being swept already. Wait until that is done."""


@dataclass(frozen=True, slots=True)
class Record:
    """A value in a pack: where its bytes begin, and how many they are."""

    name: str
    pack: Path
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep removed: how many values, and their bytes."""

    values: int = 0
    bytes: int = 0

    def __add__(self, other: "Swept") -> "Swept":
        return Swept(self.values + other.values, self.bytes + other.bytes)


def doomed(found: Sequence[Record], needed: Callable[[str], bool]) -> list[Record]:
    """The records to remove: those of values that nobody needs, and all but the newest of a value that is there twice. Pure.

    `found` is in the order of writing.
    """
    newest = {record.name: record for record in found}
    return [record for record in found if newest[record.name] is not record or not needed(record.name)]


@contextlib.contextmanager
def alone(root: Path, waits: bool = False) -> Iterator[None]:
    """Nobody else sweeps the store at `root` while the block runs. Raises SweepRuns unless it `waits`."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(root / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
        yield
    except BlockingIOError:
        raise SweepRuns(root=root) from None
    finally:
        os.close(handle)


@dataclass(frozen=True)
class Begun:
    """A sweep that has begun: the values that stand in the packs, in the order of writing, and where each pack ends."""

    found: tuple[Record, ...]
    ends: Mapping[str, int]


def begin(root: Path) -> Begun:
    """Note where the packs end, durably, and tell what stands before; to be called in `alone`."""
    for left in (root / PACKS).glob(f"*.pack{_COPY}"):
        left.unlink()
    packs = sorted((root / PACKS).glob("*.pack"), key=lambda pack: (pack.stat().st_mtime, pack.name))
    everything = []
    for pack in packs:
        with contextlib.suppress(FileNotFoundError):
            everything += _records(pack)
    ends = {record.pack.name: record.offset + record.length for record in everything}
    Barrier.write(root, ends)
    return Begun(tuple(record for record in everything if record.name), ends)


def finish(root: Path, begun: Begun, needed: Callable[[str], bool]) -> Swept:
    """Remove what is not `needed` of the values that `begin` found, a pack after the other."""
    by_pack: dict[Path, list[Record]] = {}
    for record in doomed(begun.found, needed):
        by_pack.setdefault(record.pack, []).append(record)
    values = Counter(record.pack for record in begun.found)
    swept = Swept()
    for pack, gone in by_pack.items():
        # Packs of recorded exchanges that are too old are removed at any time.
        with contextlib.suppress(FileNotFoundError):
            _sweep_pack(pack, gone, is_empty=len(gone) == values[pack])
            swept += Swept(len(gone), sum(record.length for record in gone))
    if swept.values:
        sync(root / PACKS)
        # Set anew, so that all who have packs open look, and let go of those that were replaced.
        Barrier.write(root, begun.ends)
    return swept


def _sweep_pack(pack: Path, gone: Sequence[Record], is_empty: bool) -> None:
    if _grows(pack):
        _make_holes(pack, gone)
    elif is_empty:
        pack.unlink()
    else:
        _replace(pack, gone)


def _records(pack: Path) -> list[Record]:
    """What stands in a pack; the name of a hole is empty."""
    handle = os.open(pack, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return [Record(name, pack, place.offset, place.length) for name, place in records(pack, handle, 0)]
    finally:
        os.close(handle)


def _grows(pack: Path) -> bool:
    """Whether a writer may append to it: it is its newest."""
    writer = pack.stem.rpartition("-")[0]
    return pack == max(pack.parent.glob(f"{writer}-*.pack"), key=pack_number, default=None)


def _replace(pack: Path, gone: Iterable[Record]) -> None:
    copy = pack.with_name(pack.name + _COPY)
    shutil.copyfile(pack, copy)
    os.chmod(copy, 0o600)
    # Copying has filled the holes that were there.
    _make_holes(copy, [*gone, *(record for record in _records(copy) if not record.name)])
    copy.replace(pack)


def _make_holes(path: Path, gone: Iterable[Record]) -> None:
    """First the bytes, then the hash: a record without either is one that nobody reads, and is made a hole next time."""
    gone = tuple(gone)
    handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        for record in gone:
            linux.make_hole(handle, record.offset, record.length)
        os.fdatasync(handle)
        for record in gone:
            os.pwrite(handle, NOTHING, record.offset - NAME_FROM)
        os.fdatasync(handle)
    finally:
        os.close(handle)
