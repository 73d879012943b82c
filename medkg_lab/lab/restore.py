"""Making a lab of a backup, in a home where none is: whole or not at all."""

import fcntl
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from medkg_lab import exit_codes, folders
from medkg_lab.errors import LabError
from medkg_lab.files import replace_private, sync
from medkg_lab.lab import backups
from medkg_lab.ledger import restored
from medkg_lab.locations import Locations
from medkg_lab.supervisor import upgrade


class HomeNotEmpty(LabError):
    """{path} is not empty, and a backup is restored only where no lab is. Name a new folder with `--home`."""

    exit_code = exit_codes.USAGE


class HomeNotNamed(LabError):
    """A backup is restored into a folder of its own. Name a new one with `--home` or MEDKG_LAB_HOME."""

    exit_code = exit_codes.USAGE


class RestoreRuns(LabError):
    """A backup is already being restored next to {path}. Wait until it is done."""


@dataclass(frozen=True)
class Restored:
    """What was restored: the number of the last event, or STOPPED, and how many files.

    `left_out` is what the backup does not have because it is secret.
    """

    home: str
    head: int
    files: int
    left_out: tuple[str, ...]


def restore(backup: Path, locations: Locations) -> Restored:
    """Make the lab of `backup` at `locations`, durably. An earlier attempt that was killed is no hindrance.

    Raises HomeNotNamed, HomeNotEmpty, RestoreRuns, and what `backups.check` and `ledger.restored.build` raise.
    """
    if not locations.own_folder:
        raise HomeNotNamed()
    home = locations.home
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise HomeNotEmpty(path=home)
    folders.make(home.parent)
    handle = os.open(home.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return _restore(backups.check(backup), home)
    except BlockingIOError:
        raise RestoreRuns(path=home) from None
    finally:
        os.close(handle)


def _restore(backup: backups.Backup, home: Path) -> Restored:
    part = home.with_name(f".{home.name}.restoring")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700)
    for file in backup.manifest.files:
        if (target := _target(file.path)) is not None:
            (part / target).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Never a link: the lab appends to what it has, and a backup must stay what it is.
            shutil.copyfile(backup.path / file.path, part / target)
            sync(part / target)
    manifest = backup.manifest
    if manifest.head != backups.STOPPED:
        restored.build(part / "data" / "ledger", backup.path / "ledger", manifest.head)
    replace_private(part / "data" / upgrade.FILE, json.dumps({"version": manifest.made_by}))
    for parent, _, _ in os.walk(part):
        sync(Path(parent))
    part.rename(home)
    sync(home.parent)
    return Restored(str(home), manifest.head, len(manifest.files), manifest.left_out)


def _target(name: str) -> Path | None:
    """Where a file of a backup belongs below the home; None for the ledger's, which are made into a ledger."""
    first, *rest = Path(name).parts
    if first == "ledger":
        return None
    return Path(name) if first in ("config", "data") else Path("data", first, *rest)
