"""Compressed files and archives taken apart in memory, within limits: `.gz`, `.tar`, `.tar.gz` and `.zip`.

What is inside is hostile until it was looked at: nothing is written to a disk, a member's path is only part of a name, and what
unpacks to too much, leads elsewhere or is packed again is refused in words.
"""

import gzip
import io
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import IO

from medkg_lab.sources.sniff import Format, sniff

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """How many members are read, bytes of one and of all once unpacked, and how far something may be packed.

    The ratio counts for what unpacks to more than `slack` bytes: small texts that repeat themselves are honest.
    """

    members: int = 100_000
    member: int = 256 * MIB
    total: int = 1024 * MIB
    ratio: int = 200
    slack: int = 8 * MIB

    def unpacked(self, packed: int) -> int:
        """Bytes that `packed` bytes may unpack to."""
        return min(self.total, max(self.slack, self.ratio * packed))


STANDARD = Limits()


@dataclass(frozen=True, slots=True)
class Member:
    """A file inside a container; `name` is its path there, or the container's name without its `.gz`."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """A member, or with an empty name the container itself, that is not read, and why.

    `is_other` says that nothing is wrong with it: it is of a format that is not read, such as an image.
    """

    name: str
    reason: str
    is_other: bool = False


Found = Member | Refused
Wanted = Callable[[str], bool]
_DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    OverflowError,
    RuntimeError,
)
"""What the libraries raise for damaged bytes; NotImplementedError is a RuntimeError."""
_NESTED = "a container inside a container: unpack it first"
_OFFICE = ("[content_types].xml", "mimetype", "meta-inf/manifest.mf")
"""Members that tell office documents, e-books and programs, which are ZIP archives by their bytes."""


class _TooMuch(ValueError):
    """What is unpacked is more than the limits allow."""


def members(data: bytes, name: str, wanted: Wanted, limits: Limits = STANDARD) -> Iterator[Found]:
    """The members of the container `data` whose names are `wanted`, in the order of their names, one in memory at a time.

    `name` is the container's file name. Members that are compressed one by one are unpacked; links, devices, paths that lead out,
    encrypted and damaged members are refused one by one. A container that is damaged itself, or more than the limits allow, ends
    with a Refused whose name is empty.
    """
    try:
        match sniff(data):
            case Format.GZIP:
                yield from _in_gzip(data, name, wanted, limits)
            case Format.ZIP:
                yield from _in_zip(data, wanted, limits)
            case Format.TAR:
                yield from _in_tar(data, wanted, limits)
    except _TooMuch as error:
        yield Refused("", str(error))
    except _DAMAGED as error:
        yield Refused("", f"damaged or cut off: {_words(error)}")


def _in_gzip(data: bytes, name: str, wanted: Wanted, limits: Limits) -> Iterator[Found]:
    inner = _gunzip(data, limits, limits.total)
    match sniff(inner):
        case Format.TAR:
            yield from _in_tar(inner, wanted, limits)
        case Format.ZIP | Format.GZIP:
            yield Refused("", _NESTED)
        case _:
            yield Member(_without_gz(name), inner)


def _in_zip(data: bytes, wanted: Wanted, limits: Limits) -> Iterator[Found]:
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        infos = [info for info in opened.infolist() if not info.is_dir()]
        if any(info.filename.lower() in _OFFICE for info in infos):
            yield Refused("", "an office document, e-book or program, not an archive of documents")
            return
        _check_count(len(infos), limits)
        room = _Room(limits.unpacked(len(data)), limits)
        for info in sorted(infos, key=lambda one: one.filename.lower()):
            if not wanted(info.filename):
                continue
            reason = _why_not(info.filename, info.file_size, limits) or _why_not_in_zip(info, limits)
            yield Refused(info.filename, reason) if reason else _read(info.filename, partial(opened.open, info), room)


def _in_tar(data: bytes, wanted: Wanted, limits: Limits) -> Iterator[Found]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as opened:
        infos: list[tarfile.TarInfo] = []
        for info in opened:
            _check_count(len(infos), limits)
            if not info.isdir():
                infos.append(info)
        room = _Room(limits.total, limits)
        for info in sorted(infos, key=lambda one: one.name.lower()):
            if not wanted(info.name):
                continue
            reason = _why_not(info.name, info.size, limits)
            if not info.isreg() or info.issparse():
                reason = "a link" if info.issym() or info.islnk() else "not a regular file"
            yield Refused(info.name, reason) if reason else _read(info.name, partial(opened.extractfile, info), room)


class _Room:
    """How many bytes may still be unpacked."""

    def __init__(self, left: int, limits: Limits) -> None:
        self.left = left
        self.limits = limits

    def reserve(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise _TooMuch("it unpacks to far more than documents do: unpack it first if you trust it")


def _read(name: str, source: Callable[[], IO[bytes] | None], room: _Room) -> Found:
    """One member's bytes, unpacked if it is compressed by itself. Raises _TooMuch when the container is a bomb."""
    try:
        opened = source()
        if opened is None:
            return Refused(name, "not a regular file")
        with opened as file:
            data = file.read(min(room.left, room.limits.member) + 1)
        room.reserve(len(data))
        if sniff(data) is Format.GZIP:
            data = _gunzip(data, room.limits, room.left)
            room.reserve(len(data))
            name = _without_gz(name)
        return Refused(name, _NESTED) if sniff(data) in (Format.ZIP, Format.TAR, Format.GZIP) else Member(name, data)
    except _TooMuch:
        raise
    except _DAMAGED as error:
        return Refused(name, f"damaged or cut off: {_words(error)}")


def _gunzip(data: bytes, limits: Limits, room: int) -> bytes:
    most = min(limits.unpacked(len(data)), room)
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as opened:
        inner = opened.read(most + 1)
    if len(inner) > most:
        raise _TooMuch(f"it unpacks to more than {most:,} bytes: unpack it first if you trust it")
    return inner


def _why_not(name: str, size: int, limits: Limits) -> str:
    """Why a member of this path and size is not read, or an empty string."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or "\0" in name or (path.parts and path.parts[0].endswith(":")):
        return "its path leads out of the archive"
    return f"larger than {limits.member:,} bytes" if size > limits.member else ""


def _why_not_in_zip(info: zipfile.ZipInfo, limits: Limits) -> str:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        return "a link" if kind == stat.S_IFLNK else "not a regular file"
    if info.flag_bits & 1:
        return "encrypted"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "compressed in a way that is not read: pack it with deflate"
    if info.file_size > max(limits.slack, limits.ratio * info.compress_size):
        return "it unpacks to far more than documents do"
    return ""


def _check_count(count: int, limits: Limits) -> None:
    if count > limits.members:
        raise _TooMuch(f"it has more than {limits.members:,} members: split it")


def _without_gz(name: str) -> str:
    lower = name.lower()
    if lower.endswith(".tgz"):
        return f"{name[:-4]}.tar"
    return name[:-3] if lower.endswith(".gz") else name


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
