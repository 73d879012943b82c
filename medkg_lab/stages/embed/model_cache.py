"""The model file in the user's cache: built once, whole or absent, however many processes ask for it at the same time."""

import fcntl
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from medkg_lab.files import replace_private


def cached(folder: Path, name: str, build: Callable[[], bytes]) -> Path:
    """The path of `folder/name`, made by `build` when it is absent or not what was once written there.

    The content's sha256 stands beside it in `name.sha256`. Both are readable by their owner alone. One process builds while the
    others wait for its lock.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path, digest = folder / name, folder / f"{name}.sha256"
    lock = os.open(folder / f"{name}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _intact(path, digest):
            data = build()
            replace_private(digest, hashlib.sha256(data).hexdigest(), durable=True)
            replace_private(path, data, durable=True)
    finally:
        os.close(lock)
    return path


def _intact(path: Path, digest: Path) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest().encode() == digest.read_bytes()
    except FileNotFoundError:
        return False
