"""Foreign text made safe for a terminal: everything from documents, logs and topics passes here before it is shown."""

_VISIBLE = {code: chr(0x2400 + code) for code in range(0x20) if code not in (0x09, 0x0A)}
_VISIBLE[0x7F] = "\u2421"
_VISIBLE |= dict.fromkeys(range(128, 160), "�")
_BIDI = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_VISIBLE |= {code: f"<U+{code:04X}>" for code in _BIDI}
_VISIBLE |= dict.fromkeys(range(55296, 57344), "�")


def sanitize(text: str) -> str:
    """Make control characters (C0 but tab and newline, DEL, C1), bidirectional overrides and lone surrogates visible.

    A terminal then neither obeys nor hides anything in `text`. Idempotent.
    """
    return text.translate(_VISIBLE)


def one_line(text: str, width: int = 0) -> str:
    """`text` sanitized, on one line, and cut to `width` characters when that is given."""
    line = " ".join(sanitize(text).split())
    return line if not width or len(line) <= width else line[: max(1, width - 1)] + "…"
