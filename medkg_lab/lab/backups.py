"""Backups as they lie on disk: each is a folder with files and a manifest, which names every file with its hash.

A folder without a manifest is no backup: it is written last. Nothing here needs a lab that runs.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from medkg_lab import exit_codes
from medkg_lab.errors import LabError
from medkg_lab.files import NotReadable, read_regular, replace_private
from medkg_lab.knowledge import schema
from medkg_lab.ledger import restored
from medkg_lab.ledger.files import sha256
from medkg_lab.locations import Locations

FOLDER = "backups"
"""Where backups go below the lab's data folder unless a setting names another place."""
MANIFEST = "backup.json"
FORMAT = 1
"""The version of a backup's own layout."""
STOPPED = -1
"""The head of a backup that has the files of a lab that did not run."""
_ARTIFACTS_FORMAT = 1
_MANIFEST_BYTES = 256 * 1024 * 1024


class BackupUnreadable(LabError):
    """{path} is not a backup: {detail}. `medkg-lab backup list` shows those there are."""


class BackupTooNew(LabError):
    """The backup {path} was made by medkg-lab {made_by}: its {what} has format {found}, and this version reads formats up to
    {known}. Restore it with that version or a newer one."""

    exit_code = exit_codes.USAGE


class BackupDamaged(LabError):
    """The backup {path} is damaged: {detail}. Restore another one."""


class Formats(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    """The version of each part's format."""

    backup: int = FORMAT
    ledger: int = restored.FORMAT
    knowledge: int = schema.VERSION
    artifacts: int = _ARTIFACTS_FORMAT


class File(msgspec.Struct, frozen=True):
    """A file of a backup: its path below the backup's folder, its size in bytes, and its hash."""

    path: str
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What a backup is: `left_out` is what is secret and not in it.

    `head` is the number of the last event of the ledger in it; STOPPED says that it has the files of a lab that did not run.
    """

    formats: Formats
    made_at: float
    made_by: str
    home: str
    head: int
    files: tuple[File, ...]
    left_out: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True)
class Backup:
    """A backup at `path`."""

    path: Path
    manifest: Manifest


def write(folder: Path, manifest: Manifest) -> None:
    """Put the manifest into `folder`, durably."""
    replace_private(folder / MANIFEST, msgspec.json.encode(manifest), durable=True)


def read(folder: Path) -> Backup:
    """The backup in `folder`. Raises BackupUnreadable, and BackupTooNew for a newer format than this program reads."""
    try:
        raw = read_regular(folder / MANIFEST, _MANIFEST_BYTES)
        formats = msgspec.json.decode(raw, type=_Head)
        _refuse_newer(folder, formats)
        return Backup(folder, msgspec.json.decode(raw, type=Manifest))
    except FileNotFoundError:
        raise BackupUnreadable(path=folder, detail=f"it has no {MANIFEST}") from None
    except (NotReadable, msgspec.MsgspecError, NotADirectoryError) as error:
        raise BackupUnreadable(path=folder, detail=str(error)) from None


class _Head(msgspec.Struct, frozen=True):
    """What every format of the manifest has, so that a newer one is recognised before it is read."""

    formats: Formats
    made_by: str


def _refuse_newer(folder: Path, head: _Head) -> None:
    known = Formats()
    for what in Formats.__struct_fields__:
        found, ours = getattr(head.formats, what), getattr(known, what)
        if found > ours:
            raise BackupTooNew(path=folder, made_by=head.made_by, what=what, found=found, known=ours)


def found(folder: Path) -> list[Backup]:
    """The backups in `folder`, the oldest first; what is none, or is of a newer version, is passed over."""
    backups = []
    for path in sorted(folder.glob("*")):
        try:
            backups.append(read(path))
        except (BackupUnreadable, BackupTooNew):
            continue
    return sorted(backups, key=lambda one: one.manifest.made_at)


def is_young(folder: Path, seconds: float, now: float) -> bool:
    """Whether the newest backup in `folder` was made within the last `seconds`; one from the future was not."""
    return any(0 <= now - one.manifest.made_at < seconds for one in found(folder)[-1:])


def differences(backup: Backup) -> Iterator[str]:
    """What of a backup is not as it was written, in words; every file is read."""
    named = {file.path: file for file in backup.manifest.files}
    for name, file in named.items():
        path = backup.path / name
        if ".." in Path(name).parts or Path(name).is_absolute():
            yield f"{name!r} is not a path below it"
        elif not path.is_file():
            yield f"{name} is missing"
        elif path.stat().st_size != file.size or sha256(path) != file.sha256:
            yield f"{name} has other content"
    yield from (
        f"{name} is not named in its manifest" for name in tree(backup.path) if name not in named and name != MANIFEST
    )


def check(folder: Path) -> Backup:
    """The backup in `folder`, every byte of which was read. Raises BackupUnreadable, BackupTooNew and BackupDamaged."""
    backup = read(folder)
    wrong = list(differences(backup))
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise BackupDamaged(path=folder, detail="; ".join(wrong[:3]) + more)
    return backup


def tree(folder: Path) -> list[str]:
    """The paths of the regular files below `folder`, in order; links are not followed."""
    names: list[str] = []
    for parent, _, files in os.walk(folder):
        paths = (Path(parent, name) for name in files)
        names += [str(path.relative_to(folder)) for path in paths if path.is_file() and not path.is_symlink()]
    return sorted(names)


def folder_of(locations: Locations, chosen: Path | None) -> Path:
    """Where the lab's backups are: `chosen`, or below its data folder."""
    return chosen if chosen is not None else locations.data / FOLDER
