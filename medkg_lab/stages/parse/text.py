"""Text as it goes into blocks."""

import re
import unicodedata

from medkg_lab.models.documents import Table

_MARKDOWN_ESCAPE = re.compile(r"\\([\\`*_{}\[\]()#+\-.!<>&^~|\"'=:$%@/])")
_UNSEEN = re.compile("[\u0000-\u0008\u000e-\u001f\u007f\u00ad\u200b\u2060\ufeff\ufffe\uffff]")


def words(text: str) -> frozenset[str]:
    """The set of the words of `text`: a long table of names stays readable that way."""
    return frozenset(text.split())


def squeeze(text: str) -> str:
    """Make every run of white space one space, drop characters without a shape, such as soft hyphens, and compose accents."""
    text = " ".join(_UNSEEN.sub("", text).split())
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def unescape_markdown(text: str) -> str:
    """Undo backslash escapes of punctuation: the registry stores free text as escaped markdown (`p \\< 0.05`)."""
    return _MARKDOWN_ESCAPE.sub(r"\1", text)


def table_text(table: Table) -> str:
    """A table block's text: cells joined by ` | `, rows by newlines."""
    return "\n".join(" | ".join(row) for row in table.rows)
