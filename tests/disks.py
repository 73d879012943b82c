"""File systems small enough to be filled, for tests that run as root."""

import contextlib
import errno
import subprocess
from collections.abc import Iterator
from pathlib import Path


class NoMount(Exception):
    """No file system can be mounted here."""


@contextlib.contextmanager
def small_disk(folder: Path, size: str = "400m") -> Iterator[None]:
    """A file system of its own at `folder`. Raises NoMount."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True).returncode:
        raise NoMount
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill_up(path: Path, left: int = 0) -> None:
    """Write a file until nothing more goes in, and give back `left` bytes."""
    with path.open("wb", buffering=0) as handle:
        try:
            while handle.write(bytes(1 << 20)):
                pass
        except OSError as error:
            assert error.errno == errno.ENOSPC
        if left:
            handle.truncate(max(0, path.stat().st_size - left))
