"""Comparing terms: case and hyphens do not matter, positions stay what they were."""

import hashlib
from functools import lru_cache

_ASCII_TO_SPACE = str.maketrans(dict.fromkeys("-/_\n\t", " "))
_FOLDED = _ASCII_TO_SPACE | str.maketrans(dict.fromkeys("‐‑‒–—\u00a0", " ") | dict.fromkeys("’‘ʼ", "'"))
_LONGEST_SYMBOL = 6
_LONGEST_ID = 120


def fold(text: str) -> str:
    """`text` in lower case with hyphens as spaces, of the same length: offsets in it are offsets in `text`."""
    lower = same_length_lower(text)
    # Python translates within ASCII many times faster than beyond it.
    return lower.translate(_ASCII_TO_SPACE if lower.isascii() else _FOLDED)


def same_length_lower(text: str) -> str:
    """`text` in lower case; a letter whose lower case is two, which Turkish has, stays as it is."""
    lower = text.lower()
    if len(lower) != len(text):
        lower = "".join(char.lower() if len(char.lower()) == 1 else char for char in text)
    return lower


def normalise(text: str) -> str:
    """`text` folded and squeezed: equal for two spellings of the same term."""
    return " ".join(fold(text).split())


@lru_cache(maxsize=8192)
def is_symbol(term: str) -> bool:
    """Whether `term` is an abbreviation that only counts in its own capitals: `MS`, `HbA1c`, `COPD`."""
    capitals = sum(char.isupper() for char in term)
    return " " not in term and len(term) <= _LONGEST_SYMBOL and capitals >= 2


def term_id(text: str) -> str:
    """The id of the node of a term without a code: the normalised text, a long one cut and told apart by a hash."""
    folded = normalise(text)
    if len(folded) > _LONGEST_ID:
        digest = hashlib.sha256(folded.encode()).hexdigest()[:12]
        folded = f"{folded[:_LONGEST_ID].rstrip()} {digest}"
    return f"term:{folded}"
