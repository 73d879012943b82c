"""Folders that are their owner's alone: mode 0700, and never one that another user made."""

import os
import pwd
import stat
from pathlib import Path

from medkg_lab import exit_codes
from medkg_lab.errors import LabError

_OTHERS = 0o077


class UnsafeFolder(LabError):
    """{path} belongs to another user or is open to others, so sockets and tokens would not be safe in it. Remove it or set
    XDG_RUNTIME_DIR to a folder that only you can use."""


class ForeignFolder(LabError):
    """{path} belongs to user {owner}, who could read or change what the lab keeps there. Choose another folder with `--home` or
    MEDKG_LAB_HOME, or make {path} yours with `chown`."""


class NotAFolder(LabError):
    """{path} is not a folder, so the lab cannot keep anything in it. Choose another place with `--home` or MEDKG_LAB_HOME."""

    exit_code = exit_codes.USAGE


def is_private(path: Path) -> bool:
    """Whether `path` itself, not what a link names, is a folder that only this user can enter."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & _OTHERS


def is_safe(path: Path) -> bool:
    """Whether `path` is a folder of this user's in which nobody else can make anything."""
    try:
        found = path.stat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022


def private_folder(path: Path) -> None:
    """Make `path` with mode 0700, or check that it is one. Raises UnsafeFolder."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not is_private(path):
        raise UnsafeFolder(path=path)


def make(path: Path) -> None:
    """Make `path` unless it is there. Raises NotAFolder, and ForeignFolder when it belongs to neither this user nor root."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except (FileExistsError, NotADirectoryError):
        raise NotAFolder(path=path) from None
    _check_owner(path, os.lstat(path).st_uid)
    _check_owner(path, path.stat().st_uid)


def tighten(path: Path) -> None:
    """Close an existing file or folder to everyone but its owner. Raises ForeignFolder when that is not this user."""
    found = path.stat()
    if found.st_uid != os.getuid():
        raise ForeignFolder(path=path, owner=user_name(found.st_uid))
    if found.st_mode & _OTHERS:
        path.chmod(stat.S_IMODE(found.st_mode) & ~_OTHERS)


def user_name(uid: int) -> str:
    """The name of user `uid`, or its number when it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _check_owner(path: Path, uid: int) -> None:
    if uid not in (0, os.getuid()):
        raise ForeignFolder(path=path, owner=user_name(uid))
