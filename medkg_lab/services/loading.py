"""Whether a server of the profile is loading: a file that its keeper locks for as long as that takes.

The system lets go of a lock when its holder dies, so that nothing ever waits for a keeper that is gone.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

_FOLDER = "servers"


def _path(state: Path, name: str) -> Path:
    return state / _FOLDER / f"{name}.loading"


@contextmanager
def marked(state: Path, name: str) -> Iterator[None]:
    """Say, inside the block, that server `name` is loading; `state` is the lab's folder for such things."""
    path = _path(state, name)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def loading(state: Path, names: Iterable[str]) -> list[str]:
    """Those of the servers `names` that are loading now."""
    return [name for name in names if _locked(_path(state, name))]


def _locked(path: Path) -> bool:
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
