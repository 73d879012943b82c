"""Archives as files: zip with fixed times and sorted names, so that the same content is the same bytes.

What is read is hostile until it has been looked through as a whole: names, kinds, sizes and ratios from the directory, then every
byte against the manifest's hashes; nothing is handed on before. Members are data alone (JSON, tab-separated text, bytes named by
their hash), and none of it is ever executed or unpickled.
"""

import hashlib
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson
from pydantic import ValidationError

from medkg_lab.files import open_regular
from medkg_lab.repro.errors import ArchiveRefused, ArchiveTooNew, ArchiveUnreadable, OutputExists
from medkg_lab.repro.manifest import FORMAT, MANIFEST, Manifest
from medkg_lab.validation import first_flaw

_TIME = (1980, 1, 1, 0, 0, 0)
_LEVEL = 6
_MAX_BYTES = 4 * 1024**3
"""Bytes of a file that is looked at at all."""
_ALLOWED = re.compile(
    r"manifest\.json|settings\.json|redaction\.json|exchanges\.jsonl|ledger/events\.jsonl"
    r"|topics/[A-Za-z0-9._-]{1,200}\.jsonl|definitions/(topology|policies|profile)/[A-Za-z0-9._+-]{1,200}\.json"
    r"|vocabularies/[0-9a-f]{12}\.tsv|artifacts/[0-9a-f]{64}"
)
_PICKLE = re.compile(rb"\A\x80[\x02-\x05](?:\x95|\}|\]|\(|c)")


@dataclass(frozen=True)
class Limits:
    """What an archive may hold: members, bytes in all and of one member once unpacked, and how far it may be packed.

    The ratio counts for what unpacks to more than `slack` bytes: small texts that repeat themselves are honest.
    """

    members: int = 200_000
    total: int = 2 * 1024**3
    member: int = 512 * 1024**2
    ratio: int = 200
    slack: int = 1024**2
    manifest: int = 64 * 1024**2


STANDARD = Limits()


@dataclass(frozen=True)
class Archive:
    """An archive's manifest and its other members by name."""

    manifest: Manifest
    members: Mapping[str, bytes]


def write(path: Path, archive: Archive) -> int:
    """Write `archive`, complete or not at all, for its owner alone; the bytes it takes. Raises OutputExists."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "w+b") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as made:
                made.writestr(_entry(MANIFEST), archive.manifest.encode())
                for name in sorted(archive.members):
                    made.writestr(_entry(name, archive.members[name]), archive.members[name])
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    except FileExistsError:
        raise OutputExists(path=path) from None
    finally:
        os.unlink(temporary)
    return path.stat().st_size


def _entry(name: str, data: bytes = b"") -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _TIME)
    # What packs too well would be taken for a bomb by whoever reads it.
    bomb = len(data) > STANDARD.slack and len(zlib.compress(data, _LEVEL)) * STANDARD.ratio < 2 * len(data)
    entry.compress_type = zipfile.ZIP_STORED if bomb else zipfile.ZIP_DEFLATED
    entry.create_system = 3
    entry.external_attr = (stat.S_IFREG | 0o600) << 16
    return entry


def read(path: Path, limits: Limits = STANDARD) -> Archive:
    """Read an archive whole. Raises ArchiveRefused with the reason, ArchiveTooNew and ArchiveUnreadable; it writes nothing."""
    try:
        with open_regular(path, _MAX_BYTES) as file, zipfile.ZipFile(file) as opened:
            infos = opened.infolist()
            if (reason := objection(infos, os.fstat(file.fileno()).st_size, limits)) is not None:
                raise ArchiveRefused(path=path, reason=reason)
            manifest = _manifest(path, _member(path, opened, opened.getinfo(MANIFEST)))
            names = {info.filename for info in infos} - {MANIFEST}
            if odd := sorted(names ^ manifest.files.keys()):
                raise ArchiveRefused(path=path, reason=f"its manifest and its members differ: {odd[0]}")
            members = {name: _checked(path, opened, name, manifest) for name in sorted(names)}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, zlib.error, EOFError, ValueError) as error:
        raise ArchiveRefused(path=path, reason=f"it cannot be read as a zip file ({error})") from None
    except OSError as error:
        raise ArchiveUnreadable(path=path, detail=error.strerror or error) from None
    return Archive(manifest, members)


def objection(infos: list[zipfile.ZipInfo], size: int, limits: Limits) -> str | None:
    """Why the members as the archive's directory lists them are refused, or None. Pure."""
    if len(infos) > limits.members:
        return f"it has {len(infos)} members, more than {limits.members}"
    seen: set[str] = set()
    total = 0
    for info in infos:
        if (reason := _member_objection(info, limits)) is not None:
            return f"member {info.filename[:200]!r} {reason}"
        if info.filename in seen:
            return f"member {info.filename!r} is there twice"
        seen.add(info.filename)
        total += info.file_size
    if total > limits.total:
        return f"it unpacks to {total} bytes, more than {limits.total}"
    if total > max(size * limits.ratio, limits.slack):
        return f"it unpacks to {total} bytes from {size}, which no honest archive does"
    return None if MANIFEST in seen else "it has no manifest"


def _member_objection(info: zipfile.ZipInfo, limits: Limits) -> str | None:
    name, mode = info.orig_filename, info.external_attr >> 16
    if name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name):
        return "has an absolute path"
    if ".." in re.split(r"[/\\]", name):
        return "leads out of the archive"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "is a link" if stat.S_ISLNK(mode) else "is not a plain file"
    if info.flag_bits & 0x1:
        return "is encrypted"
    if not _ALLOWED.fullmatch(name) or name != info.filename:
        return "has no place in an archive"
    if info.file_size > (limits.manifest if name == MANIFEST else limits.member):
        return f"unpacks to {info.file_size} bytes"
    if info.file_size > max(info.compress_size * limits.ratio, limits.slack):
        return f"unpacks to {info.file_size} bytes from {info.compress_size}"
    return None


def _member(path: Path, opened: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """The member's bytes, never more than its entry says."""
    with opened.open(info) as stream:
        data = stream.read(info.file_size + 1)
    if len(data) != info.file_size:
        raise ArchiveRefused(path=path, reason=f"member {info.filename!r} is not as long as it says")
    return data


def _manifest(path: Path, data: bytes) -> Manifest:
    try:
        raw = orjson.loads(data)
        found = raw.get("format") if isinstance(raw, dict) else None
        if isinstance(found, str) and found != FORMAT and found.startswith("medkg.repro/"):
            made_by = raw.get("environment")
            version = made_by.get("lab_version") if isinstance(made_by, dict) else None
            raise ArchiveTooNew(path=path, found=found, known=FORMAT, lab_version=str(version or "unknown")[:40])
        return Manifest.model_validate(raw)
    except orjson.JSONDecodeError:
        raise ArchiveRefused(path=path, reason="its manifest is not JSON") from None
    except ValidationError as error:
        reason = f"its manifest is wrong: {first_flaw(error.errors()).text()}"
        raise ArchiveRefused(path=path, reason=reason) from None


def _checked(path: Path, opened: zipfile.ZipFile, name: str, manifest: Manifest) -> bytes:
    entry = manifest.files[name]
    info = opened.getinfo(name)
    if info.file_size != entry.size:
        raise ArchiveRefused(path=path, reason=f"member {name!r} has {info.file_size} bytes, not {entry.size}")
    data = _member(path, opened, info)
    digest = hashlib.sha256(data).hexdigest()
    if digest != entry.sha256 or (name.startswith("artifacts/") and name != f"artifacts/{digest}"):
        raise ArchiveRefused(path=path, reason=f"member {name!r} does not have its hash")
    if _PICKLE.match(data):
        raise ArchiveRefused(path=path, reason=f"member {name!r} is a Python pickle, which could run code")
    return data
