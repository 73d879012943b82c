"""Small private files of the lab: written with mode 0600, whole or not at all."""

import os
import secrets
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Create `path` with mode 0600, whole or not at all; an existing file is left as it is."""
    if path.exists():
        return  # also on a full disk
    temporary = _write_beside(path, text)
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass  # another process was first: its value stands
    finally:
        temporary.unlink()


def replace_private(path: Path, text: str) -> None:
    """Put `text` into `path` with mode 0600, in place of what is there."""
    _write_beside(path, text).replace(path)


def _write_beside(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return temporary
