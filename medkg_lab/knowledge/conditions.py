"""Carrying out the conditions of a query: which documents meet them, and which of their passages may be shown."""

from collections.abc import Callable, Sequence

import numpy as np

from medkg_lab.knowledge.catalogue import Catalogue
from medkg_lab.knowledge.database import Database
from medkg_lab.knowledge.facts import Fact
from medkg_lab.knowledge.passages import Keys
from medkg_lab.knowledge.query import And, Condition, Not, Or, Term
from medkg_lab.knowledge.word_index import WordIndex

_RELATED = """
SELECT DISTINCT v.first_key FROM edge e JOIN generation g ON g.id = e.generation JOIN vector v ON v.generation = e.generation
WHERE g.state = 'published' AND g.tenant = ? AND lower(e.relation) = ?
"""


class Conditions:
    """Conditions on one tenant's documents.

    A document meets a condition on text if any of its passages does, so `NOT gout` leaves no document that speaks of gout.
    Headings belong to passages: `section:` at the top of a query chooses among these.
    """

    def __init__(self, database: Database, texts: WordIndex, catalogue: Catalogue, tenant: str) -> None:
        self._database = database
        self._texts = texts
        self._catalogue = catalogue
        self._tenant = tenant

    def allowed(self, conditions: Sequence[Condition]) -> Keys | None:
        """The sorted keys of the passages that may be shown when all of `conditions` hold; None when there are none.

        Where text is looked for, these are the passages that it stands in; else all of the documents.
        """
        if not conditions:
            return None
        parts = [one for part in conditions for one in (part.parts if isinstance(part, And) else (part,))]
        of_passages = [part for part in parts if _is_of_passages(part)]
        of_documents = [part for part in parts if part not in of_passages]
        documents = self._catalogue.all_of(self._tenant)
        everywhere = documents
        for part in of_documents:
            documents = np.intersect1d(documents, _evaluate(part, self._documents, everywhere), assume_unique=True)
        keys = self._catalogue.passages_of(documents)
        if terms := [term for part in of_documents for term in terms_of(part)]:
            found = [self._texts.matching(term, self._tenant) for term in terms]
            keys = np.intersect1d(keys, np.concatenate(found))
        for part in of_passages:
            keys = np.intersect1d(keys, _evaluate(part, self._passages, keys), assume_unique=True)
        return keys

    def _documents(self, leaf: Term | Fact) -> Keys:
        if isinstance(leaf, Term):
            return self._catalogue.documents_of(self._texts.matching(leaf, self._tenant))
        if leaf.field == "relation":
            rows = self._database.rows(_RELATED, [self._tenant, leaf.value])
            return np.array(sorted(row[0] for row in rows), dtype=np.int64)
        return self._catalogue.where(self._tenant, leaf)

    def _passages(self, leaf: Term | Fact) -> Keys:
        assert isinstance(leaf, Term), "only headings are conditions on passages"
        return self._texts.matching(leaf, self._tenant)


def terms_of(condition: Condition) -> list[Term]:
    """The terms that a condition looks for, those behind a NOT aside."""
    match condition:
        case And(parts) | Or(parts):
            return [term for part in parts for term in terms_of(part)]
        case Term():
            return [condition]
        case _:
            return []


def _is_of_passages(condition: Condition) -> bool:
    """Whether a condition is about headings alone."""
    match condition:
        case And(parts) | Or(parts):
            return all(_is_of_passages(part) for part in parts)
        case Not(part):
            return _is_of_passages(part)
        case Term(field=field):
            return field == "section"
        case _:
            return False


def _evaluate(condition: Condition, leaf: Callable[[Term | Fact], Keys], everywhere: Keys) -> Keys:
    """The sorted keys for which a condition holds; NOT is what is left of `everywhere`."""
    match condition:
        case Not(part):
            return np.setdiff1d(everywhere, _evaluate(part, leaf, everywhere), assume_unique=True)
        case And(parts):
            found = everywhere
            for part in parts:
                found = np.intersect1d(found, _evaluate(part, leaf, everywhere), assume_unique=True)
            return found
        case Or(parts):
            return np.unique(np.concatenate([_evaluate(part, leaf, everywhere) for part in parts]))
        case _:
            return leaf(condition)
