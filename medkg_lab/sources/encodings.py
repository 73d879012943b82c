"""The character encoding of text files: UTF-8, UTF-16 and UTF-32 by their marks or their zeros, else Windows-1252."""

import codecs
from dataclasses import dataclass

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NEVER_IN_TEXT = frozenset(range(32)) - frozenset(b"\t\n\v\f\r\x1b\x1a\x1e\x1f\x1c\x1d")
_WINDOW = 1024


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text, the encoding that it was read in, and whether that is sure: every byte sequence is some text in Windows-1252."""

    text: str
    encoding: str
    is_sure: bool


class NotText(ValueError):
    """The bytes are marked as Unicode and are not; the text says where."""


def decode(data: bytes) -> Decoded:
    """Read `data` as text. Raises NotText for bytes that are marked as UTF-8, UTF-16 or UTF-32 and are not."""
    mark, encoding = _encoding(data)
    if encoding is not None:
        try:
            return Decoded(data[len(mark) :].decode(encoding), encoding, True)
        except UnicodeDecodeError as error:
            raise NotText(f"not valid {encoding.upper()} at byte {error.start}") from None
    try:
        return Decoded(data.decode(), "utf-8", True)
    except UnicodeDecodeError:
        # Python's cp1252 leaves five bytes undefined, which browsers read as Latin-1 does.
        text = data.decode("cp1252", "surrogateescape")
        return Decoded("".join(chr(ord(c) - 0xDC00) if "\udc80" <= c <= "\udcff" else c for c in text), "cp1252", False)


def as_utf8(data: bytes) -> tuple[bytes, str]:
    """`data` in UTF-8 without a mark, and a warning where the encoding is a guess. Raises NotText."""
    if data.isascii() and b"\0" not in data:
        return data, ""
    found = decode(data)
    warning = "" if found.is_sure else "the file is not UTF-8; it was read as Windows-1252 (Latin-1)"
    return (data if found.encoding == "utf-8" else found.text.encode("utf-8", "replace")).removeprefix(
        codecs.BOM_UTF8
    ), warning


def text_head(head: bytes) -> str:
    """The beginning of a file as text, for looking at; what cannot be decoded is replaced."""
    mark, encoding = _encoding(head)
    return head[len(mark) :].decode(encoding or "latin-1", "replace")


def is_text(head: bytes) -> bool:
    """Whether the beginning of a file may be text: no control characters that texts never hold."""
    if _encoding(head)[1] not in (None, "utf-8"):
        head = text_head(head).encode("utf-8", "replace")
    return not _NEVER_IN_TEXT.intersection(head)


def _encoding(data: bytes) -> tuple[bytes, str | None]:
    """The mark that `data` begins with, and the Unicode encoding that mark or zeros tell of."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return mark, encoding
    head = data[:_WINDOW]
    half = len(head) // 2
    if half >= 2 and not head[0::2].count(0) and head[1::2].count(0) > half * 0.7:
        return b"", "utf-16-le"
    if half >= 2 and not head[1::2].count(0) and head[0::2].count(0) > half * 0.7:
        return b"", "utf-16-be"
    return b"", None
