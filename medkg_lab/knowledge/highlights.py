"""What of a passage is shown, and where the query's words stand in it."""

from collections.abc import Sequence
from dataclasses import dataclass

from medkg_lab.knowledge.analysis import terms, words
from medkg_lab.knowledge.passages import Passage
from medkg_lab.knowledge.query import Kind
from medkg_lab.knowledge.question import MAX_WORDS, RetrieverQuery
from medkg_lab.knowledge.snippet import Row, Snippet, matches, snippet
from medkg_lab.knowledge.units import is_function_word
from medkg_lab.knowledge.word_index import FIELDS


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is marked: rows of index terms, each with the words that a person wrote for it, and beginnings of words."""

    rows: dict[Row, str]
    beginnings: tuple[str, ...]


def wanted(asked: RetrieverQuery) -> Wanted:
    """What the words and terms of a query mark in a text."""
    rows = {
        terms(atoms): " ".join(unit.atoms) for unit in asked.units for atoms in (unit.atoms, unit.spelled_out) if atoms
    }
    beginnings: list[str] = []
    for term in asked.terms:
        found = tuple(atom for word in words(term.text) for atom in word.atoms)
        if term.kind is Kind.PREFIX:
            beginnings += found[-1:]
        elif found:
            rows.setdefault(terms(found), " ".join(found))
    rows.pop((), None)
    return Wanted(rows, tuple(beginnings))


def shown(passage: Passage, looked_for: Wanted) -> Snippet:
    """The part of a passage that shows why it was found; words without meaning of their own are not marked."""
    telling = [row for row in looked_for.rows if not is_function_word(row)]
    return snippet(passage.text, telling, looked_for.beginnings)


def matched(passage: Passage, looked_for: Wanted) -> dict[str, list[str]]:
    """In which fields of a passage each word of the query stands, whatever its form; words that stand in none are skipped."""
    texts = {"title": passage.title, "section": " ".join(passage.section), "body": passage.text}
    found = {
        name: {row for _, row in matches(text, looked_for.rows, looked_for.beginnings)} for name, text in texts.items()
    }
    named = looked_for.rows | {(beginning,): f"{beginning}*" for beginning in looked_for.beginnings}
    fields = {word: [name for name in FIELDS if row in found[name]] for row, word in named.items()}
    return {word: names for word, names in fields.items() if names}


def skipped(query: str) -> Sequence[str]:
    """The words of a query without meaning of their own."""
    found = list(words(query))[:MAX_WORDS]
    return list(dict.fromkeys(word.atoms[0] for word in found if is_function_word(word.atoms)))
