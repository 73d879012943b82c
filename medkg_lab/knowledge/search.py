"""Hybrid search: BM25, vectors and sparse vectors ranked apart, fused, and shown with their reasons."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from medkg_lab.knowledge import fusion, passages
from medkg_lab.knowledge.bm25 import FIELDS, TextIndex, stem
from medkg_lab.knowledge.database import Database
from medkg_lab.knowledge.encoders import Encoders, Matrix
from medkg_lab.knowledge.fusion import Ranking
from medkg_lab.knowledge.locks import ReadWriteLock
from medkg_lab.knowledge.passages import Passage
from medkg_lab.knowledge.snippet import snippet, telling, words
from medkg_lab.knowledge.sparse import SparseIndex
from medkg_lab.knowledge.vectors import VectorIndex
from medkg_lab.models.ir import Frozen
from medkg_lab.settings import SearchSettings
from medkg_lab.stages.contracts import SparseVectors

MAX_LIMIT = 200
_MAX_WORDS = 256
_DEPTH = 100
"""How many hits each leg gives at first; more are asked for when too few documents are among them."""
_PER_DOCUMENT = 3
_LEGS = ("bm25", "dense", "sparse")
_NO_SPLADE = "off: profile {profile} has no SPLADE model"
_EMPTY = "off: nothing is indexed yet"
_WORDLESS = "off: the query has no words"


class Question(Frozen):
    """What is asked: at most `per_document` of a document's passages are among the hits; without it, `_PER_DOCUMENT` as long as
    there are other documents, then the rest.

    Without `fusion` or `weights` those of the settings hold; a leg that `weights` does not name counts 1.
    """

    query: str = Field(max_length=16_384)
    limit: int = Field(default=10, ge=1, le=MAX_LIMIT)
    tenant: str = "default"
    sources: tuple[str, ...] | None = None
    per_document: int | None = Field(default=None, ge=1)
    fusion: Literal["rrf", "weighted"] | None = None
    weights: dict[str, float] | None = None
    explain: bool = False


@dataclass(frozen=True)
class Found:
    """What the legs gave, and which keys the fusion chose, best first; `owners` names the document of each key."""

    rankings: Mapping[str, Ranking]
    chosen: Sequence[tuple[int, float]]
    owners: Mapping[int, str]


@dataclass(frozen=True)
class Indexes:
    """What a search looks into, a leg each."""

    texts: TextIndex
    vectors: VectorIndex
    sparse: SparseIndex


@dataclass(frozen=True)
class Read:
    """A query as the legs take it: its words, and its vectors where there are any; `legs` says which leg is on, or why not."""

    terms: Sequence[str]
    vector: Matrix | None
    sparse: SparseVectors | None
    legs: Mapping[str, str]


class Searcher:
    """Searches what is published; safe to use from several threads."""

    def __init__(
        self,
        database: Database,
        indexes: Indexes,
        encoders: Encoders,
        lock: ReadWriteLock,
        profile: str,
        settings: SearchSettings,
    ) -> None:
        self._database = database
        self._indexes = indexes
        self._encoders = encoders
        self._lock = lock
        self._settings = settings
        self._profile = profile

    def search(self, question: Question) -> dict[str, Any]:
        """Hits, best first, with rank and score per leg, snippet and provenance, and which legs took part."""
        began = time.perf_counter()
        read = self._read(question.query)
        terms = read.terms
        with self._lock.reading():
            found = self._find(question, read)
            hits = passages.by_keys(self._database, [key for key, _ in found.chosen])
        ranks = {leg: fusion.ranks(ranking) for leg, ranking in found.rankings.items()}
        scores = {leg: dict(ranking) for leg, ranking in found.rankings.items()}
        shown = [
            {**_shown(hits[key], terms), "score": score, "ranks": _of(key, ranks), "scores": _of(key, scores)}
            for key, score in found.chosen
            if key in hits
        ]
        answer: dict[str, Any] = {"query": question.query, "hits": shown, "legs": dict(read.legs)}
        if question.explain:
            answer["how"] = self._explained(question, terms)
            parts = fusion.parts(found.rankings, *self._how(question))
            chosen = [hits[key] for key, _ in found.chosen if key in hits]
            for hit, passage in zip(shown, chosen, strict=True):
                hit["explanation"] = {"parts": _of(passage.key, parts), "words": matched(passage, terms)}
        return {**answer, "ms": (time.perf_counter() - began) * 1000}

    def _explained(self, question: Question, terms: Sequence[str]) -> dict[str, Any]:
        """How the query was read and how the legs are put together."""
        method, weights, k = self._how(question)
        return {
            "words": {word: stem(word) for word in terms},
            "left_out": [word for word in dict.fromkeys(words(question.query, _MAX_WORDS)) if word not in terms],
            "fusion": method,
            "weights": weights,
            "rrf_k": k if method == "rrf" else None,
            "boosts": self._settings.boosts.model_dump(),
            "only": {"tenant": question.tenant, "sources": question.sources and list(question.sources)},
        }

    def rank(self, question: Question) -> Found:
        """What `search` would show, as keys alone, with the whole ranking of each leg."""
        read = self._read(question.query)
        with self._lock.reading():
            return self._find(question, read)

    def _read(self, query: str) -> Read:
        terms = words(query, _MAX_WORDS)
        if self._settings.stop_words:
            terms = telling(terms) or terms
        if not terms:
            return Read(terms, None, None, {"bm25": _WORDLESS, "dense": _WORDLESS, "sparse": _WORDLESS})
        vector, dense = self._embed(query)
        weights, sparse = self._weigh(query)
        return Read(terms, vector, weights, {"bm25": "on", "dense": dense, "sparse": sparse})

    def _embed(self, query: str) -> tuple[Matrix | None, str]:
        vectors = self._indexes.vectors
        if vectors.failure is not None:
            return None, f"off: {vectors.failure}"
        model = vectors.model
        if model is None:
            return None, _EMPTY
        vector = self._encoders.embed(model, query)
        return (None, f"off: {vector}") if isinstance(vector, str) else (vector, "on")

    def _weigh(self, query: str) -> tuple[SparseVectors | None, str]:
        model = self._indexes.sparse.model
        if model is None:
            return None, _EMPTY if self._encoders.sparse_models else _NO_SPLADE.format(profile=self._profile)
        weights = self._encoders.weigh(model, query)
        return (None, f"off: {weights}") if isinstance(weights, str) else (weights, "on")

    def _find(self, question: Question, read: Read) -> Found:
        """Rank, fuse and thin out; look deeper while a few documents take all the places and there is more to see."""
        depth = max(_DEPTH, 2 * question.limit)
        while True:
            rankings = self._ranked(read, depth, question.tenant, question.sources)
            fused = fusion.fuse(rankings, *self._how(question))
            owners = self._indexes.vectors.owners(key for key, _ in fused)
            kept, passed = fusion.diverse(fused, owners, question.per_document or _PER_DOCUMENT)
            if len(kept) >= question.limit or all(len(ranking) < depth for ranking in rankings.values()):
                chosen = [*kept, *passed] if question.per_document is None else kept
                return Found(rankings, chosen[: question.limit], owners)
            depth *= 4

    def _ranked(
        self, read: Read, depth: int, tenant: str, sources: Sequence[str] | None
    ) -> dict[str, Sequence[tuple[int, float]]]:
        indexes = self._indexes
        rankings: dict[str, Ranking] = {"bm25": indexes.texts.search(read.terms, depth, tenant, sources)}
        if read.vector is not None:
            rankings["dense"] = indexes.vectors.search(read.vector, depth, tenant, sources)
        if read.sparse is not None:
            rankings["sparse"] = indexes.sparse.search(read.sparse, depth, tenant, sources)
        return rankings

    def _how(self, question: Question) -> tuple[str, dict[str, float], int]:
        """Method, weights and constant of the fusion."""
        chosen = self._settings
        weights = chosen.weights.model_dump() if question.weights is None else question.weights
        return question.fusion or chosen.fusion, weights, chosen.rrf_k


def _of(key: int, legs: Mapping[str, Mapping[int, Any]]) -> dict[str, Any]:
    return {leg: legs.get(leg, {}).get(key) for leg in _LEGS}


def matched(passage: Passage, terms: Sequence[str]) -> dict[str, list[str]]:
    """In which fields of a passage each query word stands, whatever its ending; words that stand in none are left out."""
    texts = {"title": passage.title, "section": " ".join(passage.section), "body": passage.text}
    stems = {name: {stem(word) for word in words(text, len(text))} for name, text in texts.items()}
    found = {term: [name for name in FIELDS if stem(term) in stems[name]] for term in dict.fromkeys(terms)}
    return {term: names for term, names in found.items() if names}


def _shown(passage: Passage, terms: Sequence[str]) -> dict[str, Any]:
    part = snippet(passage.text, terms, stem)
    return {
        "doc_id": passage.doc_id,
        "chunk_id": passage.chunk_id,
        "title": passage.title,
        "section": list(passage.section),
        "page": passage.page,
        "text": passage.text,
        "snippet": part.text,
        "marks": [list(mark) for mark in part.marks],
        "provenance": passage.provenance,
    }
