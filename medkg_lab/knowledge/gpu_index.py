"""Vectors on a GPU: an index for each tenant and source, because a flat index there cannot be told which vectors to look at.

FAISS's GpuIndexFlat takes a selector and ignores it (facebookresearch/faiss, issues 3114 and 3924), so what a search must not see
has to be in another index.
"""

import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from medkg_lab.gpu.guard import judge
from medkg_lab.gpu.nvml import survey
from medkg_lab.knowledge.errors import FaissWithoutGpu, VectorsLost, VectorsOutOfMemory
from medkg_lab.knowledge.faiss_index import DEAD_SHARE, Hits, Matrix, best, faiss
from medkg_lab.knowledge.passages import Block, Keys
from medkg_lab.stages.index.options import VectorsOnGpu
from medkg_lab.stages.registry import GpuNeed

MOST = 2048
"""Hits that FAISS gives on a GPU at most (faiss/gpu/utils/DeviceDefs.cuh, GPU_MAX_SELECTION_K)."""
MAX_DEAD = MOST // 4
"""Dropped vectors that an index may have: they are asked for beside the hits and thrown away."""
SCRATCH_BYTES = 64 * 1024 * 1024
"""FAISS's working memory on the GPU; of itself it takes more, which the models need."""

MakeIndex = Callable[[int], Any]
"""Makes an empty inner product index of a dimension, such as faiss.GpuIndexFlatIP."""


@dataclass
class _Shard:
    """One index: block `n` has the rows from `starts[n]` on; `dead` rows are of dropped blocks."""

    index: Any
    starts: list[int] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    dropped: set[int] = field(default_factory=set)
    dead: int = 0

    def add(self, block: Block, matrix: Matrix) -> None:
        self.starts.append(int(self.index.ntotal))
        self.blocks.append(block)
        self.index.add(np.ascontiguousarray(matrix, dtype=np.float32))

    def drop(self, block: Block) -> None:
        self.dropped.add(block.first_key)
        self.dead += block.chunks

    def search(self, vector: Matrix, limit: int) -> Iterator[tuple[int, float]]:
        asked = min(limit + self.dead, int(self.index.ntotal), MOST)
        if not asked:
            return
        scores, rows = self.index.search(vector[np.newaxis], asked)
        for row, score in zip(rows[0].tolist(), scores[0].tolist(), strict=True):
            place = bisect_right(self.starts, row) - 1
            block = self.blocks[place] if row >= 0 else None
            if block is not None and block.first_key not in self.dropped:
                yield block.first_key + row - self.starts[place], float(score)

    def without_dead(self, index: Any) -> "_Shard":
        """The same in an empty index, without what was dropped."""
        fresh = _Shard(index)
        rows = self.index.reconstruct_n(0, self.index.ntotal)
        for start, block in zip(self.starts, self.blocks, strict=True):
            if block.first_key not in self.dropped:
                fresh.add(block, rows[start : start + block.chunks])
        return fresh


class Shards:
    """A `Flat` of indexes that take no selector; `make` makes them and `device` is where, for messages.

    A search gives 2048 hits of a tenant and source at most. FAISS's GPU indexes are for one thread at a time. Every method raises
    VectorsLost or VectorsOutOfMemory when the GPU fails; nothing it held can be relied upon then.
    """

    def __init__(self, dimension: int, make: MakeIndex, device: int) -> None:
        self._dimension = dimension
        self._make = make
        self._device = device
        self._shards: dict[tuple[str, str], _Shard] = {}
        self._lock = threading.Lock()

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except RuntimeError as error:  # what FAISS raises for every failure of CUDA
                kind = VectorsOutOfMemory if "out of memory" in str(error) else VectorsLost
                raise kind(device=self._device, detail=" ".join(str(error).split())[-300:]) from error

    def add(self, block: Block, matrix: Matrix) -> None:
        """Take in a block's vectors."""
        with self._at_work():
            place = block.tenant, block.source
            if place not in self._shards:
                self._shards[place] = _Shard(self._make(self._dimension))
            self._shards[place].add(block, matrix)

    def drop(self, block: Block) -> None:
        """Never find this block again."""
        with self._at_work():
            self._shards[block.tenant, block.source].drop(block)

    def search(
        self, vector: Matrix, limit: int, tenant: str, sources: Sequence[str] | None, allowed: Keys | None = None
    ) -> Hits:
        """The best `limit` chunks of the tenant and sources; `allowed` holds among the best 2048 of each source."""
        with self._at_work():
            found = [
                hit
                for (owner, source), shard in self._shards.items()
                if owner == tenant and (sources is None or source in sources)
                for hit in shard.search(vector, limit if allowed is None else MOST)
            ]
        fitting = None if allowed is None else set(allowed.tolist())
        return best((hit for hit in found if fitting is None or hit[0] in fitting), limit)

    def similarities(self, vector: Matrix, keys: Sequence[int]) -> dict[int, float]:
        """None: single rows would have to be fetched from the GPU."""
        return {}

    def tidy(self) -> None:
        """Make those indexes anew that have too many dropped vectors."""
        with self._at_work():
            for place, shard in self._shards.items():
                if shard.dead > min(MAX_DEAD, DEAD_SHARE * shard.index.ntotal):
                    self._shards[place] = shard.without_dead(self._make(self._dimension))


def on_gpu(options: VectorsOnGpu) -> Callable[[int], Shards]:
    """What makes an index of a dimension on the GPU. Raises GpuUnavailable and FaissWithoutGpu."""
    device = options.device
    judge("knowledge.index", GpuNeed(options.memory_mib, device=device), survey())
    if not hasattr(faiss, "StandardGpuResources"):
        raise FaissWithoutGpu(device=device, version=faiss.__version__, found="was built for the processor alone")
    if device >= (count := faiss.get_num_gpus()):
        raise FaissWithoutGpu(device=device, version=faiss.__version__, found=f"finds {count} GPUs")
    resources = faiss.StandardGpuResources()
    resources.setTempMemory(SCRATCH_BYTES)
    chosen = faiss.GpuIndexFlatConfig()
    chosen.device = device

    def make(dimension: int) -> Any:
        return faiss.GpuIndexFlatIP(resources, dimension, chosen)

    return lambda dimension: Shards(dimension, make, device)
