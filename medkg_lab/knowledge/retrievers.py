"""Retrievers of other packages, under the entry-point group `medkg_lab.retrievers`: their contract, and what keeps them current.

One takes part in searches when `search.retrievers` of the settings names it. It keeps its index in memory: what is published is
given to it again at each start. What it finds is believed only where it is of the tenant and meets the conditions.
"""

import logging
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from medkg_lab import plugins
from medkg_lab.errors import LabError
from medkg_lab.knowledge import passages
from medkg_lab.knowledge.database import Database
from medkg_lab.knowledge.fusion import Ranking, in_order
from medkg_lab.knowledge.passages import Keys, Passage
from medkg_lab.logs import fields

_LOG = logging.getLogger(__name__)
GROUP = "medkg_lab.retrievers"
_SLICE = 2000
"""Passages that are given at once."""


class UnknownRetriever(LabError):
    """There is no retriever called {name!r}; packages bring {known}. Correct `search.retrievers` in settings.yaml, or install the
    package."""


@dataclass(frozen=True, slots=True)
class IndexedPassage:
    """A passage as a retriever gets it; `key` is its number."""

    key: int
    doc_id: str
    tenant: str
    source: str
    title: str
    section: tuple[str, ...]
    text: str


class Retriever(Protocol):
    """One way to find passages: a class without arguments. `add` and `remove` never run beside each other or beside `search`,
    which may run in several threads."""

    def add(self, passages: Sequence[IndexedPassage]) -> None:
        """Take passages in."""
        ...

    def remove(self, keys: Sequence[int]) -> None:
        """Forget passages that a newer version of their document replaced."""
        ...

    def search(self, query: str, limit: int, is_allowed: Callable[[int], bool]) -> Sequence[tuple[int, float]]:
        """The keys of up to `limit` passages that may be shown and how well each answers the query, from 0 to 1."""
        ...


class PackagedRetriever:
    """A retriever of a package with what keeps it current; a fault of its turns it off until the next start, never the search."""

    def __init__(self, name: str, made: Retriever) -> None:
        self.name = name
        self.failure: str | None = None
        self._made = made
        self._documents: dict[int, tuple[Passage, ...]] = {}
        self._known: dict[int, Passage] = {}

    @classmethod
    def load(cls, name: str) -> "PackagedRetriever":
        """The retriever of this name, empty. Raises UnknownRetriever; one that cannot be made is off."""
        if name not in plugins.names(GROUP):
            raise UnknownRetriever(name=name, known=", ".join(plugins.names(GROUP)) or "none")
        try:
            return cls(name, cast(Callable[[], Retriever], plugins.load(GROUP, name))())
        except Exception as error:  # noqa: BLE001 - whatever a third party's class raises must not take searching down
            broken = cls(name, cast(Retriever, None))
            broken._fail(error)
            return broken

    def _fail(self, error: Exception) -> str:
        self.failure = f"{type(error).__name__}: {error}"
        _LOG.exception("retriever %s is off", self.name, exc_info=error, extra=fields(event="retriever.failed"))
        return self.failure

    def swap(self, added: Iterable[Passage], replaced: Iterable[int]) -> None:
        """Take in whole documents' passages, and forget the documents with the first keys in `replaced`.

        What is known already is left alone: a document that is published anew may carry its passages over.
        """
        gone = [one.key for first in replaced for one in self._documents.pop(first, ())]
        for key in gone:
            del self._known[key]
        new = [one for one in added if one.key not in self._known]
        self._known |= {one.key: one for one in new}
        for document in _by_document(new):
            self._documents[document[0].key] = document
        if self.failure is not None:
            return
        try:
            if gone:
                self._made.remove(gone)
            for start in range(0, len(new), _SLICE):
                self._made.add([_indexed(one) for one in new[start : start + _SLICE]])
        except Exception as error:  # noqa: BLE001 - as in `load`
            self._fail(error)

    def search(
        self, query: str, limit: int, tenant: str, sources: Sequence[str] | None, only: Keys | None = None
    ) -> Ranking | str:
        """The keys that it finds among those that may be shown, best first, ties by key; or why it found none."""
        if self.failure is not None:
            return self.failure
        wanted = None if only is None else frozenset(only.tolist())

        def is_allowed(key: int) -> bool:
            one = self._known.get(key)
            fits = one is not None and one.tenant == tenant and (sources is None or one.source in sources)
            return fits and (wanted is None or key in wanted)

        try:
            found = {int(key): float(score) for key, score in self._made.search(query, limit, is_allowed)}
            if not all(math.isfinite(score) and 0 <= score <= 1 for score in found.values()):
                return "it gave a score that is not from 0 to 1"
        except Exception as error:  # noqa: BLE001 - this question goes on without it, and the next one asks it again
            _LOG.exception("retriever %s failed", self.name, extra=fields(event="retriever.failed"))
            return f"{type(error).__name__}: {error}"
        return in_order((key, score) for key, score in found.items() if is_allowed(key))[:limit]


def follow(names: Iterable[str], database: Database) -> tuple[PackagedRetriever, ...]:
    """The retrievers of these names, with everything that is published. Raises UnknownRetriever."""
    found = tuple(map(PackagedRetriever.load, names))
    if found:
        published = list(passages.texts(database, [number for number, _, _ in passages.changed_since(database, 0)]))
        for one in found:
            one.swap(published, ())
    return found


def _by_document(found: Sequence[Passage]) -> Iterable[tuple[Passage, ...]]:
    documents: dict[tuple[str, str], list[Passage]] = {}
    for one in found:
        documents.setdefault((one.tenant, one.doc_id), []).append(one)
    return (tuple(sorted(each, key=lambda one: one.key)) for each in documents.values())


def _indexed(one: Passage) -> IndexedPassage:
    return IndexedPassage(one.key, one.doc_id, one.tenant, one.source, one.title, one.section, one.text)
