"""What comes from a terminal, cut into text and control sequences, whatever the bytes and however they are split."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS

from medkg_lab.tui.terminal_input import MAX_SEQUENCE_BYTES, READ_BYTES, Piece, TerminalInput


def pieces(*reads: bytes) -> list[Piece]:
    """What reads become, and then silence."""
    cutter = TerminalInput()
    return [piece for read in reads for piece in cutter.feed(read)] + cutter.flush()


def text(*reads: bytes) -> str:
    return "".join(piece.text for piece in pieces(*reads))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x1b[M \xe00", ""),
        (b"\x1b[M\x1b\x1b\x1bq", "q"),
        (b"\x1b[M !!a\x1b[M\xff\xff\xffb", "ab"),
        (b"caf\xe9", "caf�"),
        (b"caf\xc3\xa9", "café"),
        (b"\xff\xfe\x80", "�"),
        (b"\x1b[M", ""),
        (b"\x1b[M !", ""),
        (b"\x1b", "\x1b"),
        (b"\x1b[", "\x1b["),
        (b"\x1bO", "\x1bO"),
        (b"\x1bx", "\x1bx"),
        (b"\x1b[12;", ""),
        (b"\x1b[12\xffq", "�q"),
        (b"\x1b[<0;10;10M", "\x1b[<0;10;10M"),
        (b"\x1b]11;rgb:0/0/0\x1b\\q", "q"),
        (b"\x1b]11;rgb:0/0/0\x07q", "q"),
        (b"\x1bP1$r0m\x1b\\q", "q"),
        (b"\x1b]", "\x1b]"),
        (b"\x1b]11;rgb", ""),
        (b"\x1b]11;\x1b[Aq", "\x1b[Aq"),
        (b"\x1b[" + b"1" * 100 + b"u" + b"q", "q"),
        (b"\x1b[" + b"1" * (2 * MAX_SEQUENCE_BYTES), ""),
        (b"\x1b]" + b"x" * (2 * MAX_SEQUENCE_BYTES), ""),
        (b"\x00q", "\x00q"),
    ],
)
def test_a_sequence_becomes_what_it_is(data: bytes, expected: str) -> None:
    assert text(data) == expected
    assert text(*(data[at : at + 1] for at in range(len(data)))) == expected


@pytest.mark.parametrize("sequence", sorted(key for key in ANSI_SEQUENCES_KEYS if key.startswith("\x1b")))
def test_every_key_that_textual_knows_arrives(sequence: str) -> None:
    assert text(sequence.encode()) == sequence


def test_a_control_sequence_is_one_piece() -> None:
    assert pieces(b"a\x1b[A\x1b[?62;22cb") == [
        Piece("a"),
        Piece("\x1b[A", True),
        Piece("\x1b[?62;22c", True),
        Piece("b"),
    ]


def test_a_report_of_the_old_form_is_noticed() -> None:
    cutter = TerminalInput()
    cutter.feed(b"\x1b[M ")
    assert not cutter.x10_seen
    cutter.feed(b"\xe00")
    assert cutter.x10_seen


@given(st.text(st.characters(exclude_characters="\x1b\ufffd", exclude_categories=["Cs"])), st.integers(1, 7))
def test_text_arrives_as_it_was_however_it_is_split(typed: str, size: int) -> None:
    data = typed.encode()
    assert text(*(data[at : at + size] for at in range(0, len(data), size))) == typed


@given(
    st.lists(
        st.sampled_from([b"\x1b", b"[", b"M", b"]", b"O", b"1", b";", b"A", b"\x07", b"\\", b"\xe9", b"q"])
        | st.binary(max_size=8)
    )
)
def test_any_bytes_are_cut_the_same_however_they_are_split(parts: list[bytes]) -> None:
    data = b"".join(parts)
    assert text(data) == text(*parts) == text(*(data[at : at + 1] for at in range(len(data))))


@pytest.mark.parametrize("end", [b"\x1b", b"\x1b[", b"\x1b[1;", b"\xc3"])
def test_what_a_full_terminal_cut_is_told_from_a_key(end: bytes) -> None:
    cutter = TerminalInput()
    cutter.feed(b"a" * (READ_BYTES - len(end)) + end)
    assert cutter.is_cut
    cutter.feed(b"\xa9" if end == b"\xc3" else b"[A" if end == b"\x1b" else b"A")
    assert not cutter.is_cut


@pytest.mark.parametrize("read", [b"\x1b", b"abc\x1b[", b"a" * READ_BYTES])
def test_without_a_full_terminal_or_an_unfinished_sequence_nothing_was_cut(read: bytes) -> None:
    cutter = TerminalInput()
    cutter.feed(read)
    assert not cutter.is_cut
