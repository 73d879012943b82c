"""Search by words: BM25 over titles, sections and text, in a tantivy index that follows the store."""

import logging
import math
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tantivy
from tantivy import Document, Occur, Query

from medkg_lab.knowledge import analysis, passages, query
from medkg_lab.knowledge.database import Database
from medkg_lab.knowledge.passages import NO_KEYS, Keys, Passage
from medkg_lab.knowledge.units import Unit
from medkg_lab.logs import fields
from medkg_lab.settings import FieldBoosts

# Misspelt words of a query: the known word that a person most likely meant.
SAME = 2
"""Letters at the beginning that are taken to be right."""
MOST = 20_000
"""Words that are compared at most."""
_SHORTEST = 5
_LONG = 8


def is_worth_it(word: str) -> bool:
    """Whether a word is long enough for a similar one to be meant."""
    return len(word) >= _SHORTEST and word.isalpha()


def closest(word: str, candidates: Iterable[tuple[str, int]]) -> str | None:
    """The candidate that the fewest edits make of `word`, one at most, two in a long word; of equals the one that most passages
    have. None when there is none.

    An edit is a letter more, less or another, or two neighbours swapped (optimal string alignment).
    """
    most = 2 if len(word) >= _LONG else 1
    # Two letters more or less make another word: thrombolysis and thrombosis.
    near = [pair for pair in candidates if abs(len(pair[0]) - len(word)) <= 1 and pair[0].isalpha()]
    judged = [(edits, -count, one) for one, count in near if (edits := _edits(word, one, most)) <= most]
    return min(judged)[2] if judged else None


def _edits(word: str, other: str, most: int) -> int:
    """How many edits make `other` of `word`; any number above `most` is only that."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for at, letter in enumerate(word, 1):
        row = [at]
        for place, found in enumerate(other, 1):
            cost = min(last[place] + 1, row[place - 1] + 1, last[place - 1] + (letter != found))
            if at > 1 and place > 1 and letter == other[place - 2] and word[at - 2] == found:
                cost = min(cost, before[place - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
        before, last = last, row
    return last[-1]


_LOG = logging.getLogger(__name__)
_HEAP_BYTES = 32_000_000
_VOCABULARY_FROM = 1_000
"""Passages from which on a word that none of them has is odd; fewer lack words of every kind."""
FIELDS = ("title", "section", "body")
_REVISION = "revision"
_HEAD = "head"

_VERSION = "version"
"""The stored field with the version of the analysis that made the terms."""
_BEGINNINGS = {None: "words", "title": "title_words"}
"""By the field that is asked, where whole words are: the other fields hold stems, which a beginning may be longer than."""


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    for name in FIELDS:
        builder.add_text_field(name, tokenizer_name="en_stem", index_option="position")
    for name in _BEGINNINGS.values():
        builder.add_text_field(name, tokenizer_name="whitespace", index_option="basic")
    for name in ("doc", "chunk", "tenant", "source", _HEAD):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    for name in (_REVISION, _VERSION):
        builder.add_text_field(name, stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_integer_field("key", fast=True)
    return builder.build()


class WordIndex:
    """The index in `folder`. One thread writes; what it writes is searched from `reload` on.

    The revision of the store that the index reflects is a document of the index itself, so that both change in one commit.
    """

    def __init__(self, folder: Path, boosts: FieldBoosts) -> None:
        self.folder = folder
        self._boosts = {name: float(getattr(boosts, name)) for name in FIELDS}
        self._open()

    def _open(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._index = tantivy.Index(_schema(), path=str(self.folder))
        self._index.config_reader("Manual")
        self._index.reload()
        self._writer = self._index.writer(_HEAP_BYTES, 1)

    @classmethod
    def follow(cls, folder: Path, database: Database, boosts: FieldBoosts) -> "WordIndex":
        """Open the index and bring it to the store's revision; one that is missing, broken, of another store or of another
        version of the analysis is recomputed."""
        try:
            index = cls(folder, boosts)
            if index.is_of_this_analysis:
                index.catch_up(database)
            if index.is_true_to(database):
                return index
            _LOG.warning(
                "the text index does not agree with the store and is built again", extra=fields(event="index.rebuilt")
            )
            index.close()
        except (ValueError, OSError) as error:
            _LOG.warning(
                "the text index is built again, because it cannot be used: %s",
                error,
                extra=fields(event="index.rebuilt"),
            )
        shutil.rmtree(folder, ignore_errors=True)
        index = cls(folder, boosts)
        index.catch_up(database)
        return index

    def is_true_to(self, database: Database) -> bool:
        """Whether the index holds as many chunks, of the same revision, as the store, by the terms of today."""
        same = self.revision == database.position("revision") and len(self) == passages.chunk_count(database)
        return same and self.is_of_this_analysis

    def __len__(self) -> int:
        searcher = self._index.searcher()
        return int(searcher.num_docs) - (1 if self.revision else 0)

    @property
    def _everything(self) -> int:
        """A limit that cuts nothing off."""
        return max(1, int(self._index.searcher().num_docs))

    @property
    def revision(self) -> int:
        """The store's revision that the index reflects; 0 for an empty index."""
        return self._stored(_REVISION)

    @property
    def is_of_this_analysis(self) -> bool:
        """Whether its terms are what `analysis` makes of a text; an empty index is of any."""
        return not self.revision or self._stored(_VERSION) == analysis.VERSION

    def _stored(self, name: str) -> int:
        searcher = self._index.searcher()
        found = searcher.search(Query.term_query(self._index.schema, _HEAD, _HEAD), 1).hits
        return int(searcher.doc(found[0][1])[name][0]) if found else 0

    def catch_up(self, database: Database) -> None:
        """Take in, in one commit, what was published since the index's revision, and show it."""
        self.write(database, self.revision, database.position("revision"))
        self.reload()

    def write(self, database: Database, since: int, revision: int, gone: Sequence[str] = ()) -> None:
        """Commit what was published after the revision `since` as `revision`, and that the documents `gone` (`tenant/id`) are no
        more; searches do not see it before `reload`."""
        if revision <= since:
            return
        for document in gone:
            self._writer.delete_documents_by_term("doc", document)
        changed = passages.changed_since(database, since)
        for _, tenant, doc_id in changed:
            self._writer.delete_documents_by_term("doc", f"{tenant}/{doc_id}")
        self._add(passages.texts(database, [number for number, _, _ in changed]))
        self._writer.delete_documents_by_term(_HEAD, _HEAD)
        self._writer.add_document(Document(**{_HEAD: _HEAD, _REVISION: str(revision), _VERSION: str(analysis.VERSION)}))
        self._writer.commit()

    def _add(self, found: Iterable[Passage]) -> None:
        for passage in found:
            title, body = analysis.indexed(passage.title), analysis.indexed(passage.text)
            self._writer.add_document(
                Document(
                    key=passage.key,
                    doc=f"{passage.tenant}/{passage.doc_id}",
                    chunk=passage.chunk_id,
                    tenant=passage.tenant,
                    source=passage.source,
                    title=title,
                    section=analysis.indexed(" ".join(passage.section)),
                    body=body,
                    words=f"{title} {body}",
                    title_words=title,
                )
            )

    def reload(self) -> None:
        """Let searches see the last commit."""
        self._index.reload()

    def search(
        self,
        asked: Sequence[Unit],
        terms: Sequence[query.Term],
        limit: int,
        tenant: str,
        sources: Sequence[str] | None,
        allowed: Keys | None = None,
    ) -> list[tuple[int, float]]:
        """The keys of the best `limit` chunks that hold any of `asked` or `terms`, with BM25 scores, best first, ties by key.

        A word that is asked twice counts twice. With `allowed`, sorted keys, only these.
        """
        fields = [(name, boost) for name, boost in self._boosts.items() if boost > 0]
        parts = [
            (Occur.Should, Query.boost_query(one, boost))
            for unit in asked
            for name, boost in fields
            if (one := self._unit(name, unit)) is not None
        ]
        parts += [(Occur.Should, self._term(term)) for term in terms]
        if not parts:
            return []
        depth = limit if allowed is None else self._everything
        keys, scores = self._found(Query.boolean_query(parts), tenant, sources, depth)
        if allowed is not None:
            fits = np.isin(keys, allowed)
            keys, scores = keys[fits], scores[fits]
        order = np.lexsort((keys, -scores))[:limit]
        return [(int(keys[place]), float(scores[place])) for place in order]

    def matching(self, term: query.Term, tenant: str) -> Keys:
        """The keys of all the tenant's chunks in which a term stands, sorted."""
        keys, _ = self._found(self._term(term), tenant, None, self._everything)
        return np.sort(keys)

    def known(self, asked: Sequence[Unit]) -> tuple[list[Unit], dict[str, str], bool]:
        """`asked` with words that no document has replaced by the most similar that one has, which these are, and whether any
        document has a word of what is asked then, which a small index is taken to have."""
        searcher = self._index.searcher()
        read_as: dict[str, str] = {}
        for unit in asked:
            atom = unit.atoms[0]
            if len(unit.atoms) == 1 and is_worth_it(atom) and not self._is_known(searcher, atom):
                candidates = searcher.terms_with_prefix(_BEGINNINGS[None], atom[:SAME], limit=MOST)
                if (other := closest(atom, candidates)) is not None:
                    read_as[atom] = other
        units = [Unit((read_as[one.atoms[0]],)) if one.atoms[0] in read_as else one for one in asked]
        is_small = int(searcher.num_docs) < _VOCABULARY_FROM
        is_known = is_small or any(self._is_known(searcher, atom) for unit in units for atom in unit.atoms)
        return units, read_as, is_known

    @staticmethod
    def _is_known(searcher: tantivy.Searcher, atom: str) -> bool:
        return any(searcher.doc_freq(name, term) for term in analysis.stems(atom) for name in FIELDS)

    def ideal(self, asked: Sequence[Unit], terms: Sequence[query.Term] = ()) -> float:
        """The score of a chunk of average length in whose body each of `asked` and `terms` stands once: a measure for scores.

        BM25 with tantivy's constants: a word that occurs once counts its idf. One that the index does not know counts three
        times the rarest of the query that it does, and at most as one that a single chunk has.
        """
        searcher = self._index.searcher()
        count = int(searcher.num_docs)
        boost = self._boosts["body"] or max(self._boosts.values()) or 1.0
        rows = [unit.atoms for unit in asked] + [tuple(analysis.atoms(term.text)) for term in terms]
        found = [searcher.doc_freq("body", term) for atoms in rows for term in analysis.terms(atoms)]
        known = [math.log(1 + (count - one + 0.5) / (one + 0.5)) for one in found if one]
        unknown = min(math.log(1 + (count + 0.5) / 0.5), 3 * max(known, default=math.inf))
        return boost * (sum(known) + unknown * (len(found) - len(known)))

    def _found(
        self, wanted: Query, tenant: str, sources: Sequence[str] | None, limit: int
    ) -> tuple[Keys, npt.NDArray[np.float64]]:
        """Keys and scores of what a query finds within the tenant and sources."""
        schema = self._index.schema
        parts = [(Occur.Must, wanted), (Occur.Must, self._only("tenant", [tenant], schema))]
        if sources is not None:
            parts.append((Occur.Must, self._only("source", sources, schema)))
        searcher = self._index.searcher()
        hits = searcher.search(Query.boolean_query(parts), limit, count=False).hits
        if not hits:
            return NO_KEYS, np.zeros(0)
        keys = searcher.fast_field_values("key", [address for _, address in hits])
        return np.array(keys, dtype=np.int64), np.array([score for score, _ in hits])

    def _term(self, term: query.Term) -> Query:
        """A term in the field that it names, or in any."""
        names = FIELDS if term.field is None else (term.field,)
        atoms = tuple(atom for word in analysis.words(term.text) for atom in word.atoms)
        if term.kind is query.Kind.PREFIX:
            return self._beginning(atoms, term.field)
        other = tuple(
            atom
            for word in analysis.words(term.text)
            for atom in analysis.spelled_out(term.text[word.start : word.end]) or word.atoms
        )
        unit = Unit(atoms, other if other != atoms else ())
        found = [one for name in names if (one := self._unit(name, unit)) is not None]
        return Query.disjunction_max_query(found) if found else Query.empty_query()

    def _unit(self, field: str, unit: Unit) -> Query | None:
        found = [one for atoms in (unit.atoms, unit.spelled_out) if (one := self._row(field, analysis.terms(atoms)))]
        return found[0] if len(found) == 1 else Query.disjunction_max_query(found) if found else None

    def _row(self, field: str, terms: Sequence[str]) -> Query | None:
        schema = self._index.schema
        if len(terms) > 1:
            return Query.phrase_query(schema, field, list(terms))
        return Query.term_query(schema, field, terms[0]) if terms else None

    def _beginning(self, atoms: Sequence[str], field: str | None) -> Query:
        """Words that begin with the last of `atoms`, in chunks that hold the others."""
        if not atoms:
            return Query.empty_query()
        schema = self._index.schema
        begun = Query.regex_query(schema, _BEGINNINGS.get(field, field or ""), f"{atoms[-1]}.*")
        whole = [self._row(field or "body", analysis.stems(atom)) for atom in atoms[:-1]]
        return Query.boolean_query([(Occur.Must, one) for one in (begun, *whole) if one is not None])

    @staticmethod
    def _only(field: str, values: Sequence[str], schema: tantivy.Schema) -> Query:
        """A condition that adds nothing to the score."""
        return Query.const_score_query(Query.term_set_query(schema, field, list(values)), 0.0)

    def close(self) -> None:
        """Let running merges end and release the folder."""
        self._writer.wait_merging_threads()
