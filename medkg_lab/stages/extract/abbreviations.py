"""Abbreviations that a document introduces: `chronic kidney disease (CKD)`.

The algorithm of Schwartz and Hearst, "A simple algorithm for identifying abbreviation definitions in biomedical text", Pacific
Symposium on Biocomputing 2003.
"""

import re
from collections.abc import Iterable, Iterator

from medkg_lab.stages.extract.folding import normalise

_IN_BRACKETS = re.compile(r"\(([^()]{2,40}?)(?:[;,][^()]*)?\)")
_SHORT = re.compile(r"^[A-Za-z0-9][\w./+-]{1,9}$")
_EXPLANATION = re.compile(r"\(([a-z][^();]{5,80})\)")
_EXPLAINED = re.compile(r"\b([A-Z][\w-]{1,9}) $")
_LONGEST_SHORT = 12
_LONGEST_BEFORE = 200
_STEM = 4


def find_abbreviations(texts: Iterable[str]) -> dict[str, str]:
    """Long forms by short form, in order of appearance. A short form that is defined as two things is found with an empty one.

    Where the algorithm finds none, the initials of the words before decide. `CKD (chronic kidney disease)` is a definition too.
    """
    found: dict[str, str] = {}
    for text in texts:
        for short, long in _definitions(text):
            if _are_two(found.setdefault(short, long), long):
                found[short] = ""
    return found


def _definitions(text: str) -> Iterator[tuple[str, str]]:
    for match in _IN_BRACKETS.finditer(text):
        short = match[1].strip()
        if _looks_short(short):
            before = text[max(0, match.start() - _LONGEST_BEFORE) : match.start()].rstrip()
            if long := long_form(short, before) or initials(short, before):
                yield short, long
    for match in _EXPLANATION.finditer(text):
        short = _EXPLAINED.search(text, max(0, match.start() - _LONGEST_SHORT), match.start())
        if short and _looks_short(short[1]) and long_form(short[1], match[1]) == match[1]:
            yield short[1], match[1]


def _are_two(first: str, second: str) -> bool:
    """Whether two long forms have no word in common, but for endings: then they are two things."""
    one, other = (({word[:_STEM] for word in normalise(text).split() if len(word) > 2}) for text in (first, second))
    return bool(one) and not one & other


def _looks_short(text: str) -> bool:
    """Two capitals, or one and a digit: a word with a capital in brackets is not an abbreviation."""
    return (
        bool(_SHORT.match(text)) and sum(char.isupper() or char.isdigit() for char in text) > 1 and not text.isdigit()
    )


def long_form(short: str, before: str) -> str | None:
    """The words at the end of `before` that `short` abbreviates, or None.

    Going backwards, every letter of the short form must be found, and the first one at the start of a word. The long form has
    at most min(|short| + 5, 2 |short|) words and is longer than the short form.
    """
    words = before.split()
    candidate = " ".join(words[-min(len(short) + 5, len(short) * 2) :])
    lower = candidate.lower()
    place = len(lower)
    for index in range(len(short) - 1, -1, -1):
        letter = short[index].lower()
        if not letter.isalnum():
            continue
        place -= 1
        while place >= 0 and (lower[place] != letter or (index == 0 and place > 0 and lower[place - 1].isalnum())):
            place -= 1
        if place < 0:
            return None
    found = candidate[place:]
    return found if len(found) > len(short) and not any(char in found for char in ".;:()") else None


def initials(short: str, before: str) -> str | None:
    """The last words of `before` when their first letters are those of `short` in another order: `myotonic dystrophy (DM)`."""
    words = before.split()[-len(short) :]
    letters = sorted(word[0].lower() for word in words)
    if len(words) < 2 or letters != sorted(short.lower()) or not all(word.isalpha() for word in words):
        return None
    return " ".join(words)
