"""Hybrid search: BM25, vectors and sparse vectors ranked apart, fused, and shown with their reasons."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from medkg_lab.knowledge import fusion, passages, relevance, rerank, works
from medkg_lab.knowledge.answers import Explanation, Hit, How, SearchAnswer
from medkg_lab.knowledge.catalogue import Catalogue, Entry
from medkg_lab.knowledge.conditions import Conditions
from medkg_lab.knowledge.database import Database
from medkg_lab.knowledge.encoders import Encoders, Matrix
from medkg_lab.knowledge.fusion import Ranking
from medkg_lab.knowledge.highlights import Wanted, matched, shown, skipped, wanted
from medkg_lab.knowledge.locks import ReadWriteLock
from medkg_lab.knowledge.lookup import find_named
from medkg_lab.knowledge.passages import Keys, Passage
from medkg_lab.knowledge.question import MAX_WORDS, Question, Reading, RetrieverQuery
from medkg_lab.knowledge.retrievers import PackagedRetriever
from medkg_lab.knowledge.sparse_index import SparseIndex
from medkg_lab.knowledge.vector_index import VectorIndex
from medkg_lab.knowledge.word_index import WordIndex
from medkg_lab.settings import SearchSettings
from medkg_lab.stages.contracts import SparseVectors

__all__ = ["Found", "Indexes", "Question", "Searcher"]

_DEPTH = 100
"""How many hits each retriever gives at first; more are asked for when too few documents are among them."""
_PER_DOCUMENT = 3
RETRIEVERS = ("bm25", "dense", "sparse")
_NO_SPLADE = "off: profile {profile} has no SPLADE model"
_EMPTY = "off: nothing is indexed yet"
_WORDLESS = "off: the query has no words"
_BY_NAME = "off: the query is an identifier"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Found:
    """What the retrievers gave, and which keys the fusion chose, best first; `owners` names the document of each key.

    `values` are what each retriever says, from 0 to 1, by the fusion's method, `measured` the same measured alike for every
    query; `named` says of a key whose document was asked for itself by what.
    """

    rankings: Mapping[str, Ranking]
    chosen: Sequence[tuple[int, float]]
    owners: Mapping[int, str]
    entries: Mapping[int, Entry]
    values: fusion.Values
    measured: fusion.Values
    named: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Indexes:
    """What a search looks into, one for each retriever, and the catalogue of documents."""

    texts: WordIndex
    vectors: VectorIndex
    sparse: SparseIndex
    catalogue: Catalogue
    packaged: tuple[PackagedRetriever, ...] = ()


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
        self._retrievers = (*RETRIEVERS, *(one.name for one in indexes.packaged))

    def search(self, question: Question) -> SearchAnswer:
        """Hits, best first, with rank and score per retriever, snippet and provenance, and which retrievers took part.

        Raises QueryBlank, QueryTooLong, QueryInvalid, UnknownReranker and BrokenReranker.
        """
        began = time.perf_counter()
        reading = Reading.of(question)
        asked = self._plan(reading)
        with self._lock.reading():
            found = self._find(question, reading, asked)
            chosen = self._above_floor(found, asked)
            hits = passages.by_keys(self._database, {key: found.entries[key].owner for key, _ in chosen})
            descriptions = {key: works.describe(self._indexes.catalogue, found.entries[key]) for key in hits}
        return SearchAnswer(
            query=question.query,
            hits=_hits(
                question.explain,
                [(hits[key], score) for key, score in chosen if key in hits],
                found,
                descriptions,
                asked,
                self._weights(question),
            ),
            legs=asked.legs,
            ms=(time.perf_counter() - began) * 1000,
            notes=_notes(reading, asked),
            how=self._how(question, reading, asked) if question.explain else None,
        )

    def rank(self, question: Question) -> Found:
        """What `search` would show were there no floor, as keys alone, with the whole ranking of each retriever."""
        reading = Reading.of(question)
        asked = self._plan(reading)
        with self._lock.reading():
            return self._find(question, reading, asked)

    def _plan(self, reading: Reading) -> RetrieverQuery:
        """What each retriever is asked."""
        stop_words = self._settings.stop_words
        units, read_as, is_known = self._indexes.texts.known(reading.units(stop_words))
        terms = reading.query.terms
        if not units and not terms:
            return RetrieverQuery((), (), None, None, dict.fromkeys(self._retrievers, _WORDLESS), {})
        if reading.identifier or not reading.meaning:
            off = _BY_NAME if reading.identifier else _WORDLESS
            legs = dict.fromkeys(self._retrievers, off) | {"bm25": "on"}
            return RetrieverQuery(units, terms, None, None, legs, read_as)
        vector, dense = self._embed(reading.meaning)
        weights, sparse = self._weigh(reading.meaning)
        legs = dict.fromkeys(self._retrievers, "on") | {"dense": dense, "sparse": sparse}
        return RetrieverQuery(units, terms, vector, weights, legs, read_as, is_known)

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

    def _find(self, question: Question, reading: Reading, asked: RetrieverQuery) -> Found:
        """Rank, fuse and thin out; look deeper while a few documents take all the places and there is more to see."""
        indexes, tenant = self._indexes, question.tenant
        allowed = Conditions(self._database, indexes.texts, indexes.catalogue, tenant).allowed(reading.conditions)
        named = self._named(question, reading, asked, allowed)
        depth = max(_DEPTH, 2 * question.limit)
        while True:
            rankings = self._ranked(asked, depth, question, reading, allowed)
            measured = self._measured(rankings, asked)
            values = self._values(rankings, question.fusion or self._settings.fusion, measured)
            fused = self._lowered(fusion.fuse(values, self._weights(question)), reading)
            fused = self._reranked(fused, question, reading)
            entries = indexes.catalogue.owners([key for key, _ in fused])
            works_of = {key: entry.first_key for key, entry in entries.items()}
            alone = fusion.one_of_each(
                [pair for pair in fused if pair[0] in entries],
                works_of,
                works.representatives(indexes.catalogue, entries),
            )
            kept, passed = fusion.diverse(alone, works_of, question.per_document or _PER_DOCUMENT)
            if len(kept) >= question.limit or all(len(ranking) < depth for ranking in rankings.values()):
                break
            depth *= 4
        rest = [*kept, *passed] if question.per_document is None else kept
        first = [(key, 1.0) for key in named]
        chosen = [*first, *(pair for pair in rest if pair[0] not in named)][: question.limit]
        entries = entries | indexes.catalogue.owners(list(named))
        owners = {key: entry.facts.doc_id for key, entry in entries.items()}
        return Found(rankings, chosen, owners, entries, values, measured, named)

    def _named(
        self, question: Question, reading: Reading, asked: RetrieverQuery, allowed: Keys | None
    ) -> dict[int, str]:
        """The first passages of documents that are asked for themselves, or of all that meet the conditions if that is all."""
        catalogue = self._indexes.catalogue
        found = {
            match.first_key: match.by for match in find_named(reading, catalogue, self._indexes.texts, question.tenant)
        }
        if allowed is not None and not asked.units and not asked.terms:
            found = dict.fromkeys(catalogue.newest(catalogue.documents_of(allowed)), "condition")
        if allowed is not None:
            open_to = set(catalogue.documents_of(allowed).tolist())
            found = {key: by for key, by in found.items() if key in open_to}
        if question.sources is not None:
            found = {key: by for key, by in found.items() if catalogue.entries[key].facts.source in question.sources}
        return found

    def _ranked(
        self, asked: RetrieverQuery, depth: int, question: Question, reading: Reading, allowed: Keys | None
    ) -> dict[str, Ranking]:
        indexes, tenant, sources = self._indexes, question.tenant, question.sources
        rankings: dict[str, Ranking] = {
            "bm25": indexes.texts.search(asked.units, asked.terms, depth, tenant, sources, allowed)
        }
        if asked.vector is not None:
            rankings["dense"] = indexes.vectors.search(asked.vector, depth, tenant, sources, allowed)
        if asked.sparse is not None:
            rankings["sparse"] = indexes.sparse.search(asked.sparse, depth, tenant, sources, allowed)
        for one in indexes.packaged:
            if asked.legs[one.name] == "on":
                found = one.search(reading.meaning, depth, tenant, sources, allowed)
                if isinstance(found, str):
                    asked.legs[one.name] = f"off: {found}"
                else:
                    rankings[one.name] = found
        return rankings

    def _values(self, rankings: Mapping[str, Ranking], method: str, measured: fusion.Values) -> fusion.Values:
        """What each retriever says, from 0 to 1, by the fusion's method."""
        if method == "rrf":
            k = self._settings.rrf_k
            return {name: fusion.reciprocal_ranks(ranking, k) for name, ranking in rankings.items()}
        if method == "weighted":
            return {name: fusion.scaled(ranking) for name, ranking in rankings.items()}
        return measured

    def _measured(self, rankings: Mapping[str, Ranking], asked: RetrieverQuery) -> dict[str, dict[int, float]]:
        """What each retriever says, measured alike for every query. What only others found is compared by vector, too."""
        values = {"bm25": relevance.lexical(rankings["bm25"], self._indexes.texts.ideal(asked.units, asked.terms))}
        if asked.vector is not None:
            known = dict(rankings["dense"])
            others = [key for key, _ in rankings["bm25"] if key not in known]
            known |= self._indexes.vectors.similarities(asked.vector, others)
            values["dense"] = relevance.meaning(list(known.items()), self._indexes.vectors.model or "")
        if "sparse" in rankings:
            values["sparse"] = relevance.learned(rankings["sparse"])
        return values | {one.name: dict(rankings[one.name]) for one in self._indexes.packaged if one.name in rankings}

    def _lowered(self, fused: list[tuple[int, float]], reading: Reading) -> list[tuple[int, float]]:
        """Passages about who or what is excluded lower, unless that is what is asked."""
        if relevance.is_about_exclusion(reading.query.text) or not self._indexes.catalogue.has_excluding:
            return fused
        excludes = self._indexes.catalogue.excludes
        return fusion.in_order((key, score * relevance.EXCLUDING if excludes(key) else score) for key, score in fused)

    def _reranked(
        self, fused: list[tuple[int, float]], question: Question, reading: Reading
    ) -> list[tuple[int, float]]:
        """The best passages in the order of the reranker, if there is one, and no others."""
        name = question.reranker or self._settings.reranker
        if name is None or name == "none" or not fused:
            return fused
        best = fused[: max(self._settings.rerank_depth, question.limit)]
        entries = self._indexes.catalogue.owners([key for key, _ in best])
        texts = passages.by_keys(self._database, {key: entry.owner for key, entry in entries.items()})
        keys = [key for key, _ in best if key in texts]
        scores = rerank.judge(name, reading.meaning or question.query, [texts[key].text for key in keys])
        return sorted(zip(keys, scores, strict=True), key=lambda pair: -pair[1])

    def _above_floor(self, found: Found, asked: RetrieverQuery) -> list[tuple[int, float]]:
        """The chosen passages that have to do with the query."""
        floor = self._settings.floor
        dense_is_known = asked.vector is None or relevance.is_known(self._indexes.vectors.model)
        if not floor or asked.terms or asked.sparse is not None or not dense_is_known:
            return list(found.chosen)
        floor = floor if asked.is_known else max(floor, relevance.UNHEARD)
        return [
            (key, score)
            for key, score in found.chosen
            if key in found.named or relevance.evidence(found.measured, key) >= floor
        ]

    def _weights(self, question: Question) -> Mapping[str, float]:
        return (
            self._settings.weights.model_dump() | self._settings.retrievers
            if question.weights is None
            else question.weights
        )

    def _how(self, question: Question, reading: Reading, asked: RetrieverQuery) -> How:
        """How the query was read and how the retrievers are put together."""
        settings = self._settings
        method = question.fusion or settings.fusion
        filters = question.filters.model_dump(exclude_defaults=True)
        return How(
            words={word: " ".join(row) for row, word in wanted(asked).rows.items()},
            skipped=skipped(reading.plain) if settings.stop_words else (),
            read_as=asked.read_as,
            condition=None if reading.query.condition is None else reading.query.text,
            fusion=method,
            weights=self._weights(question),
            rrf_k=settings.rrf_k if method == "rrf" else None,
            boosts=settings.boosts.model_dump(),
            reranker=question.reranker or settings.reranker,
            floor=settings.floor,
            only={"tenant": question.tenant, "sources": question.sources and list(question.sources), **filters},
        )


def _notes(reading: Reading, asked: RetrieverQuery) -> list[str]:
    """What whoever asks must know of how the query was read."""
    notes = [f"{word} is not in any document; {other} was looked for" for word, other in asked.read_as.items()]
    if len(reading.plain.split()) > MAX_WORDS:
        notes.append(f"only the first {MAX_WORDS} words were looked for")
    return notes


def _hits(
    is_explained: bool,
    chosen: Sequence[tuple[Passage, float]],
    found: Found,
    descriptions: Mapping[int, works.Description],
    asked: RetrieverQuery,
    weights: Mapping[str, float],
) -> list[Hit]:
    ranks = {name: fusion.ranks(ranking) for name, ranking in found.rankings.items()}
    scores = {name: dict(ranking) for name, ranking in found.rankings.items()}
    parts = fusion.parts(found.values, weights)
    looked_for = wanted(asked)
    made = []
    for passage, score in chosen:
        key = passage.key
        part = shown(passage, looked_for)
        explanation = _explanation(passage, score, _of(key, parts, asked.legs), looked_for) if is_explained else None
        made.append(
            Hit(
                doc_id=passage.doc_id,
                chunk_id=passage.chunk_id,
                title=passage.title,
                section=passage.section,
                page=passage.page,
                text=passage.text,
                snippet=part.text,
                marks=part.marks,
                provenance=passage.provenance,
                score=score,
                ranks=_of(key, ranks, asked.legs),
                scores=_of(key, scores, asked.legs),
                matched=found.named.get(key),
                notes=descriptions[key].notes,
                same_work=descriptions[key].same_work,
                explanation=explanation,
            )
        )
    return made


def _explanation(passage: Passage, score: float, parts: Mapping[str, float | None], looked_for: Wanted) -> Explanation:
    added = sum(part or 0.0 for part in parts.values())
    return Explanation(parts, score / added if added else 1.0, matched(passage, looked_for))


def _of(key: int, retrievers: Mapping[str, Mapping[int, T]], names: Iterable[str]) -> dict[str, T | None]:
    return {name: retrievers.get(name, {}).get(key) for name in names}
