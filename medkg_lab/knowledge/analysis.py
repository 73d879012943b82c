"""How text becomes the terms of the word index: one reading for what is indexed and what is asked.

A word is normalised (NFKC, case, accents), Greek letters become their names, and where letters meet digits it is cut, so that
`IL6`, `IL-6` and `IL 6` are the same two atoms in a row, and so are `TNFα`, `TNF-alpha` and `TNFalpha`. A row of atoms is
searched as a phrase; no form of a word has a term of its own.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from tantivy import Filter, TextAnalyzerBuilder, Tokenizer

VERSION = 1
"""Grows with every change of what a text's terms are: an index of another version is built again."""

_GREEK = {
    "α": "alpha",
    "β": "beta",
    "γ": "gamma",
    "δ": "delta",
    "ε": "epsilon",
    "ζ": "zeta",
    "η": "eta",
    "θ": "theta",
    "ι": "iota",
    "κ": "kappa",
    "λ": "lambda",
    "μ": "mu",
    "ν": "nu",
    "ξ": "xi",
    "ο": "omicron",
    "π": "pi",
    "ρ": "rho",
    "σ": "sigma",
    "ς": "sigma",
    "τ": "tau",
    "υ": "upsilon",
    "φ": "phi",
    "χ": "chi",
    "ψ": "psi",
    "ω": "omega",
}
GREEK_NAMES = frozenset(_GREEK.values())
_GREEK_SYMBOLS = 2
"""Greek letters in a row that are symbols; more of them are a word of the language."""
_LATIN = {"ø": "o", "œ": "oe", "æ": "ae", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ħ": "h", "ı": "i", "ß": "ss"}
_WRITTEN_OUT = {"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"}
"""Letters that are also written as two, as in Uebelkeit."""
_SUPERSCRIPTS = re.compile("([⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]+)")

_MARKS = "\u0300-\u036f\u00ad\u200b-\u200d\u2060\ufeff"
_WORD = re.compile(rf"(?:[^\W_]|[∆℃℉])(?:[^\W_]|[∆℃℉{_MARKS}])*(?:['’][sS]\b)?")
_IGNORED = re.compile("[\u00ad\u200b-\u200d\u2060\ufeff]")
_POSSESSIVE = re.compile("['’][sS]$")
_RUNS = re.compile(r"\d+|[^\W\d_]+")
_PLAIN = re.compile(r"[a-z]+|[0-9]+")
_PLAIN_POSSESSIVE = re.compile(r"(?<=[a-z0-9])'s\b")
# Such as TNFalpha, IFNgamma, NFkappaB: an abbreviation, a letter's name, at most one more letter.
_NAMED = re.compile(r"([a-z]{1,5})(alpha|beta|gamma|delta|epsilon|zeta|theta|kappa|lambda|sigma|omega)([a-z]?)")
# deltaF508, in the run of letters before its digits
_NAMED_FIRST = re.compile(r"(alpha|beta|gamma|delta|epsilon|kappa|lambda|sigma|omega)([a-rt-z])")
_LIGATURE = re.compile(r"ae|oe(?!s?$)")
_SHORTEST_WITH_LIGATURE = 5

_STEMMER = TextAnalyzerBuilder(Tokenizer.simple()).filter(Filter.lowercase()).filter(Filter.stemmer("english")).build()


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text: the half-open range of its characters, and the atoms that it is made of."""

    start: int
    end: int
    atoms: tuple[str, ...]


def words(text: str) -> Iterator[Word]:
    """The words of `text`, in order."""
    for match in _WORD.finditer(text):
        if atoms := fold(match.group()):
            yield Word(match.start(), match.end(), atoms)


def atoms(text: str) -> list[str]:
    """All atoms of `text`, in order."""
    if text.isascii():
        plain = _PLAIN_POSSESSIVE.sub("", text.lower())
        return [atom for run in _PLAIN.findall(plain) for atom in _letters(run)]
    return [atom for word in words(text) for atom in word.atoms]


def indexed(text: str) -> str:
    """What is indexed for `text`: its atoms, and after them the other spellings of words with umlauts."""
    found = atoms(text)
    if not text.isascii():
        found += [atom for match in _WORD.finditer(text) for atom in spelled_out(match.group())]
    return " ".join(found)


@lru_cache(maxsize=100_000)
def fold(word: str) -> tuple[str, ...]:
    """The atoms of one word."""
    text = _IGNORED.sub("", _POSSESSIVE.sub("", word))
    # Before NFKC, which makes 106 of 10⁶.
    text = unicodedata.normalize("NFKC", _SUPERSCRIPTS.sub(r"^\1", text)).replace("∆", "δ")
    text = _sharp_s_as_beta(text).casefold()
    greek = _greek_named(text)
    plain = unicodedata.normalize("NFD", "".join(_LATIN.get(letter, letter) for letter in greek))
    kept = "".join(letter for letter in plain if unicodedata.category(letter) != "Mn")
    runs = _RUNS.findall(unicodedata.normalize("NFC", kept))
    return tuple(atom for run in runs for atom in _letters(run))


@lru_cache(maxsize=100_000)
def spelled_out(word: str) -> tuple[str, ...]:
    """The atoms of a word whose umlauts are written as two letters; empty for a word without any."""
    text = unicodedata.normalize("NFC", word).casefold()
    other = "".join(_WRITTEN_OUT.get(letter, letter) for letter in text)
    return fold(other) if other != text else ()


def _sharp_s_as_beta(text: str) -> str:
    """`ß` where it stands for β: alone, before a digit, or after a capital."""
    return re.sub(r"^ß(?=$|\d)|(?<=[A-Z])ß(?=$|\d)", "β", text)


def _greek_named(text: str) -> str:
    """Greek letters as names, each a run of its own, where they are symbols."""

    def named(match: re.Match[str]) -> str:
        letters = match.group()
        if len(letters) > _GREEK_SYMBOLS:
            return letters
        return "".join(f" {_GREEK.get(letter, letter)} " for letter in letters)

    return re.sub("[α-ω]+", named, text)


@lru_cache(maxsize=100_000)
def _letters(run: str) -> tuple[str, ...]:
    """The atoms of a run of letters, or of digits."""
    if (named := _NAMED.fullmatch(run)) and run not in GREEK_NAMES:
        return tuple(filter(None, named.groups()))
    if named := _NAMED_FIRST.fullmatch(run):
        return named.groups()
    # British and American: haemoglobin, oedema.
    return (_LIGATURE.sub("e", run) if len(run) >= _SHORTEST_WITH_LIGATURE else run,)


@lru_cache(maxsize=100_000)
def stems(atom: str) -> tuple[str, ...]:
    """The terms that the index holds for an atom: one, but for scripts that tantivy cuts further."""
    return tuple(_STEMMER.analyze(atom))


def placed_terms(text: str) -> list[tuple[int, int, str]]:
    """The index terms of `text` in order, each with the place of its word."""
    return [
        (match.start(), match.end(), term) for match in _WORD.finditer(text) for term in _terms_of_word(match.group())
    ]


@lru_cache(maxsize=100_000)
def _terms_of_word(word: str) -> tuple[str, ...]:
    return terms(fold(word))


def terms(found: Sequence[str]) -> tuple[str, ...]:
    """The terms of a row of atoms."""
    return tuple(term for atom in found for term in stems(atom))
