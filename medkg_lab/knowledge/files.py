"""Writing files that are either whole or not there."""

import os
from pathlib import Path


def replace(path: Path, data: bytes) -> None:
    """Put `data` at `path`, durable on return; a crash leaves what was there before."""
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "wb", opener=_private) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
