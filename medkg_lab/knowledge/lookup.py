"""Documents that a query names rather than describes: by identifier, by an author's name, by their journal."""

from collections.abc import Collection
from dataclasses import dataclass

from medkg_lab.knowledge.analysis import atoms
from medkg_lab.knowledge.catalogue import Catalogue
from medkg_lab.knowledge.facts import identifier
from medkg_lab.knowledge.query import Term
from medkg_lab.knowledge.question import Reading
from medkg_lab.knowledge.word_index import WordIndex

_LONGEST_NAME = 8
"""Words of a query that may be a name."""
_SHORTEST_SURNAME = 3
_COMMON = 3
"""A single word is a name only where it stands in at most so many passages for each document that has the name."""


@dataclass(frozen=True, slots=True)
class Match:
    """A document that was asked for itself, by its `first_key`, and what named it: identifier, author or journal."""

    first_key: int
    by: str


def find_named(reading: Reading, catalogue: Catalogue, texts: WordIndex, tenant: str) -> list[Match]:
    """The documents that the whole query names, or that identifiers in it name; newest first, but in the order of identifiers."""
    if reading.query.terms or not reading.plain:
        return []
    found = catalogue.identified(tenant, reading.plain)
    for word in reading.plain.split():
        # A number within a query is one, not a PubMed id.
        if not word.isdecimal() and identifier(word) is not None:
            found |= catalogue.identified(tenant, word)
    if found:
        return [Match(key, "identifier") for key in catalogue.newest(found)]
    name = tuple(atoms(reading.plain))
    if not name or len(name) > _LONGEST_NAME:
        return []
    for by, documents in (
        ("author", _by_author(catalogue, tenant, name)),
        ("journal", catalogue.by_journal(tenant, name)),
    ):
        if documents and (len(name) > 1 or _is_rare(texts, tenant, reading.plain, documents)):
            return [Match(key, by) for key in catalogue.newest(documents)]
    return []


def _by_author(catalogue: Catalogue, tenant: str, name: tuple[str, ...]) -> set[int]:
    return catalogue.by_author(tenant, name) if max(map(len, name)) >= _SHORTEST_SURNAME else set()


def _is_rare(texts: WordIndex, tenant: str, word: str, documents: Collection[int]) -> bool:
    """Whether a word is rather a name than a word of the texts: Burns and Pain write, too."""
    return len(texts.matching(Term(word), tenant)) <= _COMMON * len(documents)
