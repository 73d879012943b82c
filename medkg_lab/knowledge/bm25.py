"""Search by words: BM25 over titles, sections and text, in a tantivy index that follows the store."""

import logging
import shutil
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

import tantivy
from tantivy import Document, Filter, Occur, Query, TextAnalyzerBuilder, Tokenizer

from medkg_lab.knowledge import passages
from medkg_lab.knowledge.database import Database
from medkg_lab.knowledge.passages import Passage
from medkg_lab.settings import FieldBoosts

_LOG = logging.getLogger(__name__)
_HEAP = 32_000_000
FIELDS = ("title", "section", "body")
_REVISION = "revision"
_HEAD = "head"

_STEMMER = TextAnalyzerBuilder(Tokenizer.simple()).filter(Filter.lowercase()).filter(Filter.stemmer("english")).build()


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """The word as the index holds it."""
    return "".join(_STEMMER.analyze(word))


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    for name in FIELDS:
        builder.add_text_field(name, tokenizer_name="en_stem", index_option="freq")
    for name in ("doc", "chunk", "tenant", "source", _HEAD):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    builder.add_text_field(_REVISION, stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_integer_field("key", fast=True)
    return builder.build()


class TextIndex:
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
        self._writer = self._index.writer(_HEAP, 1)

    @classmethod
    def follow(cls, folder: Path, database: Database, boosts: FieldBoosts) -> "TextIndex":
        """Open the index and bring it to the store's revision; one that is missing, broken or of another store is made anew."""
        try:
            index = cls(folder, boosts)
            index.catch_up(database)
            if index.is_true_to(database):
                return index
            _LOG.warning("the text index does not agree with the store and is built again")
            index.close()
        except (ValueError, OSError) as error:
            _LOG.warning("the text index is built again, because it cannot be used: %s", error)
        shutil.rmtree(folder, ignore_errors=True)
        index = cls(folder, boosts)
        index.catch_up(database)
        return index

    def is_true_to(self, database: Database) -> bool:
        """Whether the index holds as many chunks, of the same revision, as the store."""
        revision = database.position("revision")
        return self.revision == revision and len(self) == passages.chunk_count(database)

    def __len__(self) -> int:
        searcher = self._index.searcher()
        return int(searcher.num_docs) - (1 if self.revision else 0)

    @property
    def revision(self) -> int:
        """The store's revision that the index reflects; 0 for an empty index."""
        searcher = self._index.searcher()
        found = searcher.search(Query.term_query(self._index.schema, _HEAD, _HEAD), 1).hits
        return int(searcher.doc(found[0][1])[_REVISION][0]) if found else 0

    def catch_up(self, database: Database) -> None:
        """Take in, in one commit, what was published since the index's revision, and show it."""
        self.write(database, self.revision, database.position("revision"))
        self.reload()

    def write(self, database: Database, since: int, revision: int) -> None:
        """Commit what was published after the revision `since` as `revision`; searches do not see it before `reload`."""
        if revision <= since:
            return
        changed = passages.changed_since(database, since)
        for _, tenant, doc_id in changed:
            self._writer.delete_documents_by_term("doc", f"{tenant}/{doc_id}")
        self._add(passages.texts(database, [number for number, _, _ in changed]))
        self._writer.delete_documents_by_term(_HEAD, _HEAD)
        self._writer.add_document(Document(**{_HEAD: _HEAD, _REVISION: str(revision)}))
        self._writer.commit()

    def _add(self, found: Iterable[Passage]) -> None:
        for passage in found:
            self._writer.add_document(
                Document(
                    key=passage.key,
                    doc=f"{passage.tenant}/{passage.doc_id}",
                    chunk=passage.chunk_id,
                    tenant=passage.tenant,
                    source=passage.source,
                    title=passage.title,
                    section=" ".join(passage.section),
                    body=passage.text,
                )
            )

    def reload(self) -> None:
        """Let searches see the last commit."""
        self._index.reload()

    def search(
        self, words: Sequence[str], limit: int, tenant: str, sources: Sequence[str] | None
    ) -> list[tuple[int, float]]:
        """The keys of the best `limit` chunks that hold any of `words`, with BM25 scores, best first, ties by key.

        A word that is asked twice counts twice. Nothing goes through a query language.
        """
        schema = self._index.schema
        asked = self._any_of(words, schema)
        if not asked:
            return []
        parts = [(Occur.Must, Query.boolean_query(asked)), (Occur.Must, self._only("tenant", [tenant], schema))]
        if sources is not None:
            parts.append((Occur.Must, self._only("source", sources, schema)))
        searcher = self._index.searcher()
        hits = searcher.search(Query.boolean_query(parts), limit).hits
        keys = searcher.fast_field_values("key", [address for _, address in hits])
        found = [(int(key), float(score)) for key, (score, _) in zip(keys, hits, strict=True) if key is not None]
        return sorted(found, key=lambda pair: (-pair[1], pair[0]))

    def _any_of(self, words: Sequence[str], schema: tantivy.Schema) -> list[tuple[Occur, Query]]:
        stems = [stemmed for word in words for stemmed in _STEMMER.analyze(word)]
        fields = [(name, boost) for name, boost in self._boosts.items() if boost > 0]
        return [
            (Occur.Should, Query.boost_query(Query.term_query(schema, name, stemmed), boost))
            for stemmed in stems
            for name, boost in fields
        ]

    @staticmethod
    def _only(field: str, values: Sequence[str], schema: tantivy.Schema) -> Query:
        """A condition that adds nothing to the score."""
        return Query.const_score_query(Query.term_set_query(schema, field, list(values)), 0.0)

    def close(self) -> None:
        """Let running merges end and release the folder."""
        self._writer.wait_merging_threads()
