"""The GPU's one place: stages that need it take turns, in whichever engine they run."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class GpuLock:
    """A semaphore of one for all processes of a lab: a locked file, which the system lets go when its holder dies."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def acquired(self) -> Iterator[None]:
        """Wait for the place and keep it."""
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)
