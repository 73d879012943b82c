"""What a query's plain words rank by: single words, and words that belong together because letters meet digits or a hyphen."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from medkg_lab.knowledge.analysis import GREEK_NAMES, Word, spelled_out, words

_FUNCTION_WORDS = "a an and are as at be by did do does for from has have how i in is it "
_FUNCTION_WORDS += "its not of on or than that the this to was were what which with"
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
"""Words without meaning of their own: ranking or marking by them would hide the words that matter."""
_GLUE = re.compile(r"[-‐‑‒–−._^*:+]{1,2}")
"""What stands between the parts of one word, no space among them."""
_ABBREVIATION = 5
_SHORT_WORD = 3
"""Letters of a word that belongs to the number before it (`5 FU`), and of one that means something without its compound."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A row of atoms that is searched as one; `spelled_out` is the same word with its umlauts as two letters, if it has any."""

    atoms: tuple[str, ...]
    spelled_out: tuple[str, ...] = ()


def units(text: str, most: int, stop_words: bool = True) -> list[Unit]:
    """The units of the first `most` words of `text`; with `stop_words` those without meaning are skipped, unless all are.

    A compound stands beside those of its parts that mean something by themselves.
    """
    found = list(words(text))[:most]
    rows = list(_rows(text, found))
    telling = [row for row in rows if len(row) > 1 or not is_function_word(row[0].atoms)]
    return [unit for row in (telling if stop_words and telling else rows) for unit in _units(text, row)]


def is_function_word(atoms: Sequence[str]) -> bool:
    """Whether a word is one of those without meaning."""
    return len(atoms) == 1 and atoms[0] in FUNCTION_WORDS


def _rows(text: str, found: Sequence[Word]) -> Iterator[list[Word]]:
    row: list[Word] = []
    for word in found:
        if row and not _belongs(text[row[-1].end : word.start], row, word):
            yield row
            row = []
        row.append(word)
    if row:
        yield row


def _belongs(gap: str, row: Sequence[Word], word: Word) -> bool:
    if not gap or _GLUE.fullmatch(gap):
        return True
    if gap != " " or is_function_word(word.atoms):
        return False
    last, first, before = row[-1].atoms[-1], word.atoms[0], row[-1].atoms
    if is_function_word(before):
        return False
    if first in GREEK_NAMES:
        return last.isdecimal() or (len(last) <= _ABBREVIATION and last not in GREEK_NAMES)
    if last in GREEK_NAMES:
        return True
    if last.isdecimal():
        return not first.isdecimal() and len(row) == len(before) == 1 and len(first) <= _SHORT_WORD
    return first.isdecimal()


def _units(text: str, row: Sequence[Word]) -> Iterator[Unit]:
    atoms = tuple(atom for word in row for atom in word.atoms)
    others = tuple(atom for word in row for atom in spelled_out(text[word.start : word.end]) or word.atoms)
    yield Unit(atoms, others if others != atoms else ())
    if len(atoms) > 1:
        yield from (Unit((atom,)) for atom in dict.fromkeys(atoms) if _means_something(atom))


def _means_something(atom: str) -> bool:
    return len(atom) >= _SHORT_WORD and not atom.isdecimal() and atom not in GREEK_NAMES and atom not in FUNCTION_WORDS
