"""What a document is called: by its registry's id where it has one, else by its file's name and its content.

Two files of one name are two documents, so the name alone is not an id: `file:report.pdf~9f86d081884c` has the beginning of the
content's sha256 behind it. The name without it is understood wherever a person names a document, as long as only one has it.
"""

import hashlib
import re
import unicodedata

FILE_SOURCE = "file"
"""The source of documents that no registry names."""
DIGITS = 12
"""Hexadecimal digits of the content's hash in an id: a file of the same name and digits takes 2^48 tries, and is noticed then."""
_MARK = "~"
_MARKED = re.compile(rf"{_MARK}[0-9a-f]{{{DIGITS},64}}\Z")


def file_id(key: str, content: str, digits: int = DIGITS) -> str:
    """The id of the document `key` whose content is, by its sha256, `content`."""
    return f"{FILE_SOURCE}:{unicodedata.normalize('NFC', key)}{_MARK}{content[:digits]}"


def place_id(key: str, uri: str) -> str:
    """The id of the document `key` that is read at an address later: what stands there then is this document's newest version."""
    return file_id(key, hashlib.sha256(uri.encode()).hexdigest())


def plain(doc_id: str) -> str:
    """A document's id without the hash of its content, as a person would write it."""
    return _MARKED.sub("", doc_id) if doc_id.startswith(f"{FILE_SOURCE}:") else doc_id
