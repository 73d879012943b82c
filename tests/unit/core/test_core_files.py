"""Files are replaced whole, and the end of one is read without the rest of it."""

import errno
import os
import subprocess
from pathlib import Path

import pytest

from medkg_lab import files
from medkg_lab.files import last_lines


@pytest.mark.parametrize("count", [0, 1, 2, 999, 1000, 1001])
def test_the_last_lines_are_those_of_the_whole_file(tmp_path: Path, count: int) -> None:
    lines = [f"line {number} {'x' * (number % 300)}" for number in range(1000)]
    (tmp_path / "log").write_text("\n".join(lines) + "\n")
    assert last_lines(tmp_path / "log", count) == lines[len(lines) - min(count, 1000) :]


def test_of_a_large_file_little_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log"
    with path.open("wb") as file:
        file.truncate(5 * 1024 * 1024 * 1024)  # a hole: nothing is written
        file.seek(0, 2)
        file.write(b"\nlast\n")
    monkeypatch.setattr(files, "_MAX_TAIL_BYTES", 1024 * 1024)
    assert last_lines(path, 1) == ["last"]
    assert len(last_lines(path, 50)) <= 3


def test_what_is_not_text_is_shown_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"a\xff\nb")
    assert last_lines(tmp_path / "log", 5) == ["a\ufffd", "b"]
    (tmp_path / "log").write_bytes(b"")
    assert last_lines(tmp_path / "log", 5) == []


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("medkg_lab.files.os.fsync", full)
    for write in (files.write_private, files.replace_private):
        with pytest.raises(OSError, match="No space"):
            write(tmp_path / "kept.json", "x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_is_replaced_whole_private_and_without_remains(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "folder" / "kept.json"
    for content in ("first \u00fc", b"\x00second"):
        files.replace_private(path, content, durable)
        assert path.read_bytes() == (content if isinstance(content, bytes) else content.encode())
        assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["kept.json"]


def test_what_a_killed_writer_left_goes_and_what_others_write_stays(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    left = tmp_path / f".kept.json.{ended.pid}.0123abcd"
    others = [tmp_path / f".kept.json.{os.getpid()}.0123abcd", tmp_path / f".kept.jsonl.{ended.pid}.0123abcd"]
    for path in (left, *others):
        path.write_text("part")
    files.replace_private(tmp_path / "kept.json", "whole")
    assert not left.exists()
    assert all(path.exists() for path in others)


def test_a_folder_in_the_files_place_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "kept.json").mkdir()
    with pytest.raises(IsADirectoryError):
        files.replace_private(tmp_path / "kept.json", "x")
    assert [one.name for one in tmp_path.iterdir()] == ["kept.json"]
