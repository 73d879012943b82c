"""Local files and folders as documents: what `submit PATH` hands to the queue."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from medkg_lab import linux
from medkg_lab.sources import sniff
from medkg_lab.sources.documents import LocalDocument, documents_in, why_not_read
from medkg_lab.sources.errors import PathNotFound

MAX_BYTES = 512 * 1024 * 1024
"""Bytes in one file at most: what the artifact store takes as one value."""


class OverLimit(OSError):
    """A file that is larger than what is read."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(errno.EFBIG, f"larger than {limit} bytes")
        self.size = size


@dataclass(frozen=True)
class Skipped:
    """A file that holds no document of ours, and why."""

    path: Path
    reason: str


@dataclass
class Expansion:
    """The documents under `path`; iterating reads one file at a time and fills `skipped` on the way."""

    path: Path
    max_bytes: int = MAX_BYTES
    skipped: list[Skipped] = field(default_factory=list)

    def __iter__(self) -> Iterator[LocalDocument]:
        self.skipped.clear()
        root = self.path if self.path.is_dir() else self.path.parent
        with open_folder(root) as folder:
            for file in _files(self.path, self.skipped):
                yield from self._documents(file, root, folder)

    def _documents(self, file: Path, root: Path, folder: int) -> Iterator[LocalDocument]:
        try:
            data = read_beneath(folder, str(file.relative_to(root)), self.max_bytes)
        except OSError as error:
            self.skipped.append(Skipped(file, error.strerror or str(error)))
            return
        named = file == self.path and sniff.promised(file.name) in sniff.PROSE
        if not named and (reason := why_not_read(file.name, data)):
            self.skipped.append(Skipped(file, reason))
            return
        for found in documents_in(data, printable(file.name), printable(str(file.relative_to(root)))):
            if isinstance(found, LocalDocument):
                yield found
            else:
                self.skipped.append(Skipped(root / found.name, found.reason))


def expand(path: Path, max_bytes: int = MAX_BYTES) -> Expansion:
    """The documents in the file or folder `path`, in the order of their names.

    Folders are searched recursively; hidden files are skipped, symbolic links inside the folder are not followed. Raises
    PathNotFound.
    """
    if not path.exists():
        raise PathNotFound(path=path)
    return Expansion(path.resolve(), max_bytes)


@contextmanager
def open_folder(path: Path) -> Iterator[int]:
    """A descriptor of the folder at `path`, to read files below it with `read_beneath`. Raises OSError."""
    handle = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield handle
    finally:
        os.close(handle)


def read_beneath(folder: int, path: str, max_bytes: int) -> bytes:
    """The bytes of the regular file at the relative `path` below an open folder; no part of the path may be a symbolic link.

    Raises OSError, and OverLimit for a file that is too large.
    """
    handle = linux.open_beneath(folder, path)
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(0, "not a regular file")
        # Only now: a file object that cannot be made of a folder would leave the descriptor open.
        with os.fdopen(handle, "rb", closefd=False) as file:
            data = file.read(max_bytes + 1) if found.st_size <= max_bytes else b""
    finally:
        os.close(handle)
    if found.st_size > max_bytes or len(data) > max_bytes:
        raise OverLimit(max(found.st_size, len(data)), max_bytes)
    return data


def printable(name: str) -> str:
    """A file name as text that any encoder takes: bytes that are not UTF-8 become the replacement character."""
    return os.fsencode(name).decode("utf-8", "replace")


def _files(path: Path, skipped: list[Skipped]) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return

    def unreadable(error: OSError) -> None:
        skipped.append(Skipped(Path(str(error.filename)), error.strerror or str(error)))

    for folder, folders, names in os.walk(path, onerror=unreadable):
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        skipped += [Skipped(Path(folder) / name, "symbolic link") for name in sorted(links) if not name.startswith(".")]
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in links)
        for name in sorted(names):
            file = Path(folder) / name
            if name.startswith("."):
                continue
            if file.is_symlink():
                skipped.append(Skipped(file, "symbolic link"))
            else:
                yield file
