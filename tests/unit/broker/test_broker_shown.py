"""What the command line shows of records that anyone may have written."""

import pytest

from medkg_lab.broker.record import Record
from medkg_lab.cli.commands.broker import show

HOSTILE = b"\x1b]0;title\x07\x1b[2J\xff\x00\r\n\xe2\x80\xae"


def test_nothing_foreign_reaches_the_terminal_raw(capsys: pytest.CaptureFixture[str]) -> None:
    record = Record("t", 0, 7, 1, HOSTILE, HOSTILE, ((HOSTILE.decode(errors="replace"), HOSTILE), ("null", None)))
    show(record.as_text())
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0].startswith("0@7 ")
    assert [line[:4] for line in lines[1:]] == ["    "] * 2
    assert "title" in lines[0]
    assert not [character for character in "".join(lines) if ord(character) < 32 or character == "\u202e"]
    assert "null: (null)" in lines[-1]
