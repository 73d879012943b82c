"""Vectors on the processor, in one FAISS index, and what an index of vectors has to offer wherever it is."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from medkg_lab.knowledge.errors import FaissMissing
from medkg_lab.knowledge.passages import Block, Keys

try:
    import faiss as _faiss
except ImportError as error:
    raise FaissMissing(detail=str(error)) from None

# The generated wrappers take other arguments than their signatures say.
faiss: Any = _faiss
# One search is too short to be worth sharing out, and threads that wait for more would take cores from other processes.
faiss.omp_set_num_threads(1)

DEAD_SHARE = 0.2
"""Which share of the vectors may be of documents that were replaced, before these are left behind."""

Matrix = npt.NDArray[np.float32]
Hits = list[tuple[int, float]]
"""Chunk keys with their inner products, best first, ties by key."""


class FlatIndex(Protocol):
    """Vectors of one dimension by block, searched exactly by inner product. Searches may run beside each other, not beside
    changes."""

    def add(self, block: Block, matrix: Matrix) -> None:
        """Take in a block's vectors, of shape (chunks, dimension)."""
        ...

    def drop(self, block: Block) -> None:
        """Never find this block again."""
        ...

    def search(
        self, vector: Matrix, limit: int, tenant: str, sources: Sequence[str] | None, allowed: Keys | None = None
    ) -> Hits:
        """The best `limit` chunks of the tenant, and of the sources if given, or of the sorted keys `allowed`, all published.

        These conditions hold before ranking.
        """
        ...

    def similarities(self, vector: Matrix, keys: Sequence[int]) -> dict[int, float]:
        """The inner products of these chunks, of those that it can look up."""
        ...

    def tidy(self) -> None:
        """Leave dropped vectors behind, if there are enough to be worth it. Searches may go on meanwhile."""
        ...


def best(hits: Iterable[tuple[int, float]], limit: int) -> Hits:
    """The first `limit` of hits in any order."""
    return sorted(hits, key=lambda hit: (-hit[1], hit[0]))[:limit]


class CpuFlatIndex:
    """One index for all; a selector of those that may be found holds before ranking.

    Dropped vectors stay in it until they are a fifth, because taking vectors out costs a pass over all.
    """

    def __init__(self, dimension: int) -> None:
        self._index: Any = faiss.IndexIDMap2(faiss.IndexFlatIP(dimension))
        self._live: dict[int, Block] = {}
        self._selectors: dict[tuple[str, tuple[str, ...] | None], tuple[Any, int]] = {}

    @classmethod
    def restored(cls, data: bytes, blocks: Iterable[Block]) -> "CpuFlatIndex":
        """What `serialize` gave, with those of the blocks that it holds; `blocks` says which."""
        index = faiss.deserialize_index(np.frombuffer(data, dtype=np.uint8))
        made = cls(index.d)
        made._index = index
        held = set(faiss.vector_to_array(index.id_map).tolist())
        made._live = {block.first_key: block for block in blocks if block.first_key in held}
        return made

    @property
    def blocks(self) -> Iterable[Block]:
        """Those that can be found."""
        return self._live.values()

    def __len__(self) -> int:
        """How many vectors it holds, dropped ones included."""
        return int(self._index.ntotal)

    def serialize(self) -> bytes:
        """The index as bytes, dropped vectors included."""
        data: bytes = faiss.serialize_index(self._index).tobytes()
        return data

    def add(self, block: Block, matrix: Matrix) -> None:
        """Take in a block's vectors."""
        self._index.add_with_ids(matrix, np.arange(block.first_key, block.first_key + block.chunks))
        self._live[block.first_key] = block
        self._selectors.clear()

    def drop(self, block: Block) -> None:
        """Never find this block again."""
        self._live.pop(block.first_key, None)
        self._selectors.clear()

    def search(
        self, vector: Matrix, limit: int, tenant: str, sources: Sequence[str] | None, allowed: Keys | None = None
    ) -> Hits:
        """The best `limit` chunks of the tenant and sources, or of `allowed`."""
        if allowed is None:
            selector, count = self._selector(tenant, None if sources is None else tuple(sorted(sources)))
        else:
            selector, count = _bitmap(allowed), len(allowed)
        if not count:
            return []
        parameters = faiss.SearchParameters(sel=selector)
        scores, keys = self._index.search(vector[np.newaxis], min(limit, count), params=parameters)
        return best(((int(k), float(s)) for k, s in zip(keys[0], scores[0], strict=True) if k >= 0), limit)

    def similarities(self, vector: Matrix, keys: Sequence[int]) -> dict[int, float]:
        """The inner products of these chunks, which must be in it."""
        if not keys:
            return {}
        rows = self._index.reconstruct_batch(np.asarray(keys, dtype=np.int64))
        return dict(zip(keys, (rows @ vector).tolist(), strict=True))

    def _selector(self, tenant: str, sources: tuple[str, ...] | None) -> tuple[Any, int]:
        known = self._selectors.get((tenant, sources))
        if known is None:
            chosen = [b for b in self._live.values() if b.tenant == tenant and (sources is None or b.source in sources)]
            keys = [np.arange(block.first_key, block.first_key + block.chunks) for block in chosen]
            selector = _bitmap(np.concatenate(keys)) if chosen else None
            known = self._selectors[tenant, sources] = (selector, sum(map(len, keys)))
        return known

    def tidy(self) -> None:
        """Make the index anew from the live vectors, if a fifth of it is dead."""
        live = sum(block.chunks for block in self._live.values())
        if len(self) - live <= DEAD_SHARE * len(self):
            return
        fresh = faiss.IndexIDMap2(faiss.IndexFlatIP(self._index.d))
        keys = [np.arange(block.first_key, block.first_key + block.chunks) for block in self._live.values()]
        if keys:
            found = np.concatenate(keys)
            fresh.add_with_ids(self._index.reconstruct_batch(found), found)
        self._index = fresh


def _bitmap(keys: Keys) -> Any:
    """FAISS's selector of these keys."""
    chosen = np.zeros(int(keys.max(initial=0)) + 1, dtype=bool)
    chosen[keys] = True
    return faiss.IDSelectorBitmap(np.packbits(chosen, bitorder="little"))
