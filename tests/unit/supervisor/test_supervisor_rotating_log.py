"""One log file: bounded, complete within its bounds, and short about what repeats."""

import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medkg_lab.supervisor import rotating_log
from medkg_lab.supervisor.rotating_log import Bounds, RotatingLog, part

PARTS = 3
SMALL = Bounds(1000, PARTS)
USUAL = Bounds(16 * 2**20, PARTS)


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def everything(path: Path) -> bytes:
    """All parts, the oldest first."""
    files = [*(part(path, number) for number in range(PARTS - 1, 0, -1)), path]
    return b"".join(one.read_bytes() for one in files if one.exists())


def test_a_log_keeps_its_bounds_and_its_newest_lines(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    log = RotatingLog(path, Clock(), SMALL)
    for number in range(1000):
        log.feed(b"line %d\n" % number)
    log.close()
    files = sorted(tmp_path.iterdir())
    assert [one.name for one in files] == ["x.log", "x.log.1", "x.log.2"]
    assert all(one.stat().st_size <= 1000 and stat.S_IMODE(one.stat().st_mode) == 0o600 for one in files)
    kept = everything(path).decode().splitlines()
    assert kept == [f"line {number}" for number in range(1000 - len(kept), 1000)]


@pytest.mark.parametrize("parts", [2, 5])
def test_a_log_has_as_many_files_as_it_may(tmp_path: Path, parts: int) -> None:
    log = RotatingLog(tmp_path / "x.log", Clock(), Bounds(1000, parts))
    for number in range(1000):
        log.feed(b"line %d\n" % number)
    log.close()
    assert len(list(tmp_path.iterdir())) == parts


def test_files_that_wider_bounds_have_left_go_and_no_others(tmp_path: Path) -> None:
    others = ("x.log.old", "xylog.7", "x.log.1.gz")
    for name in ("x.log", "x.log.1", "x.log.2", "x.log.7", "x.log.10", *others):
        (tmp_path / name).write_bytes(b"text\n")
    RotatingLog(tmp_path / "x.log", Clock(), Bounds(1000, 2)).close()
    assert {one.name for one in tmp_path.iterdir()} == {"x.log", "x.log.1", *others}


def test_a_log_that_is_too_large_at_the_start_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(b"old\n" * 1000)
    log = RotatingLog(path, Clock(), SMALL)
    log.feed(b"new\n")
    log.close()
    assert (path.read_bytes(), part(path, 1).stat().st_size) == (b"new\n", 4000)


@given(st.lists(st.binary(max_size=40), max_size=20), st.integers(1, 7))
@settings(max_examples=100, deadline=None)
def test_whatever_is_written_stands_there_line_by_line(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], cut: int
) -> None:
    distinct = [b"%d %s" % (number, line.replace(b"\n", b" ")) for number, line in enumerate(lines)]
    text = b"".join(line + b"\n" for line in distinct)
    path = tmp_path_factory.mktemp("log") / "x.log"
    log = RotatingLog(path, Clock(), USUAL)
    for start in range(0, len(text), cut):
        log.feed(text[start : start + cut])
    log.close()
    assert path.read_bytes() == text


def test_lines_that_differ_in_their_moment_alone_are_counted(tmp_path: Path) -> None:
    log = RotatingLog(tmp_path / "x.log", Clock(), USUAL)
    for second in range(50):
        log.feed(b"2026-01-01 00:00:%02d,000 ERROR x: no\n" % second)
    log.feed(b"other\n")
    log.close()
    lines = (tmp_path / "x.log").read_text().splitlines()
    assert lines == ["2026-01-01 00:00:00,000 ERROR x: no", "  (the line above, 49 more times)", "other"]


def test_json_lines_stay_json_lines(tmp_path: Path) -> None:
    log = RotatingLog(tmp_path / "x.log", Clock(), USUAL)
    for second in range(50):
        log.feed(b'{"time": "2026-01-01T00:00:%02d.000+00:00", "level": "error", "message": "no"}\n' % second)
    log.close()
    first, count = map(json.loads, (tmp_path / "x.log").read_text().splitlines())
    assert first["message"] == "no"
    assert count == {"event": "log.remark", "message": "the line above, 49 more times"}


def test_a_count_is_written_while_lines_go_on_and_at_the_end(tmp_path: Path) -> None:
    clock = Clock()
    log = RotatingLog(tmp_path / "x.log", clock, USUAL)
    log.feed(b"no\n" * 3)
    log.report()
    assert (tmp_path / "x.log").read_text() == "no\n"
    clock.now = rotating_log.REPORT_INTERVAL_S
    log.report()
    assert (tmp_path / "x.log").read_text().splitlines()[1:] == ["  (the line above, 2 more times)"]
    log.feed(b"no\n")
    log.close()
    assert (tmp_path / "x.log").read_text().count("more times") == 2


def test_a_line_without_end_is_written_in_parts(tmp_path: Path) -> None:
    log = RotatingLog(tmp_path / "x.log", Clock(), USUAL)
    for number in range(10):
        log.feed(b"%d" % number * 50_000)
    assert (tmp_path / "x.log").stat().st_size >= 400_000
    log.close()


def test_what_finds_no_room_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = RotatingLog(tmp_path / "x.log", Clock(), USUAL)
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        log.feed(b"lost\n")
    log.feed(b"kept\n")
    log.close()
    assert (tmp_path / "x.log").read_text() == "  (5 bytes of log could not be written)\nkept\n"


def test_a_link_in_place_of_a_log_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "x.log").symlink_to(tmp_path / "victim")
    log = RotatingLog(tmp_path / "x.log", Clock(), USUAL)
    log.feed(b"text\n")
    log.close()
    assert not (tmp_path / "victim").exists()
