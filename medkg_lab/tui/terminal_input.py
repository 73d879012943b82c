"""What a terminal sends, cut into text and whole control sequences; what is neither is dropped. Pure: bytes in, pieces out.

The forms are those of ECMA-48 (CSI, SS3, strings up to ST) and of xterm's "ctlseqs" (the X10 mouse report, whose three bytes
after `CSI M` may have any value). A terminal whose modes were reset falls back to that report; late answers are strings.
"""

import codecs
import re
from typing import NamedTuple

MAX_SEQUENCE_BYTES = 4096
"""Bytes of an unfinished sequence that are kept; no terminal sends one that long."""
READ_BYTES = 4096
"""Bytes that a terminal keeps for its program at most, N_TTY_BUF_SIZE of Linux: who types more waits until they are read."""
MAX_CONTROL_BYTES = 32
"""Bytes of a control sequence that Textual's parser reads as one; it takes a longer one for typed keys."""

REPLACEMENT = "\ufffd"
_REPLACED = re.compile(f"{REPLACEMENT}+")
_PIECE = re.compile(
    rb"""
    (?P<x10>\x1b\[M[\x00-\xff]{3})
    | (?P<control>\x1b\[\[[A-E] | \x1b\[\d{1,2}\$ | \x1b\[(?!M)[0-?]*[\x20-/]*[@-~] | \x1bO[\x20-~])
    | (?P<string>\x1b[\]P_^X][^\x07\x1b]*(?:\x07|\x1b\\))
    | (?P<text>[^\x1b]+ | \x1b[^\x1b\[\]P_^XO] | \x1b(?=\x1b))
    """,
    re.VERBOSE | re.DOTALL,
)
_UNFINISHED = re.compile(rb"\x1b(?:\[(?:M[\x00-\xff]{0,2}|\[|[0-?]*[\x20-/]*)|[\]P_^X][^\x07\x1b]*\x1b?|O)?", re.DOTALL)
_BROKEN = re.compile(rb"\x1b(?:\[M?[0-?]*[\x20-/]*|[\]P_^X][^\x07\x1b]*|O)?")
_KEY = re.compile(rb"\x1b[\[\]P_^XO]?")


class Piece(NamedTuple):
    """Text as it was typed or pasted, or one whole control sequence."""

    text: str
    is_control: bool = False


class TerminalInput:
    """Cuts bytes into pieces, whatever they are and however reads split them. `x10_seen` says that a mouse report in the X10
    form came, which means that the terminal has lost its mouse mode; `is_cut` that what it was fed last filled the terminal and
    ends within a sequence, whose rest its sender could not write yet."""

    def __init__(self) -> None:
        self.x10_seen = False
        self.is_cut = False
        self._rest = b""
        self._replaced = False
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def feed(self, data: bytes) -> list[Piece]:
        """The pieces that `data` completes."""
        filled = len(data) >= READ_BYTES - 1
        data, self._rest = self._rest + data, b""
        pieces: list[Piece] = []
        at = 0
        while at < len(data):
            found = _PIECE.match(data, at)
            if found is not None:
                at = found.end()
                pieces += self._piece(found)
            elif _UNFINISHED.fullmatch(data, at):
                # Of one that is too long enough is kept to see its end, and to drop it then.
                self._rest = (
                    data[at:] if len(data) - at <= MAX_SEQUENCE_BYTES else data[at : at + 2 * MAX_CONTROL_BYTES]
                )
                break
            else:
                broken = _BROKEN.match(data, at)
                at = broken.end() if broken else at + 1
        self.is_cut = filled and (bool(self._rest) or bool(self._decoder.getstate()[0]))
        return pieces

    def flush(self) -> list[Piece]:
        """What an unfinished sequence was after all, once nothing more has come for a while: a key, or nothing."""
        rest, self._rest = self._rest, b""
        return self._text(rest if _KEY.fullmatch(rest) else b"", final=True)

    def _piece(self, found: "re.Match[bytes]") -> list[Piece]:
        if found["x10"] is not None:
            self.x10_seen = True
            return []
        if found["string"] is not None or (found["control"] is not None and len(found[0]) > MAX_CONTROL_BYTES):
            return []
        return self._text(found[0], is_control=found["control"] is not None)

    def _text(self, data: bytes, is_control: bool = False, final: bool = False) -> list[Piece]:
        """What `data` is in UTF-8; a run of bytes that are not becomes one replacement character."""
        text = _REPLACED.sub(REPLACEMENT, self._decoder.decode(data, final))
        if self._replaced:
            text = text.removeprefix(REPLACEMENT)
        self._replaced = text.endswith(REPLACEMENT) or (self._replaced and not text)
        return [Piece(text, is_control)] if text else []
