"""Archives: the same content is the same bytes, and what is hostile is refused with a reason before anything is written."""

import json
import pickle
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medkg_lab.locations import locate
from medkg_lab.repro import archive as archives
from medkg_lab.repro import manifest as names
from medkg_lab.repro.archive import Archive, Limits
from medkg_lab.repro.errors import ArchiveRefused, ArchiveTooNew, HomeInUse, OutputExists
from medkg_lab.repro.incident import install
from medkg_lab.repro.manifest import FileEntry, Manifest, entries, environment, lines
from tests.unit.repro.worlds import archive_of, event, sha, topology


def small(**members: bytes) -> Archive:
    """An archive without jobs, with these further members."""
    blob = b'{"a study": 1}'
    return archive_of([], [blob], [topology()], [], (), **members)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    made = small()
    assert archives.write(tmp_path / "a.mklab", made) == (tmp_path / "a.mklab").stat().st_size
    assert archives.read(tmp_path / "a.mklab") == made
    assert (tmp_path / "a.mklab").stat().st_mode & 0o777 == 0o600
    with pytest.raises(OutputExists):
        archives.write(tmp_path / "a.mklab", made)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mklab"]


@settings(max_examples=25, deadline=None)
@given(blobs=st.lists(st.binary(max_size=2000), max_size=5, unique=True))
def test_the_same_content_gives_the_same_bytes(tmp_path_factory: pytest.TempPathFactory, blobs: list[bytes]) -> None:
    folder = tmp_path_factory.mktemp("same")
    for name, order in (("a", blobs), ("b", list(reversed(blobs)))):
        archives.write(folder / name, archive_of([], order, [topology()], []))
    assert (folder / "a").read_bytes() == (folder / "b").read_bytes()


def test_what_packs_too_well_is_kept_unpacked_and_read_back(tmp_path: Path) -> None:
    zeros = bytes(3 * 1024 * 1024)
    made = archive_of([], [zeros], [topology()], [])
    archives.write(tmp_path / "a.mklab", made)
    assert archives.read(tmp_path / "a.mklab").members[f"artifacts/{sha(zeros)}"] == zeros


Spoil = Callable[[zipfile.ZipFile], None]


def forged(path: Path, spoil: Spoil, made: Archive | None = None, claim: dict[str, bytes] | None = None) -> Path:
    """An archive that `spoil` adds something to; the manifest also names the members of `claim`."""
    whole = made or small()
    files = {**whole.manifest.files, **entries(claim or {})}
    manifest = Manifest.model_validate({**vars(whole.manifest), "files": files})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr(names.MANIFEST, manifest.encode())
        for name, data in whole.members.items():
            target.writestr(name, data)
        spoil(target)
    return path


def member(name: str, data: bytes = b"x", mode: int = stat.S_IFREG | 0o600) -> Spoil:
    """Add a member of this name and kind."""

    def spoil(target: zipfile.ZipFile) -> None:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        info.compress_type = zipfile.ZIP_DEFLATED
        target.writestr(info, data)

    return spoil


@pytest.mark.parametrize(
    ("name", "mode", "reason"),
    [
        ("/etc/passwd", stat.S_IFREG, "absolute"),
        ("\\\\server\\share", stat.S_IFREG, "absolute"),
        ("C:/windows", stat.S_IFREG, "absolute"),
        ("../outside", stat.S_IFREG, "leads out"),
        ("artifacts/../../outside", stat.S_IFREG, "leads out"),
        ("artifacts\\..\\outside", stat.S_IFREG, "leads out"),
        ("artifacts/" + "a" * 64, stat.S_IFLNK, "link"),
        ("artifacts/" + "a" * 64, stat.S_IFCHR, "not a plain file"),
        ("artifacts/" + "a" * 64, stat.S_IFIFO, "not a plain file"),
        ("artifacts/", stat.S_IFDIR, "not a plain file"),
        ("run.py", stat.S_IFREG, "no place"),
        ("artifacts/UPPER", stat.S_IFREG, "no place"),
        ("definitions/topology/../x.json", stat.S_IFREG, "leads out"),
        ("topics/.json", stat.S_IFREG, "no place"),
    ],
)
def test_a_member_that_does_not_belong_is_refused(tmp_path: Path, name: str, mode: int, reason: str) -> None:
    path = forged(tmp_path / "bad.mklab", member(name, mode=mode | 0o600))
    with pytest.raises(ArchiveRefused, match=reason):
        archives.read(path)


def test_the_same_name_twice_is_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        path = forged(tmp_path / "bad.mklab", member(names.SETTINGS, b"{}"))
    with pytest.raises(ArchiveRefused, match="twice"):
        archives.read(path)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    zeros = bytes(40 * 1024 * 1024)
    name = f"artifacts/{sha(zeros)}"
    path = forged(tmp_path / "bad.mklab", member(name, zeros), claim={name: zeros})
    with pytest.raises(ArchiveRefused, match="unpacks to"):
        archives.read(path)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [(Limits(members=3), "members"), (Limits(total=100), "unpacks to"), (Limits(member=10), "unpacks to")],
)
def test_too_many_and_too_large_are_refused(tmp_path: Path, limits: Limits, reason: str) -> None:
    archives.write(tmp_path / "a.mklab", small())
    with pytest.raises(ArchiveRefused, match=reason):
        archives.read(tmp_path / "a.mklab", limits)


def test_a_member_longer_than_its_entry_says_is_refused(tmp_path: Path) -> None:
    archives.write(tmp_path / "a.mklab", small())
    data = bytearray((tmp_path / "a.mklab").read_bytes())
    directory = data.index(b"PK\x01\x02")
    place = data.index(b"settings.json", directory) - 46 + 24
    data[place : place + 4] = (5).to_bytes(4, "little")
    (tmp_path / "a.mklab").write_bytes(data)
    with pytest.raises(ArchiveRefused):
        archives.read(tmp_path / "a.mklab")


def test_wrong_hashes_are_refused(tmp_path: Path) -> None:
    made = small()
    spoilt = made.members[names.SETTINGS].replace(b"cpu", b"gpu")
    path = tmp_path / "bad.mklab"
    archives.write(path, Archive(made.manifest, {**made.members, names.SETTINGS: spoilt}))
    with pytest.raises(ArchiveRefused, match="hash"):
        archives.read(path)
    name = "artifacts/" + "0" * 64
    with pytest.raises(ArchiveRefused, match="hash"):
        archives.read(forged(tmp_path / "other.mklab", member(name), claim={name: b"x"}))


def test_a_pickle_is_refused(tmp_path: Path) -> None:
    data = pickle.dumps({"looks": "harmless"})
    name = f"artifacts/{sha(data)}"
    with pytest.raises(ArchiveRefused, match="pickle"):
        archives.read(forged(tmp_path / "bad.mklab", member(name, data), claim={name: data}))


def test_members_and_manifest_must_be_the_same(tmp_path: Path) -> None:
    name = "artifacts/" + "b" * 64
    with pytest.raises(ArchiveRefused, match="differ"):
        archives.read(forged(tmp_path / "more.mklab", member(name)))
    with pytest.raises(ArchiveRefused, match="differ"):
        archives.read(forged(tmp_path / "fewer.mklab", lambda _: None, claim={name: b"x"}))


def manifested(path: Path, **changes: Any) -> Path:
    """An archive whose manifest says otherwise."""
    values = {**orjson.loads(small().manifest.encode()), **changes}
    with zipfile.ZipFile(path, "w") as target:
        target.writestr(names.MANIFEST, json.dumps(values))
    return path


def test_a_future_format_says_what_wrote_it(tmp_path: Path) -> None:
    newer = {**environment().model_dump(), "lab_version": "9.1"}
    with pytest.raises(ArchiveTooNew, match=r"9\.1"):
        archives.read(manifested(tmp_path / "new.mklab", format="medkg.repro/2", environment=newer))
    with pytest.raises(ArchiveRefused, match="manifest"):
        archives.read(manifested(tmp_path / "odd.mklab", jobs="none"))
    with pytest.raises(ArchiveRefused, match="manifest"):
        archives.read(manifested(tmp_path / "extra.mklab", more=1))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_damage_ends_in_a_refusal_or_the_same_archive(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("flip") / "a.mklab"
    archives.write(path, small())
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(content)) | st.just(len(content)))
    path.write_bytes(content[:cut])
    try:
        found = archives.read(path)
    except ArchiveRefused:
        return
    assert found == small()


@settings(max_examples=40, deadline=None)
@given(junk=st.binary(max_size=400))
def test_junk_is_refused(tmp_path_factory: pytest.TempPathFactory, junk: bytes) -> None:
    path = tmp_path_factory.mktemp("junk") / "a.mklab"
    path.write_bytes(junk)
    with pytest.raises(ArchiveRefused):
        archives.read(path)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        (names.EVENTS, b"not json\n"),
        (names.EVENTS, lines([{**event(1, "job.submitted", ["j"], {"specs": [{}]})}])),
        (names.EVENTS, lines([event(1, "job.exploded", ["j"], {})])),
        (names.EVENTS, lines([event(1, "job.claimed", ["j"], {"pipeline": "p"})])),
        (names.EXCHANGES, lines([{"key": "short"}])),
        (names.SETTINGS, b'{"pdf": {"tool": "a-shell"}}'),
        ("definitions/topology/x+1.json", lines([{"name": "x", "version": "1", "seq": 1, "content": "{}"}])),
    ],
)
def test_contents_that_cannot_be_read_are_refused_before_anything_is_written(
    tmp_path: Path, name: str, data: bytes
) -> None:
    made = small()
    members = {**made.members, name: data}
    bad = Archive(Manifest.model_validate({**vars(made.manifest), "files": entries(members)}), members)
    with pytest.raises(ArchiveRefused, match="wrong"):
        install(bad, locate(tmp_path / "home"))
    assert not (tmp_path / "home").exists()


def test_an_import_touches_no_home_that_is_in_use(tmp_path: Path) -> None:
    install(small(), locate(tmp_path / "home"))
    before = sorted((path, path.stat().st_mtime_ns) for path in (tmp_path / "home").rglob("*"))
    with pytest.raises(HomeInUse):
        install(small(), locate(tmp_path / "home"))
    assert sorted((path, path.stat().st_mtime_ns) for path in (tmp_path / "home").rglob("*")) == before
    modes = {path.stat().st_mode & 0o077 for path in (tmp_path / "home").rglob("*")}
    assert modes == {0}


def test_a_file_entry_needs_a_hash() -> None:
    with pytest.raises(ValueError, match="sha256"):
        FileEntry(sha256="zz", size=1)
