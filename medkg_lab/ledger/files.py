"""Files that must be there whole or not at all."""

import hashlib
from pathlib import Path

import orjson

from medkg_lab.files import replace_private, sync

_CHUNK_BYTES = 1 << 20


def publish(part: Path, path: Path) -> None:
    """Give a finished file its name, durably, with its checksum beside it as `sha256sum` writes one."""
    sync(part)
    replace_private(checksum_file(path), f"{sha256(part)}  {path.name}\n")
    part.replace(path)
    sync(path.parent)


def write_json(path: Path, value: object) -> None:
    """Replace a small JSON file as a whole, durably."""
    replace_private(path, orjson.dumps(value, option=orjson.OPT_INDENT_2))


def sha256(path: Path) -> str:
    """The checksum of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def checksum_file(path: Path) -> Path:
    """Where the checksum of a file stands."""
    return path.with_name(path.name + ".sha256")


def is_sound(path: Path) -> bool:
    """Whether a file is what it was when it was settled."""
    try:
        return checksum_file(path).read_text().split()[:1] == [sha256(path)]
    except OSError:
        return False


def remove(path: Path) -> None:
    """Remove a settled file and its checksum, if they are there."""
    path.unlink(missing_ok=True)
    checksum_file(path).unlink(missing_ok=True)
