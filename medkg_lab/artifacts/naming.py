"""The time between storing a value and naming it where it lasts, in an event or on the work queue: nobody may remove it then."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOCK = "naming.lock"
_INTERVAL_S = 0.05


@contextmanager
def naming(root: Path) -> Iterator[None]:
    """Values are stored at `root` within the block, and named before it ends. Any number of processes may do so at once."""
    handle = _open(root)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)
        yield
    finally:
        os.close(handle)


def are_named(root: Path, wait_s: float) -> bool:
    """Whether all that was stored in such blocks so far is named; they have `wait_s` seconds to end."""
    handle = _open(root)
    until = time.monotonic() + wait_s
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                if time.monotonic() > until:
                    return False
            time.sleep(_INTERVAL_S)
    finally:
        os.close(handle)


def _open(root: Path) -> int:
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.open(root / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
