"""Files: private ones of the lab, written with mode 0600, whole or not at all; and ones that anybody names, read with limits."""

import os
import re
import secrets
import stat
from pathlib import Path
from typing import BinaryIO

TEXT_BYTES = 64 * 1024 * 1024
"""Bytes that a file of text may have which a person wrote or a tool left."""


class NotReadable(OSError):
    """What a path names is not a regular file, or one that is too large."""

    def __init__(self, reason: str) -> None:
        super().__init__(0, reason)

    def __str__(self) -> str:
        return str(self.strerror)


def open_regular(path: Path, max_bytes: int) -> BinaryIO:
    """Open the regular file at `path`, or that a link there leads to, for reading; it has at most so many bytes.

    A pipe or a device would wait, or give bytes, for ever. Raises OSError, which is NotReadable for what is no such file.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    found = os.fstat(handle)
    if stat.S_ISREG(found.st_mode) and found.st_size <= max_bytes:
        return os.fdopen(handle, "rb")
    os.close(handle)
    raise NotReadable(f"larger than {max_bytes} bytes" if stat.S_ISREG(found.st_mode) else "not a regular file")


def read_regular(path: Path, max_bytes: int) -> bytes:
    """The bytes of the regular file at `path`. Raises what open_regular does, also for a file that grows beyond the limit."""
    with open_regular(path, max_bytes) as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise NotReadable(f"larger than {max_bytes} bytes")
    return data


def read_text(path: Path, max_bytes: int = TEXT_BYTES) -> str:
    """The text of the regular file at `path`, in UTF-8. Raises what open_regular does, and UnicodeDecodeError."""
    return read_regular(path, max_bytes).decode("utf-8")


_TAIL_STEP_BYTES = 64 * 1024
_MAX_TAIL_BYTES = 16 * 1024 * 1024


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


def replace_private(path: Path, content: str | bytes, durable: bool = False) -> None:
    """Put `content` into `path` with mode 0600, in place of what is there; a crash leaves the old file or the new one, whole.

    With `durable` the new one is on disk under its name when this returns.
    """
    temporary = _write_beside(path, content)
    try:
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        sync(path.parent)


def sync(path: Path) -> None:
    """Have the content of a file, or the names in a folder, on disk."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_beside(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _remove_abandoned(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)  # who tries repeatedly on a full disk must not leave a file each time
        raise
    return temporary


def _remove_abandoned(path: Path) -> None:
    """Remove what processes that were killed while they wrote `path` left beside it."""
    mine = re.compile(rf"\.{re.escape(path.name)}\.(\d+)\.[0-9a-f]{{8}}")
    for name in os.listdir(path.parent):
        if (found := mine.fullmatch(name)) and not os.path.exists(f"/proc/{found[1]}"):
            path.with_name(name).unlink(missing_ok=True)


def last_lines(path: Path, count: int) -> list[str]:
    """The last `count` lines of the file at `path`; only the part that holds them is read, from its end."""
    found = b""
    with path.open("rb") as file:
        start = file.seek(0, os.SEEK_END)
        while start > 0 and found.count(b"\n") <= count and len(found) < _MAX_TAIL_BYTES:
            end, start = start, max(0, start - _TAIL_STEP_BYTES)
            file.seek(start)
            found = file.read(end - start) + found
    lines = found.decode(errors="replace").splitlines()
    return lines[-count:] if count > 0 else []
