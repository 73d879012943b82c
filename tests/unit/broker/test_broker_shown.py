"""What the command line shows of records that anyone may have written."""

import pytest

from medkg_lab.broker.record import Record
from medkg_lab.cli.commands.broker import show

HOSTILE = b"\x1b]0;title\x07\x1b[2J\xff\x00\r\n\xe2\x80\xae"


def test_nothing_foreign_reaches_the_terminal_raw(capsys: pytest.CaptureFixture[str]) -> None:
    record = Record("t", 0, 7, 1, HOSTILE, HOSTILE, ((HOSTILE.decode(errors="replace"), HOSTILE), ("null", None)))
    show([record.as_text()])
    out = capsys.readouterr().out
    assert out.startswith("0@7 ")
    assert "title" in out
    assert not [character for character in out.replace("\n", "") if ord(character) < 32 or character == "\u202e"]
    assert "null: None" in out
