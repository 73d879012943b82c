"""Foreign text made safe for a terminal: everything from documents, logs and topics passes here before it is shown."""

_VISIBLE = {code: chr(0x2400 + code) for code in range(0x20) if code not in (0x09, 0x0A)}
_VISIBLE[0x7F] = "\u2421"
_VISIBLE |= dict.fromkeys(range(128, 160), "�")
_UNSEEN = (
    (0x00AD, 0x00AD),  # soft hyphen
    (0x034F, 0x034F),
    (0x061C, 0x061C),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200F),  # zero width, and the marks of direction
    (0x2028, 0x202E),  # line and paragraph separators, and the overrides of direction
    (0x2060, 0x206F),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),  # variation selectors
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFFB),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),  # tags, and more variation selectors
)
"""First and last of the characters that nothing is drawn for, or that turn text round: Unicode's Default_Ignorable_Code_Point
(DerivedCoreProperties.txt), with the separators of lines and the marks of interlinear notes."""
_VISIBLE |= {code: f"<U+{code:04X}>" for first, last in _UNSEEN for code in range(first, last + 1)}
_VISIBLE |= dict.fromkeys(range(55296, 57344), "�")


def sanitize(text: str) -> str:
    """Make visible what a terminal obeys or hides: control characters (C0 but tab and newline, DEL, C1), bidirectional
    overrides, characters without any width (joiners, tags, variation selectors, soft hyphens), line separators, surrogates.

    A terminal then neither obeys nor hides anything in `text`. Idempotent.
    """
    return text.translate(_VISIBLE)


def one_line(text: str, width: int = 0) -> str:
    """`text` sanitized, on one line, and cut to `width` characters when that is given."""
    line = " ".join(sanitize(text).split())
    return line if not width or len(line) <= width else line[: max(1, width - 1)] + "…"
