"""Where a lab keeps its files: refused paths, folders that are closed to others, and sockets where the running lab has them."""

import os
import stat
from pathlib import Path

import pytest

from medkg_lab import folders, running
from medkg_lab.folders import ForeignFolder, NotAFolder
from medkg_lab.locations import HomeUnusable, locate

OTHER = 65534
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="files of another user need root")


@pytest.mark.parametrize(
    "name", ["a?b", "a\\b", "T [1]", "a]b", "a%20b", "a*b", "a\nb", "a\x1b[31mb", "a\u2028b", "a\udcffb"]
)
def test_a_path_that_a_library_reads_otherwise_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(HomeUnusable):
        locate(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a b", "Größe", "日本　語", "a'b\"c", "a#b;c&d", "a{b}c", "a@b:c", "-a", "👩‍🔬"])
def test_other_paths_are_taken(tmp_path: Path, name: str) -> None:
    assert locate(tmp_path / name).home == tmp_path / name


def test_what_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HomeUnusable, match="255"):
        locate(tmp_path / ("x" * 256))
    with pytest.raises(HomeUnusable, match="SQLite"):
        locate(tmp_path / "/".join(["x" * 100] * 4))


def test_the_cache_is_checked_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDKG_LAB_CACHE", str(tmp_path / "a?b"))
    with pytest.raises(HomeUnusable, match="a\\?b"):
        locate(tmp_path)


def test_a_file_is_no_home(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotAFolder):
        locate(tmp_path / "file").create()


def test_open_folders_and_settings_are_closed(short_tmp: Path) -> None:
    places = locate(short_tmp / "lab")
    for folder in (places.home, places.config, places.data, places.state):
        folder.mkdir()
        folder.chmod(0o777)
    (places.config / "settings.yaml").write_text("profile: cpu\n")
    (places.config / "settings.yaml").chmod(0o644)
    places.create()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (places.config, places.data, places.state)}
    assert set(modes.values()) == {0o700}, modes
    assert stat.S_IMODE((places.config / "settings.yaml").stat().st_mode) == 0o600


def test_a_cache_that_others_share_is_left_as_it_is(short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (short_tmp / "cache").mkdir()
    (short_tmp / "cache").chmod(0o755)
    monkeypatch.setenv("MEDKG_LAB_CACHE", str(short_tmp / "cache"))
    locate(short_tmp / "lab").create()
    assert stat.S_IMODE((short_tmp / "cache").stat().st_mode) == 0o755


@needs_root
@pytest.mark.parametrize("name", ["", "config", "data", "state", "config/settings.yaml"])
def test_what_belongs_to_another_user_is_refused(short_tmp: Path, name: str) -> None:
    places = locate(short_tmp / "lab")
    places.create()
    (places.config / "settings.yaml").touch()
    os.chown(places.home / name, OTHER, OTHER)
    with pytest.raises(ForeignFolder, match="belongs to user"):
        places.create()


@needs_root
def test_a_link_of_another_user_is_refused(short_tmp: Path) -> None:
    places = locate(short_tmp / "lab")
    places.home.mkdir()
    (short_tmp / "mine").mkdir()
    places.data.symlink_to(short_tmp / "mine")
    os.chown(places.data, OTHER, OTHER, follow_symlinks=False)
    with pytest.raises(ForeignFolder):
        places.create()


def test_sockets_are_where_the_running_lab_has_them(short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = locate(short_tmp / "lab")
    places.create()
    running.write(places.state, places.home, short_tmp / "elsewhere")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_tmp))
    assert locate(short_tmp / "lab").socket("labd") == short_tmp / "elsewhere" / "labd.sock"
    running.remove(places.state)
    assert locate(short_tmp / "lab").socket("labd").is_relative_to(short_tmp / "medkg-lab")


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"pid": 1}', "null"])
def test_a_damaged_record_names_nobody(short_tmp: Path, damage: str) -> None:
    (short_tmp / running.FILE).write_text(damage)
    assert running.read(short_tmp) is None


def test_a_record_of_a_process_that_ended_names_nobody(short_tmp: Path) -> None:
    running.write(short_tmp, short_tmp, short_tmp)
    found = running.read(short_tmp)
    assert found is not None
    assert found.pid == os.getpid()
    text = (short_tmp / running.FILE).read_text()
    (short_tmp / running.FILE).write_text(text.replace(f'"started": {found.started}', '"started": 1'))
    assert running.read(short_tmp) is None


def test_a_folder_for_sockets_that_others_can_write_to_is_not_used(
    short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_tmp.chmod(0o777)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_tmp))
    assert not locate(short_tmp / "lab").runtime.is_relative_to(short_tmp)
    short_tmp.chmod(0o700)
    (short_tmp / "medkg-lab").mkdir()
    (short_tmp / "medkg-lab").chmod(0o777)
    assert not locate(short_tmp / "lab").runtime.is_relative_to(short_tmp)
    assert not folders.is_private(short_tmp / "medkg-lab")
