"""Search by learned sparse vectors: exact inner products by postings, in memory, from what the store keeps.

The store's transactions are what survives a crash; opening reads all published sparse vectors from it, about 1 s per 10 million
weights, so that there is no file of its own that could disagree.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from medkg_lab.knowledge import passages
from medkg_lab.knowledge.database import Database
from medkg_lab.knowledge.passages import Block
from medkg_lab.stages.contracts import SparseVectors

_DEAD_SHARE = 0.2
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Postings:
    """Weights by term, a matrix in compressed columns: the chunk in row `r` has the key `keys[r]`, ascending.

    Term `terms[i]` stands with `weights` in `rows`, both from `starts[i]` to `starts[i + 1]`.
    """

    keys: Ints
    terms: npt.NDArray[np.int32]
    starts: Ints
    rows: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]

    @classmethod
    def of(cls, keys: Ints, rows: Any, terms: Any, weights: Any) -> "Postings":
        """Build from coordinates: `weights` at (rows, terms), with the keys of all rows."""
        order = np.lexsort((rows, terms))
        sorted_terms = terms[order]
        unique, starts = np.unique(sorted_terms, return_index=True)
        ends = np.append(starts, len(sorted_terms)).astype(np.int64)
        return cls(keys, unique.astype(np.int32), ends, rows[order].astype(np.int32), weights[order].astype(np.float32))

    def scores(self, query: SparseVectors) -> npt.NDArray[np.float64]:
        """The inner product of `query`, one text, with every row."""
        places = np.searchsorted(self.terms, query.terms)
        scores = np.zeros(len(self.keys))
        for term, weight, place in zip(query.terms, query.weights, places, strict=True):
            if place < len(self.terms) and self.terms[place] == term:
                part = slice(self.starts[place], self.starts[place + 1])
                scores[self.rows[part]] += self.weights[part].astype(np.float64) * float(weight)
        return scores

    def only(self, kept: Flags) -> "Postings":
        """The rows in `kept`."""
        terms = np.repeat(self.terms, np.diff(self.starts))
        chosen = kept[self.rows]
        renumbered = np.cumsum(kept) - 1
        return Postings.of(self.keys[kept], renumbered[self.rows[chosen]], terms[chosen], self.weights[chosen])

    def joined(self, later: "Postings") -> "Postings":
        """These rows, then those of `later`, whose keys are all larger."""
        rows = np.concatenate((self.rows, later.rows + np.int32(len(self.keys))))
        terms = np.concatenate([np.repeat(one.terms, np.diff(one.starts)) for one in (self, later)])
        return Postings.of(
            np.concatenate((self.keys, later.keys)), rows, terms, np.concatenate((self.weights, later.weights))
        )


class SparseIndex:
    """The sparse vectors of all published chunks, in segments. `swap` must not run beside a search."""

    def __init__(self) -> None:
        self._segments: list[Postings] = []
        self._live: dict[int, Block] = {}
        self._selections: dict[tuple[str, tuple[str, ...] | None], list[Flags]] = {}
        self.model: str | None = None

    @classmethod
    def follow(cls, database: Database) -> "SparseIndex":
        """Read everything that is published."""
        index = cls()
        index.swap(cls.fetch(database, passages.blocks(database)), ())
        return index

    @staticmethod
    def fetch(database: Database, blocks: Sequence[Block]) -> Iterator[tuple[Block, SparseVectors]]:
        """Read the sparse vectors of blocks from the store; blocks without any are skipped."""
        by_key = {block.first_key: block for block in blocks}
        for first_key, model, rows in passages.sparse_vectors(database, list(by_key)):
            block = by_key[first_key]
            yield block, SparseVectors.unpack(model, block.chunks, rows)

    def __len__(self) -> int:
        return sum(block.chunks for block in self._live.values())

    def swap(self, added: Iterable[tuple[Block, SparseVectors]], replaced: Iterable[int]) -> None:
        """Make blocks of sparse vectors live, and those with the first keys in `replaced` not."""
        for first_key in replaced:
            self._live.pop(first_key, None)
        new = [(block, vectors) for block, vectors in added if block.first_key not in self._live]
        if new:
            self._segments.append(_segment(sorted(new, key=lambda pair: pair[0].first_key)))
            self._live |= {block.first_key: block for block, _ in new}
            self.model = new[-1][1].model
        if not self._live:
            self._segments, self.model = [], None
        self._tidy()
        self._selections.clear()

    def _tidy(self) -> None:
        """Join segments so that each is more than twice as large as the next, and leave the dead behind when they are many."""
        while len(self._segments) > 1 and len(self._segments[-2].rows) <= 2 * len(self._segments[-1].rows):
            later, earlier = self._segments.pop(), self._segments.pop()
            self._segments.append(earlier.joined(later))
        held = sum(len(segment.keys) for segment in self._segments)
        if held - len(self) > _DEAD_SHARE * held:
            live = self._allowed(list(self._live.values()))
            pairs = ((segment, kept) for segment, kept in zip(self._segments, live, strict=True) if kept.any())
            self._segments = [segment.only(kept) for segment, kept in pairs]

    def search(
        self,
        query: SparseVectors,
        limit: int,
        tenant: str,
        sources: Sequence[str] | None,
        only: npt.NDArray[np.int64] | None = None,
    ) -> list[tuple[int, float]]:
        """The keys of the `limit` live chunks of the tenant and sources with the largest inner products, best first, ties by key.

        Chunks that share no term with the query are not found. The condition holds before ranking. With `only`, sorted keys,
        these alone.
        """
        found: list[tuple[int, float]] = []
        for segment, allowed in zip(self._segments, self._selected(tenant, sources), strict=True):
            scores = segment.scores(query)
            fits = allowed if only is None else allowed & np.isin(segment.keys, only)
            rows = np.flatnonzero(fits & (scores > 0))
            if len(rows) > limit:
                # All that tie with the last one stay, for the keys to decide between them.
                least = np.partition(scores[rows], len(rows) - limit)[len(rows) - limit]
                rows = rows[scores[rows] >= least]
            found += zip(segment.keys[rows].tolist(), scores[rows].tolist(), strict=True)
        return sorted(found, key=lambda pair: (-pair[1], pair[0]))[:limit]

    def _selected(self, tenant: str, sources: Sequence[str] | None) -> list[Flags]:
        wanted = tenant, None if sources is None else tuple(sorted(sources))
        known = self._selections.get(wanted)
        if known is None:
            chosen = [b for b in self._live.values() if b.tenant == tenant and (sources is None or b.source in sources)]
            known = self._selections[wanted] = self._allowed(chosen)
        return known

    def _allowed(self, chosen: Sequence[Block]) -> list[Flags]:
        keys = [key for block in chosen for key in range(block.first_key, block.first_key + block.chunks)]
        wanted = np.asarray(keys, dtype=np.int64)
        return [np.isin(segment.keys, wanted, assume_unique=True) for segment in self._segments]


def _segment(added: Sequence[tuple[Block, SparseVectors]]) -> Postings:
    keys = np.concatenate([np.arange(block.first_key, block.first_key + block.chunks) for block, _ in added])
    counts = np.concatenate([np.diff(vectors.starts) for _, vectors in added])
    rows = np.repeat(np.arange(len(keys)), counts)
    terms = np.concatenate([vectors.terms for _, vectors in added])
    return Postings.of(keys, rows, terms, np.concatenate([vectors.weights for _, vectors in added]))
