"""The content-addressed artifact store: append-only packs, one fdatasync per batch of values.

Each writing process appends to packs of its own; every process reads all packs. A record is a header (magic, sha256, length)
followed by the value's bytes, so a pack can be scanned without reading the values, and a tail torn by a crash is recognised:
nothing in it was ever acknowledged.
"""

import fcntl
import hashlib
import os
import re
import struct
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import orjson

from medkg_lab.errors import LabError
from medkg_lab.files import replace_private

_HEADER = struct.Struct("<4s32sQ")
_MAGIC = b"MKA1"
NAME_FROM = _HEADER.size - len(_MAGIC)
"""Bytes from where a record has its hash to where its value begins."""
PACKS = "packs"
NOTHING = bytes(32)
"""The hash of a record whose value was removed, a hole (`sweep.py`)."""
PACK_BYTES = 256 * 1024 * 1024
"""Bytes after which a writer starts a new pack."""
MAX_VALUE_BYTES = 512 * 1024 * 1024


class ArtifactMissing(LabError):
    """The artifact {sha256} is in no pack under {root}. It was removed, or belongs to another lab; submit the document again."""


class ArtifactDamaged(LabError):
    """The artifact {sha256} in {pack} no longer has its hash: the disk changed it. Submit its document again with `--again`."""


class ArtifactTooLarge(LabError):
    """A value of {size} bytes is over the store's limit of {limit} bytes. Split the document."""


class WriterInUse(LabError):
    """Another process already writes artifacts as {writer!r} under {root}. Stop it, or wait until it ends."""


class _Location(NamedTuple):
    pack: Path
    offset: int
    length: int


class Barrier:
    """Where the packs ended when the last sweep began, as every writer sees it.

    A value from before that may be gone in a moment: who stores it again must not rely on it.
    """

    def __init__(self, root: Path) -> None:
        self._path = root / "sweep.json"
        self._seen: tuple[int, int] | None = None
        self._ends: dict[str, int] = {}

    @staticmethod
    def write(root: Path, ends: Mapping[str, int]) -> None:
        """Set it, durably."""
        replace_private(root / "sweep.json", orjson.dumps(dict(ends)), durable=True)

    def reload(self) -> bool:
        """See whether it was set anew."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return False
        if (seen := (found.st_ino, found.st_mtime_ns)) == self._seen:
            return False
        self._ends, self._seen = orjson.loads(self._path.read_bytes()), seen
        return True

    def has_passed(self, pack: Path, offset: int) -> bool:
        """Whether what stands there was written after it was set."""
        return offset > self._ends.get(pack.name, 0)


class ArtifactStore:
    """Values by their sha256; `writer` names this process's packs and may be None for a store that only reads.

    Safe for use from several threads of one process. `put` and `put_many` return once the values are on disk; `stage` writes
    without waiting and is made durable by the next `commit`.
    """

    def __init__(self, root: Path, writer: str | None = None, pack_bytes: int = PACK_BYTES) -> None:
        self.root = root
        self.writer = writer
        self._pack_bytes = pack_bytes
        self._packs = root / PACKS
        self._barrier = Barrier(root)
        self._packs.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._index: dict[str, _Location] = {}
        self._scanned: dict[Path, int] = {}
        self._handles: dict[Path, int] = {}
        self._lock = threading.RLock()
        self._syncing = threading.Lock()
        self._dirty = False
        self._lockfile: int | None = None
        self._pack: Path | None = None
        self._end = 0
        if writer is not None:
            self._open_writer(writer)

    def __repr__(self) -> str:
        return f"<ArtifactStore {self.root} writer={self.writer} known={len(self._index)}>"

    def close(self) -> None:
        """Make staged values durable and release the files."""
        self.commit()
        with self._lock:
            for handle in self._handles.values():
                os.close(handle)
            self._handles.clear()
            if self._lockfile is not None:
                os.close(self._lockfile)
                self._lockfile = None

    def put(self, data: bytes) -> str:
        """Keep `data` and return its sha256 in hex. Raises ArtifactTooLarge."""
        return self.put_many([data])[0]

    def put_many(self, values: Sequence[bytes]) -> list[str]:
        """Keep all `values` with one append and one fdatasync; what was kept since the last sweep costs nothing."""
        names = self.stage_many(values)
        self.commit()
        return names

    def stage(self, data: bytes) -> str:
        """Keep `data` without waiting for the disk; `commit` makes it durable."""
        return self.stage_many([data])[0]

    def stage_many(self, values: Sequence[bytes]) -> list[str]:
        """Keep all `values` with one append, without waiting for the disk; `commit` makes them durable."""
        with self._lock:
            return self._append(values)

    def commit(self) -> None:
        """Make durable all values that were staged before; others may be staged meanwhile."""
        # Only one at a time: whoever finds nothing to do must know that it is done, not that another is about to do it.
        with self._syncing:
            with self._lock:
                if not self._dirty or self._pack is None:
                    return
                handle, self._dirty = self._handle(self._pack), False
            try:
                os.fdatasync(handle)
            except OSError:
                self._dirty = True
                raise

    def get(self, sha256: str) -> bytes:
        """The bytes of the artifact. Raises ArtifactMissing, or ArtifactDamaged when they no longer have the hash."""
        with self._lock:
            self._reopen_replaced()
            place = self._find(sha256)
            if place is None:
                raise ArtifactMissing(sha256=sha256, root=self.root)
            handle = self._handle(place.pack)
        data = os.pread(handle, place.length, place.offset)
        if hashlib.sha256(data).hexdigest() == sha256:
            return data
        return self._elsewhere(sha256, place)

    def _elsewhere(self, sha256: str, place: _Location) -> bytes:
        """The value that is no longer where it was: a sweep left another copy of it, or none."""
        with self._lock:
            for pack in self._packs.glob("*.pack"):
                handle = self._handle(pack)
                for name, found in records(pack, handle, 0):
                    if name == sha256 and found != place:
                        self._index[name] = found
                        return self.get(sha256)
            if os.pread(self._handle(place.pack), len(NOTHING), place.offset - NAME_FROM) == NOTHING:
                raise ArtifactMissing(sha256=sha256, root=self.root)
        raise ArtifactDamaged(sha256=sha256, pack=place.pack.name)

    def _reopen_replaced(self) -> None:
        """See whether a sweep has changed packs, and read what is there now; in the lock."""
        if not self._barrier.reload():
            return
        for pack, handle in list(self._handles.items()):
            if os.fstat(handle).st_nlink == 0:
                try:
                    now = os.open(pack, os.O_RDONLY | os.O_CLOEXEC)
                except FileNotFoundError:
                    now = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
                # Under the same number: another thread may be about to read from it.
                os.dup2(now, handle, inheritable=False)
                os.close(now)

    def has(self, sha256: str) -> bool:
        """Whether the artifact is in the store."""
        with self._lock:
            return self._find(sha256) is not None

    def forget_missing(self) -> None:
        """Forget the values of packs that were removed, so that they are kept anew when they come again."""
        with self._lock:
            gone = {pack for pack in self._scanned if pack != self._pack and not pack.exists()}
            if gone:
                self._index = {name: place for name, place in self._index.items() if place.pack not in gone}
            for pack in gone:
                del self._scanned[pack]
                if (handle := self._handles.pop(pack, None)) is not None:
                    os.close(handle)

    def _find(self, sha256: str) -> _Location | None:
        if sha256 not in self._index:
            self._scan()
        return self._index.get(sha256)

    def _append(self, values: Sequence[bytes]) -> list[str]:
        names: list[str] = []
        parts: list[bytes] = []
        places: dict[str, _Location] = {}
        self._reopen_replaced()
        pack, offset = self._room_for(sum(map(len, values)))
        for data in values:
            if len(data) > MAX_VALUE_BYTES:
                raise ArtifactTooLarge(size=len(data), limit=MAX_VALUE_BYTES)
            digest = hashlib.sha256(data)
            name = digest.hexdigest()
            names.append(name)
            if name in places or self._is_reusable(name):
                continue
            parts += [_HEADER.pack(_MAGIC, digest.digest(), len(data)), data]
            places[name] = _Location(pack, offset + _HEADER.size, len(data))
            offset += _HEADER.size + len(data)
        if parts:
            self._write(pack, b"".join(parts))
            self._index.update(places)
            self._scanned[pack] = self._end = offset
        return names

    def _is_reusable(self, name: str) -> bool:
        """Whether the value is here, and no sweep may be about to remove it."""
        place = self._index.get(name)
        return place is not None and self._barrier.has_passed(place.pack, place.offset)

    def _write(self, pack: Path, record: bytes) -> None:
        handle, written = self._handle(pack), 0
        try:
            while written < len(record):
                written += os.pwrite(handle, memoryview(record)[written:], self._end + written)
        except OSError:
            os.ftruncate(handle, self._end)
            raise
        self._dirty = True

    def _room_for(self, size: int) -> tuple[Path, int]:
        assert self._pack is not None, "this store was opened for reading"
        if self._end and self._end + size > self._pack_bytes:
            os.fdatasync(self._handle(self._pack))
            self._dirty = False
            self._start_pack(pack_number(self._pack) + 1)
        return self._pack, self._end

    def _open_writer(self, writer: str) -> None:
        self._lockfile = os.open(self._packs / f"{writer}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lockfile, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lockfile)
            raise WriterInUse(writer=writer, root=self.root) from None
        mine = sorted(self._packs.glob(f"{writer}-*.pack"), key=pack_number)
        self._scan()
        self._start_pack(pack_number(mine[-1]) if mine else 1)

    def _start_pack(self, number: int) -> None:
        pack = self._packs / f"{self.writer}-{number:06d}.pack"
        new = not pack.exists()
        self._pack = pack
        if (read_only := self._handles.pop(pack, None)) is not None:
            os.close(read_only)
        handle = self._handle(pack)
        self._end = self._scanned.get(pack, 0)
        os.ftruncate(handle, self._end)
        if new:
            folder = os.open(self._packs, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _handle(self, pack: Path) -> int:
        if pack not in self._handles:
            flags = os.O_RDWR | os.O_CREAT if pack == self._pack else os.O_RDONLY
            self._handles[pack] = os.open(pack, flags | os.O_CLOEXEC, 0o600)
        return self._handles[pack]

    def _scan(self) -> None:
        for pack in self._packs.glob("*.pack"):
            seen = self._scanned.get(pack, 0)
            end = seen
            for name, place in records(pack, self._handle(pack), seen):
                if name:
                    self._index[name] = place
                end = place.offset + place.length
            self._scanned[pack] = end


def records(pack: Path, handle: int, start: int) -> Iterator[tuple[str, _Location]]:
    """What stands in a pack from `start` on, in order: the sha256 and the place of each value; a hole's sha256 is empty."""
    size = os.fstat(handle).st_size
    while start + _HEADER.size <= size:
        magic, digest, length = _HEADER.unpack(os.pread(handle, _HEADER.size, start))
        if magic != _MAGIC or start + _HEADER.size + length > size:
            return
        yield "" if digest == NOTHING else digest.hex(), _Location(pack, start + _HEADER.size, length)
        start += _HEADER.size + length


def pack_number(pack: Path) -> int:
    """The number of a pack among those of its writer."""
    found = re.search(r"-(\d+)\.pack$", pack.name)
    assert found is not None, f"{pack.name} is not a pack's name"
    return int(found.group(1))
