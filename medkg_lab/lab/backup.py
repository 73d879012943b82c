"""A backup of the whole lab, made while it runs, or of its files while it does not.

The former is a cut through the lab at one event of the ledger. The knowledge store is copied first, between two writings: it
holds all that was staged before the last event that it has taken in, and the ledger's events are then taken up to that one.
Artifacts come last, since they are durable before the events that name them. Topics, Dagster's runs and indexes are views,
which a restored lab makes again; what waited in the work queue is in the ledger before the cut is made.
"""

import contextlib
import fcntl
import itertools
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from medkg_lab import __version__, exit_codes, folders
from medkg_lab.artifacts import sweep
from medkg_lab.errors import LabError
from medkg_lab.files import sync
from medkg_lab.lab import backups, catching_up
from medkg_lab.lab.backups import Backup, File, Formats, Manifest
from medkg_lab.lab.facade import Lab
from medkg_lab.ledger import restored
from medkg_lab.ledger.files import sha256
from medkg_lab.ledger.positions import OPTIONAL
from medkg_lab.locations import SETTINGS
from medkg_lab.supervisor import upgrade

PACKS = ("artifacts", "exchanges")
_ELSEWHERE = frozenset({"ledger", "knowledge", "broker", *OPTIONAL, backups.FOLDER, *PACKS})
"""Folders of the lab's data that are not taken file by file: those taken otherwise, and the views."""
_PUBLIC = frozenset({".yaml", ".yml", ".toml", ".md"})
"""What is taken of the config folder; certificates, keys and passwords have other endings."""
_SECRET = re.compile(
    r"^(?P<key>\s*(?:-\s+)?[\"']?[\w-]*(?:api[_-]?key|password|secret|token|authorization)[\"']?)\s*:\s*[^\s#].*$", re.I
)
_PACK = re.compile(r"(?P<writer>.+)-(?P<number>\d+)\.pack\Z")


class NoLab(LabError):
    """There is no lab at {home} to back up. `medkg-lab labs` lists those that run."""

    exit_code = exit_codes.USAGE


class LabStarted(LabError):
    """The lab at {home} was started while its files were being copied, so no backup was made. Make one now that it runs."""


class BackupRuns(LabError):
    """Another backup is being written to {path}. Wait until it is done."""


def create(lab: Lab, folder: Path, keep: int | None = None) -> Backup:
    """Make a backup in a new folder below `folder`, and remove all but the newest `keep` there.

    Of a lab that does not run it has the files as they are, its topics too. What was begun is removed when it fails. Raises
    NoLab, LabStarted, BackupRuns, LabBehind, SnapshotFailed and SnapshotIncomplete.
    """
    runs = lab.supervisor.is_running()
    if not runs and not (lab.locations.data / "ledger" / "ledger.duckdb").exists():
        raise NoLab(home=lab.locations.home)
    folders.make(folder)
    # What a sweep would remove meanwhile may be needed as of the event that this backup ends with.
    with _alone(folder), sweep.alone(lab.locations.data / "artifacts", waits=True):
        for abandoned in folder.glob("*.part"):
            # A ledger that is still writing into one does not hinder this backup; what it leaves goes with the next.
            shutil.rmtree(abandoned, ignore_errors=True)
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        part = folder / f"{stamp}-{os.getpid()}.part"
        part.mkdir(mode=0o700)
        try:
            manifest = _fill(lab, part) if runs else _fill_stopped(lab, part)
            backups.write(part, manifest)
            _sync_folders(part)
            path = _free(folder, f"{stamp}-{manifest.head:012d}" if runs else f"{stamp}-stopped")
            part.rename(path)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        sync(folder)
        if keep is not None:
            _prune(folder, keep)
    return Backup(path, manifest)


def _free(folder: Path, name: str) -> Path:
    """A path in `folder` that is not taken: `name`, or that with a number behind it."""
    names = (name if number == 1 else f"{name}-{number}" for number in itertools.count(1))
    return next(path for one in names if not (path := folder / one).exists())


def _prune(folder: Path, keep: int) -> None:
    """Remove the oldest backups; the manifest first, so that half of one is none."""
    for old in backups.found(folder)[:-keep]:
        (old.path / backups.MANIFEST).unlink()
        dying = old.path.with_name(old.path.name + ".part")
        old.path.rename(dying)
        shutil.rmtree(dying)


def _fill(lab: Lab, part: Path) -> Manifest:
    catching_up.wait_for_intake(lab)
    catching_up.wait_for_knowledge(lab)
    (part / "knowledge").mkdir(mode=0o700)
    head = lab.knowledge.copy(part / "knowledge" / "knowledge.duckdb")
    lab.ledger.snapshot(part / "ledger")
    restored.trim(part / "ledger", head)
    return _take_rest(lab, part, _ELSEWHERE, Formats(), head)


def _fill_stopped(lab: Lab, part: Path) -> Manifest:
    """Take the files of a lab that does not run. What format they have is not looked at: it is no newer than this program's."""
    oldest = Formats(ledger=1, knowledge=1)
    manifest = _take_rest(lab, part, frozenset({backups.FOLDER, *PACKS}), oldest, backups.STOPPED)
    if lab.supervisor.is_running():
        raise LabStarted(home=lab.locations.home)
    return manifest


def _take_rest(lab: Lab, part: Path, elsewhere: frozenset[str], formats: Formats, head: int) -> Manifest:
    """Take packs, definitions, settings and all folders of the data that are not taken `elsewhere`."""
    for name in PACKS:
        _take_packs(lab.locations.data / name / "packs", part / name / "packs")
    for source in sorted(lab.locations.data.iterdir()):
        if source.is_dir() and source.name not in elsewhere:
            _take_tree(source, part / "data" / source.name)
    left_out = _take_config(lab.locations.config, part / "config")
    files = (File(name, (part / name).stat().st_size, sha256(part / name)) for name in backups.tree(part))
    return Manifest(
        formats=formats,
        made_at=time.time(),
        made_by=__version__ if head != backups.STOPPED else upgrade.last_version(lab.locations) or __version__,
        home=str(lab.locations.home),
        head=head,
        files=tuple(files),
        left_out=tuple(left_out),
    )


def _take_packs(source: Path, target: Path) -> None:
    """Link packs that no longer change, and copy the last one of each writer, to which it appends."""
    target.mkdir(mode=0o700, parents=True)
    found = {path: match for path in sorted(source.glob("*.pack")) if (match := _PACK.match(path.name))}
    last: dict[str, int] = {}
    for match in found.values():
        last[match["writer"]] = max(last.get(match["writer"], 0), int(match["number"]))
    for path, match in found.items():
        # Recorded exchanges that are too old are removed at any time.
        with contextlib.suppress(FileNotFoundError):
            if int(match["number"]) == last[match["writer"]]:
                _copy(path, target / path.name)
            else:
                _link(path, target / path.name)


def _take_tree(source: Path, target: Path) -> None:
    for name in backups.tree(source):
        (target / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            _copy(source / name, target / name)


def _take_config(source: Path, target: Path) -> list[str]:
    """Copy definitions and settings without their secrets; what was left out."""
    left_out: list[str] = []
    for name in backups.tree(source):
        path = target / name
        if path.suffix not in _PUBLIC:
            left_out.append(name)
            continue
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _copy(source / name, path)
        if name == SETTINGS:
            text, secret = without_secrets(path.read_text())
            path.write_text(text)
            sync(path)
            left_out += [f"{name}: {key}" for key in secret]
    return left_out


def without_secrets(text: str) -> tuple[str, list[str]]:
    """Settings without the values of keys that name a secret, which stay as comments; and the names of those keys."""
    lines, secret = [], []
    for line in text.splitlines():
        if (match := _SECRET.match(line)) is not None:
            key = match["key"].strip(" -\"'")
            secret.append(key)
            line = f"# {key}: left out of the backup"
        lines.append(line)
    return "".join(f"{line}\n" for line in lines), secret


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    sync(target)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # another file system, or one without links
        _copy(source, target)


def _sync_folders(folder: Path) -> None:
    for parent, _, _ in os.walk(folder):
        sync(Path(parent))


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise BackupRuns(path=folder) from None
    try:
        yield
    finally:
        os.close(handle)
