"""Copies of the view file for those who query it: they belong to no running writer, so that another process may open them.

DuckDB changes the file itself only at a checkpoint; what is written in between goes to the log beside it. So the file is copied
once for each checkpoint, where the file system can without its bytes, and for each query only the log.
"""

import contextlib
import errno
import itertools
import os
import shutil
from pathlib import Path

from medkg_lab.ledger.errors import MIN_FREE_BYTES, QueryFailed
from medkg_lab.ledger.views import Views, log_of

_HEADER_BYTES = 3 * 4096
"""The bytes at the beginning of a DuckDB file that are other ones after every checkpoint."""
_CHUNK_BYTES = 1 << 20
_CANNOT = frozenset({errno.ENOSYS, errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.EPERM})
"""What `copy_file_range` says where it is not to be had."""


class ViewCopies:
    """Copies in a folder of their own, which is there while there are any; for one thread."""

    def __init__(self, views: Views, folder: Path) -> None:
        self._views = views
        self._folder = folder
        self._numbers = itertools.count(1)
        self._source: int | None = None
        self._headers = b""
        self._base = folder / "base"
        shutil.rmtree(folder, ignore_errors=True)

    def make(self) -> Path:
        """A copy of all that the views show now; it is the caller's until it is dropped. Raises OSError and QueryFailed."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        copy = self._folder / f"{next(self._numbers)}.duckdb"
        with self._views.still():
            self._copy_base()
            log = log_of(self._views.path)
            if log.exists():
                shutil.copyfile(log, log_of(copy))
        try:
            os.link(self._base, copy)
        except OSError:  # a file system without links
            shutil.copyfile(self._base, copy)
        return copy

    def drop(self, copy: Path) -> None:
        """Remove a copy."""
        copy.unlink(missing_ok=True)
        log_of(copy).unlink(missing_ok=True)

    def forget(self) -> None:
        """Free the room of what is kept for the next copy."""
        self._headers = b""
        self._base.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._folder.rmdir()  # not while a query still has a copy

    def close(self) -> None:
        """Remove everything."""
        shutil.rmtree(self._folder, ignore_errors=True)
        if self._source is not None:
            os.close(self._source)
            self._source = None

    def _copy_base(self) -> None:
        """Bring the base up to date, if there was a checkpoint since it was copied."""
        source = self._open()
        headers = os.pread(source, _HEADER_BYTES, 0)
        if headers == self._headers:
            return
        self._headers = b""
        self._base.unlink(missing_ok=True)
        size = os.fstat(source).st_size
        disk = os.statvfs(self._folder)
        if disk.f_bavail * disk.f_frsize < size + MIN_FREE_BYTES:
            raise QueryFailed(detail=f"a copy of the tables needs {size >> 20} MiB, and the disk has no room for it")
        target = os.open(self._base, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            _copy(source, target, size)
        finally:
            os.close(target)
        self._headers = headers

    def _open(self) -> int:
        """The view file, kept open: closing any handle of it would let go of the lock that DuckDB has on it."""
        named = os.stat(self._views.path)
        if self._source is not None:
            held = os.fstat(self._source)
            if (held.st_dev, held.st_ino) == (named.st_dev, named.st_ino):
                return self._source
            os.close(self._source)
        self._headers = b""
        self._source = os.open(self._views.path, os.O_RDONLY | os.O_CLOEXEC)
        return self._source


def _copy(source: int, target: int, size: int) -> None:
    """Copy the first `size` bytes, within the file system where it can."""
    done = 0
    try:
        while done < size and (copied := os.copy_file_range(source, target, size - done, done, done)):
            done += copied
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
    while done < size and (read := os.pread(source, _CHUNK_BYTES, done)):
        done += os.pwrite(target, read, done)
