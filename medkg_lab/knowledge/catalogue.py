"""The catalogue of published documents, in memory: their facts, their passages, and which names which."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import orjson

from medkg_lab.knowledge.database import Database
from medkg_lab.knowledge.facts import Atoms, Fact, Facts, lookup_keys, meets, names, read_facts
from medkg_lab.knowledge.passages import NO_KEYS, Keys, Owner

_DOCUMENTS = """
SELECT v.first_key, v.chunks, g.doc_id, g.tenant, d.source, d.title, g.job_id, d.metadata
FROM vector v JOIN generation g ON g.id = v.generation JOIN document d ON d.generation = v.generation
WHERE g.state = 'published' AND (?::BIGINT[] IS NULL OR list_contains(?::BIGINT[], g.id)) ORDER BY v.first_key
"""
_EXCLUDING = r"""
SELECT c.key FROM chunk c JOIN generation g ON g.id = c.generation
WHERE g.state = 'published' AND (?::BIGINT[] IS NULL OR list_contains(?::BIGINT[], g.id))
AND (regexp_matches(list_aggregate(c.section, 'string_agg', ' '), '(?i)\bexclu|\bineligib')
    OR regexp_matches(c.text, '(?i)^\W*(key |main |general )?exclusion criteria'))
"""
_OWN_TITLE = 4
"""Words of a title that say enough for an equal title to be the same work."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One document: its passages have `chunks` keys from `first_key` on."""

    first_key: int
    chunks: int
    owner: Owner
    facts: Facts

    @property
    def tenant(self) -> str:
        """Whose it is."""
        return self.owner.tenant


@dataclass(frozen=True, slots=True)
class Additions:
    """What newly published documents bring: their entries, and the keys of passages that say who or what is excluded."""

    entries: Sequence[Entry]
    excluding: Sequence[int]


@dataclass
class _Postings:
    """Where something is named: first keys by tenant and text."""

    places: defaultdict[tuple[str, str], set[int]] = field(default_factory=lambda: defaultdict(set))

    def change(self, entry: Entry, texts: Iterable[str], is_added: bool) -> None:
        for text in texts:
            place = (entry.tenant, text)
            if is_added:
                self.places[place].add(entry.first_key)
            else:
                self.places[place].discard(entry.first_key)
                if not self.places[place]:
                    del self.places[place]

    def of(self, tenant: str, text: str) -> set[int]:
        return self.places.get((tenant, text), set())


class Catalogue:
    """The published documents by first key; `swap` must not run beside a reading."""

    def __init__(self) -> None:
        self.entries: dict[int, Entry] = {}
        self._starts: Keys = NO_KEYS
        self._same_work: dict[int, list[Entry]] = {}
        self._excluding: set[int] = set()
        self._identifiers, self._named, self._authors, self._journals, self._works = (_Postings() for _ in range(5))

    @classmethod
    def follow(cls, database: Database) -> "Catalogue":
        """All that is published."""
        catalogue = cls()
        catalogue.swap(cls.fetch(database), ())
        return catalogue

    @staticmethod
    def fetch(database: Database, generations: Sequence[int] | None = None) -> Additions:
        """Read the documents of `generations`, or all."""
        chosen = None if generations is None else list(generations)
        entries = [
            Entry(first_key, chunks, Owner(*owner), read_facts(owner[0], owner[2], owner[3], orjson.loads(metadata)))
            for first_key, chunks, *owner, metadata in database.rows(_DOCUMENTS, [chosen, chosen])
        ]
        return Additions(entries, [int(row[0]) for row in database.rows(_EXCLUDING, [chosen, chosen])])

    def swap(self, added: Additions, replaced: Iterable[int]) -> None:
        """Take in documents, and drop those with the first keys in `replaced`."""
        # Passages that a job carries over from an older one keep their keys, and have another owner.
        for first_key in (*replaced, *(entry.first_key for entry in added.entries)):
            if (entry := self.entries.pop(first_key, None)) is not None:
                self._change(entry, is_added=False)
                self._excluding.difference_update(range(first_key, first_key + entry.chunks))
        for entry in added.entries:
            self.entries[entry.first_key] = entry
            self._change(entry, is_added=True)
        self._excluding.update(added.excluding)
        self._starts = np.array(sorted(self.entries), dtype=np.int64)
        self._same_work.clear()

    def _change(self, entry: Entry, is_added: bool) -> None:
        facts = entry.facts
        self._identifiers.change(entry, facts.identifiers, is_added)
        self._named.change(entry, facts.same_as | facts.retracts | facts.retracted_by, is_added)
        self._authors.change(entry, {atom for author in facts.authors for atom in author}, is_added)
        self._journals.change(entry, [" ".join(facts.journal)] if facts.journal else [], is_added)
        if len(facts.title) >= _OWN_TITLE:
            self._works.change(entry, [" ".join(facts.title)], is_added)

    def owners(self, keys: Sequence[int]) -> dict[int, Entry]:
        """The document of each key; keys that are not published are skipped."""
        if not len(self._starts):
            return {}
        places = np.searchsorted(self._starts, np.asarray(keys, dtype=np.int64), side="right") - 1
        entries = [self.entries[start] for start in self._starts[np.maximum(places, 0)].tolist()]
        return {key: e for key, e in zip(keys, entries, strict=True) if e.first_key <= key < e.first_key + e.chunks}

    def documents_of(self, keys: Keys) -> Keys:
        """The first keys of the documents that passages belong to, sorted."""
        if not len(keys) or not len(self._starts):
            return NO_KEYS
        return np.unique(self._starts[np.searchsorted(self._starts, keys, side="right") - 1])

    def passages_of(self, first_keys: Keys) -> Keys:
        """The keys of all passages of documents, sorted."""
        ranges = [np.arange(key, key + self.entries[int(key)].chunks, dtype=np.int64) for key in first_keys]
        return np.concatenate(ranges) if ranges else NO_KEYS

    def excludes(self, key: int) -> bool:
        """Whether a passage says who or what is excluded."""
        return key in self._excluding

    @property
    def has_excluding(self) -> bool:
        """Whether any passage says who or what is excluded."""
        return bool(self._excluding)

    def newest(self, first_keys: Iterable[int]) -> list[int]:
        """Documents by year, the newest first, then by id."""
        entries = [self.entries[int(key)] for key in first_keys]
        return [one.first_key for one in sorted(entries, key=lambda one: (-(one.facts.year or 0), one.facts.doc_id))]

    def all_of(self, tenant: str) -> Keys:
        """The first keys of a tenant's documents, sorted."""
        return _sorted(key for key, entry in self.entries.items() if entry.tenant == tenant)

    def where(self, tenant: str, fact: Fact) -> Keys:
        """The first keys of the tenant's documents that meet a condition, sorted."""
        if fact.field == "id" and not fact.is_prefix:
            return _sorted(self.identified(tenant, fact.value))
        return _sorted(
            key for key, entry in self.entries.items() if entry.tenant == tenant and meets(entry.facts, fact)
        )

    def identified(self, tenant: str, text: str) -> set[int]:
        """The first keys of the documents that `text` identifies."""
        return {key for one in lookup_keys(text) for key in self._identifiers.of(tenant, one)}

    def by_author(self, tenant: str, name: Atoms) -> set[int]:
        """The first keys of the documents of which one author's name holds all of `name`, initials aside whole."""
        longest = max(name, key=len, default="")
        return {
            key
            for key in self._authors.of(tenant, longest)
            if any(names(author, name) for author in self.entries[key].facts.authors)
        }

    def by_journal(self, tenant: str, name: Atoms) -> set[int]:
        """The first keys of the documents of the journal with just this name."""
        return self._journals.of(tenant, " ".join(name))

    def same_work(self, entry: Entry) -> list[Entry]:
        """The document and the others that are the same work: versions, copies, a preprint and its article."""
        known = self._same_work.get(entry.first_key)
        if known is None:
            known = self._same_work[entry.first_key] = self._found_alike(entry)
        return known

    def _found_alike(self, entry: Entry) -> list[Entry]:
        found = {entry.first_key: entry}
        pending = [entry]
        while pending:
            for other in self._alike(pending.pop()):
                if other.first_key not in found:
                    found[other.first_key] = other
                    pending.append(other)
        return list(found.values())

    def _alike(self, entry: Entry) -> Iterator[Entry]:
        facts, tenant = entry.facts, entry.tenant
        own = {one for one in facts.identifiers if one.startswith(("doi:", "pmc:", "pmid:"))}
        keys = {key for one in own | facts.same_as for key in self._identifiers.of(tenant, one)}
        keys |= {key for one in own for key in self._named.of(tenant, one) if one in self.entries[key].facts.same_as}
        if len(facts.title) >= _OWN_TITLE:
            same = self._works.of(tenant, " ".join(facts.title))
            keys |= {key for key in same if self.entries[key].facts.is_preprint != facts.is_preprint}
        for key in keys - {entry.first_key}:
            yield self.entries[key]

    def notices(self, entry: Entry) -> list[str]:
        """What says that a document is retracted: ids of notices here, or identifiers that it names itself."""
        keys = {
            key
            for one in entry.facts.identifiers
            for key in self._named.of(entry.tenant, one)
            if one in self.entries[key].facts.retracts
        }
        here = sorted(self.entries[key].facts.doc_id for key in keys)
        return here or sorted(entry.facts.retracted_by)


def _sorted(keys: Iterable[int]) -> Keys:
    return np.array(sorted(keys), dtype=np.int64)
