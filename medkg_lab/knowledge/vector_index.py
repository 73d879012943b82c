"""Search by meaning: exact inner products over unit vectors, in an index that follows the store."""

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import orjson

from medkg_lab.errors import LabError
from medkg_lab.files import replace_private
from medkg_lab.knowledge import passages
from medkg_lab.knowledge.database import Database
from medkg_lab.knowledge.faiss_index import CpuFlatIndex, FlatIndex, Hits, Matrix, faiss
from medkg_lab.knowledge.passages import Block, Keys
from medkg_lab.logs import fields

_LOG = logging.getLogger(__name__)
_SNAPSHOT_AT_LEAST = 2_000
_FORMAT = f"1, of FAISS {faiss.__version__.split('.')[0]}"
"""What a snapshot must be to be read: of this layout, and of a FAISS whose own format is the same."""

Manifest = tuple[str, int]
Make = Callable[[int], FlatIndex]


class VectorIndex:
    """Which vectors are live, and the index that searches them; `swap` must not run beside a search.

    `make` gives an empty index of a dimension, or is why there can be none. `failure` says that nothing is searched, and why: a
    GPU that is missing or has failed has no substitute. The store goes on without.

    An index on the processor is kept as a snapshot; one on a GPU is made from the store at every start.
    """

    def __init__(self, folder: Path, make: Make | LabError = CpuFlatIndex) -> None:
        self._snapshot = folder / "vectors.faiss"
        self._facts = folder / "vectors.json"
        self._make = make
        self._manifest: Manifest | None = None
        self._flat: FlatIndex | None = None
        self._live: dict[int, Block] = {}
        self._unsaved = 0
        self.failure: LabError | None = make if isinstance(make, LabError) else None
        self.revision = 0

    @classmethod
    def follow(cls, folder: Path, database: Database, make: Make | LabError = CpuFlatIndex) -> "VectorIndex":
        """Take the snapshot, if there is a sound one of this store, and bring it to the store's revision."""
        index = cls(folder, make)
        revision, manifest = database.position("revision"), database.manifest()
        live = passages.blocks(database)
        if make is CpuFlatIndex and (data := index._load_snapshot(revision, manifest)) is not None:
            flat = CpuFlatIndex.restored(data, live)
            index._manifest, index._flat = manifest, flat
            index._live = {block.first_key: block for block in flat.blocks}
        missing = [block for block in live if block.first_key not in index._live]
        index.swap(revision, manifest, cls.fetch(database, missing, manifest), ())
        index.maintain()
        return index

    def _load_snapshot(self, revision: int, manifest: Manifest | None) -> bytes | None:
        """The snapshot's index, if it can be used."""
        try:
            facts = orjson.loads(self._facts.read_bytes())
            data = self._snapshot.read_bytes()
        except FileNotFoundError:
            return None
        except orjson.JSONDecodeError:
            facts, data = {"format": _FORMAT}, b""
        found = facts.get("format") if isinstance(facts, dict) else None
        if found != _FORMAT:
            _LOG.warning(
                "the vector snapshot has format %s and this program reads %s; the index is built from the store",
                found,
                _FORMAT,
                extra=fields(event="snapshot.refused"),
            )
            return None
        if facts.get("sha256") != hashlib.sha256(data).hexdigest():
            _LOG.warning(
                "the vector snapshot is damaged; the index is built from the store",
                extra=fields(event="snapshot.refused"),
            )
            return None
        ours = facts["revision"] <= revision and manifest == (facts["model"], facts["dimension"])
        return data if ours else None

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
        dropped = [block for first_key in replaced if (block := self._live.pop(first_key, None)) is not None]
        fresh = [(block, matrix) for block, matrix in added if block.first_key not in self._live]
        self._live |= {block.first_key: block for block, _ in fresh}
        self._unsaved += sum(block.chunks for block, _ in fresh)
        self.revision = revision
        with self._failing():
            if self._flat is not None:
                for block in dropped:
                    self._flat.drop(block)
            if manifest is not None and manifest != self._manifest:
                self._manifest = manifest
                self._flat = self._make(manifest[1]) if callable(self._make) else None
            if self._flat is not None:
                for block, matrix in fresh:
                    self._flat.add(block, matrix)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """What an index raises ends its use."""
        try:
            yield
        except LabError as error:
            _LOG.error("%s", error, extra=fields(event="vectors.failed"))
            self.failure, self._flat, self._make = error, None, error

    @property
    def model(self) -> str | None:
        """The model of the vectors, or None while there are none."""
        return self._manifest[0] if self._manifest and self._live else None

    def __len__(self) -> int:
        return sum(block.chunks for block in self._live.values())

    def search(
        self, vector: Matrix, limit: int, tenant: str, sources: Sequence[str] | None, allowed: Keys | None = None
    ) -> Hits:
        """The keys of the `limit` live chunks of the tenant and sources with the largest inner products, best first, ties by key.

        `vector` is of shape (dimension,). The condition holds before ranking: whoever asks for 10 of 50 gets 10. With `allowed`,
        sorted keys, only these.
        """
        with self._failing():
            if self._flat is not None:
                return self._flat.search(vector, limit, tenant, sources, allowed)
        return []

    def similarities(self, vector: Matrix, keys: Sequence[int]) -> dict[int, float]:
        """The inner products of live chunks, as far as the index can look them up."""
        with self._failing():
            if self._flat is not None:
                return self._flat.similarities(vector, keys)
        return {}

    def maintain(self) -> None:
        """Leave dead vectors behind, and keep a snapshot, when enough has changed to be worth it."""
        with self._failing():
            if self._flat is not None:
                self._flat.tidy()
        if self._unsaved >= max(_SNAPSHOT_AT_LEAST, len(self) // 4):
            self.save()

    def save(self) -> None:
        """Keep a snapshot: the index, then the facts that vouch for it; a crash between the two makes neither count."""
        if not isinstance(self._flat, CpuFlatIndex) or self._manifest is None:
            return
        data = self._flat.serialize()
        facts = {
            "format": _FORMAT,
            "revision": self.revision,
            "model": self._manifest[0],
            "dimension": self._manifest[1],
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        replace_private(self._snapshot, data, durable=True)
        replace_private(self._facts, orjson.dumps(facts), durable=True)
        self._unsaved = 0
