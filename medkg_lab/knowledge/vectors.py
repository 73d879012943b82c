"""Search by meaning: exact inner products over unit vectors, in a FAISS index that follows the store."""

import hashlib
import logging
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import faiss as _faiss
import numpy as np
import numpy.typing as npt
import orjson

from medkg_lab.knowledge import files, passages
from medkg_lab.knowledge.database import Database
from medkg_lab.knowledge.passages import Block

# The generated wrappers take other arguments than their signatures say.
faiss: Any = _faiss
# One search is too short to be worth sharing out, and threads that wait for more would take cores from other processes.
faiss.omp_set_num_threads(1)

_LOG = logging.getLogger(__name__)
_SNAPSHOT_AT_LEAST = 2_000
_DEAD_SHARE = 0.2
_FORMAT = f"1, of FAISS {faiss.__version__.split('.')[0]}"
"""What a snapshot must be to be read: of this layout, and of a FAISS whose own format is the same."""

Matrix = npt.NDArray[np.float32]
Manifest = tuple[str, int]


class VectorIndex:
    """All vectors ever added, by chunk key, and which of them are live.

    A replaced document's vectors stay in the index until they are a fifth of it, because taking vectors out costs a pass over
    all; a search only looks at live ones. `swap` must not run beside a search.
    """

    def __init__(self, folder: Path) -> None:
        self._snapshot = folder / "vectors.faiss"
        self._facts = folder / "vectors.json"
        self._manifest: Manifest | None = None
        self._index: Any = None
        self._live: dict[int, Block] = {}
        self._starts: list[int] = []
        self._selectors: dict[tuple[str, tuple[str, ...] | None], tuple[Any, int]] = {}
        self._unsaved = 0
        self.revision = 0

    @classmethod
    def follow(cls, folder: Path, database: Database) -> "VectorIndex":
        """Take the snapshot, if there is a sound one of this store, and bring it to the store's revision."""
        index = cls(folder)
        revision, manifest = database.position("revision"), database.manifest()
        index._load(revision, manifest)
        live = passages.blocks(database)
        held = set() if index._index is None else set(faiss.vector_to_array(index._index.id_map).tolist())
        index._live = {block.first_key: block for block in live if block.first_key in held}
        missing = [block for block in live if block.first_key not in held]
        index.swap(revision, manifest, cls.fetch(database, missing, manifest), ())
        index.maintain()
        return index

    def _load(self, revision: int, manifest: Manifest | None) -> None:
        try:
            facts = orjson.loads(self._facts.read_bytes())
            data = self._snapshot.read_bytes()
        except FileNotFoundError:
            return
        except orjson.JSONDecodeError:
            facts, data = {"format": _FORMAT}, b""
        found = facts.get("format") if isinstance(facts, dict) else None
        if found != _FORMAT:
            _LOG.warning(
                "the vector snapshot has format %s and this program reads %s; the index is built from the store",
                found,
                _FORMAT,
            )
        elif facts.get("sha256") != hashlib.sha256(data).hexdigest():
            _LOG.warning("the vector snapshot is damaged; the index is built from the store")
        elif facts["revision"] <= revision and manifest == (facts["model"], facts["dimension"]):
            self._manifest = manifest
            self._index = faiss.deserialize_index(np.frombuffer(data, dtype=np.uint8))

    @staticmethod
    def fetch(database: Database, blocks: Sequence[Block], manifest: Manifest | None) -> Iterable[tuple[Block, Matrix]]:
        """Read the vectors of blocks from the store, a slice at a time."""
        by_key = {block.first_key: block for block in blocks}
        for first_key, rows in passages.vectors(database, list(by_key)):
            block = by_key[first_key]
            yield block, np.frombuffer(rows, dtype="<f4").reshape(block.chunks, -1)

    def swap(
        self,
        revision: int,
        manifest: Manifest | None,
        added: Iterable[tuple[Block, Matrix]],
        replaced: Iterable[int],
    ) -> None:
        """Make blocks of vectors live, and those with the first keys in `replaced` not."""
        if manifest is not None and manifest != self._manifest:
            self._manifest = manifest
            self._index = faiss.IndexIDMap2(faiss.IndexFlatIP(manifest[1]))
        for first_key in replaced:
            self._live.pop(first_key, None)
        for block, matrix in added:
            if block.first_key not in self._live:
                self._index.add_with_ids(matrix, np.arange(block.first_key, block.first_key + block.chunks))
                self._live[block.first_key] = block
                self._unsaved += block.chunks
        self._starts = sorted(self._live)
        self._selectors.clear()
        self.revision = revision

    @property
    def model(self) -> str | None:
        """The model of the vectors, or None while there are none."""
        return self._manifest[0] if self._manifest and self._live else None

    def owners(self, keys: Iterable[int]) -> dict[int, str]:
        """The document of each key; keys that are not live are left out."""
        found = {}
        for key in keys:
            place = bisect_right(self._starts, key) - 1
            block = self._live[self._starts[place]] if place >= 0 else None
            if block is not None and key < block.first_key + block.chunks:
                found[key] = block.doc_id
        return found

    def __len__(self) -> int:
        return sum(block.chunks for block in self._live.values())

    def search(self, vector: Matrix, limit: int, tenant: str, sources: Sequence[str] | None) -> list[tuple[int, float]]:
        """The keys of the `limit` live chunks of the tenant and sources with the largest inner products, best first, ties by key.

        `vector` is of shape (dimension,). The condition holds before ranking: whoever asks for 10 of 50 gets 10.
        """
        selector, count = self._selector(tenant, None if sources is None else tuple(sorted(sources)))
        if not count:
            return []
        parameters = faiss.SearchParameters(sel=selector)
        scores, keys = self._index.search(vector[np.newaxis], min(limit, count), params=parameters)
        found = [(int(k), float(s)) for k, s in zip(keys[0], scores[0], strict=True) if k >= 0]
        return sorted(found, key=lambda pair: (-pair[1], pair[0]))

    def _selector(self, tenant: str, sources: tuple[str, ...] | None) -> tuple[Any, int]:
        known = self._selectors.get((tenant, sources))
        if known is None:
            chosen = [b for b in self._live.values() if b.tenant == tenant and (sources is None or b.source in sources)]
            allowed = np.zeros(max((b.first_key + b.chunks for b in chosen), default=0), dtype=bool)
            for block in chosen:
                allowed[block.first_key : block.first_key + block.chunks] = True
            selector = faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little")) if chosen else None
            known = self._selectors[tenant, sources] = (selector, int(allowed.sum()))
        return known

    def maintain(self) -> None:
        """Leave dead vectors behind, and keep a snapshot, when enough has changed to be worth it."""
        if self._index is None:
            return
        if self._index.ntotal - len(self) > _DEAD_SHARE * self._index.ntotal:
            self._compact()
        if self._unsaved >= max(_SNAPSHOT_AT_LEAST, self._index.ntotal // 4):
            self.save()

    def _compact(self) -> None:
        fresh = faiss.IndexIDMap2(faiss.IndexFlatIP(self._index.d))
        keys = [np.arange(block.first_key, block.first_key + block.chunks) for block in self._live.values()]
        if keys:
            live = np.concatenate(keys)
            fresh.add_with_ids(self._index.reconstruct_batch(live), live)
        self._index = fresh

    def save(self) -> None:
        """Keep a snapshot: the index, then the facts that vouch for it; a crash between the two makes neither count."""
        if self._index is None or self._manifest is None:
            return
        data = faiss.serialize_index(self._index).tobytes()
        facts = {
            "format": _FORMAT,
            "revision": self.revision,
            "model": self._manifest[0],
            "dimension": self._manifest[1],
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        files.replace(self._snapshot, data)
        files.replace(self._facts, orjson.dumps(facts))
        self._unsaved = 0
