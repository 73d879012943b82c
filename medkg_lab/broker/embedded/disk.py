"""The few writes on which durability rests; everything that must survive a crash goes through here."""

import os
from pathlib import Path

from medkg_lab.broker.embedded.compression import Buffer


def write_at(descriptor: int, parts: list[Buffer], position: int) -> None:
    """Write `parts` one after the other at `position`, all of their bytes. Raises OSError."""
    pending = [memoryview(part) for part in parts]
    while pending:
        written = os.pwritev(descriptor, pending, position)
        position += written
        while pending and written >= len(pending[0]):
            written -= len(pending.pop(0))
        if pending:
            pending[0] = pending[0][written:]


def sync(descriptor: int) -> None:
    """Wait until the file's bytes and its length are on the disk. Raises OSError."""
    os.fdatasync(descriptor)


def sync_file(path: Path) -> None:
    """Wait until the bytes of the file at `path` are on the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Wait until the names in the folder `path` are on the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folders(path: Path, root: Path) -> None:
    """Make `path` and its parents below `root`, each kept on the disk. Raises OSError."""
    if path == root or path.is_dir():
        return
    make_folders(path.parent, root)
    path.mkdir(mode=0o700, exist_ok=True)
    sync_folder(path.parent)


def free_bytes(path: Path) -> int:
    """How much an ordinary user may still write on the file system of `path`."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def total_bytes(path: Path) -> int:
    """The size of the file system of `path`."""
    found = os.statvfs(path)
    return found.f_blocks * found.f_frsize
