"""Learned sparse vectors (SPLADE) by sentence-transformers on a GPU of this machine; there is no other way to them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from medkg_lab.models.documents import Chunk
from medkg_lab.stages.contracts import Embeddings, SparseVectors, StageContext
from medkg_lab.stages.embed.errors import (
    SpladeOutOfMemory,
    SpladePackageMissing,
    SpladeUnloadable,
    SpladeWithoutGpu,
)
from medkg_lab.stages.embed.openai_answers import short
from medkg_lab.stages.embed.options import SpladeOptions


class Splade:
    """A loaded model: `encoder` is sentence-transformers' SparseEncoder."""

    def __init__(self, encoder: Any, options: SpladeOptions) -> None:
        self._encoder = encoder
        self._options = options

    @classmethod
    def load(cls, options: SpladeOptions) -> "Splade":
        """Load the model onto its GPU. Raises SpladePackageMissing, SpladeWithoutGpu, SpladeUnloadable or SpladeOutOfMemory."""
        try:
            # Only here: the packages of the default installation have no torch among them.
            import torch
            from sentence_transformers import SparseEncoder
        except ImportError as error:
            raise SpladePackageMissing(model=options.model, detail=str(error)) from None
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if options.device >= count:
            found = f"{count} GPUs" if count else "no GPU"
            raise SpladeWithoutGpu(model=options.model, device=options.device, found=found)
        try:
            encoder = SparseEncoder(options.model, device=f"cuda:{options.device}", local_files_only=True)
        except torch.cuda.OutOfMemoryError as error:
            raise SpladeOutOfMemory(model=options.model, device=options.device, detail=short(str(error))) from error
        except (OSError, ValueError) as error:
            raise SpladeUnloadable(model=options.model, detail=short(str(error))) from error
        return cls(encoder, options)

    def documents(self, texts: Sequence[str]) -> SparseVectors:
        """The sparse vectors of passages. Raises SpladeOutOfMemory."""
        return self._encode(self._encoder.encode_document, texts)

    def query(self, text: str) -> SparseVectors:
        """The sparse vector of a query. Raises SpladeOutOfMemory."""
        return self._encode(self._encoder.encode_query, [text])

    def _encode(self, encode: Any, texts: Sequence[str]) -> SparseVectors:
        chosen = self._options
        if not texts:
            empty = np.zeros(0, dtype=np.int64)
            return from_coordinates(chosen.model, 0, empty, empty, empty.astype(np.float32))
        try:
            matrix = encode(
                list(texts), batch_size=chosen.batch_size, max_active_dims=chosen.max_terms, show_progress_bar=False
            ).coalesce()
        except RuntimeError as error:
            if "out of memory" not in str(error).lower():
                raise
            raise SpladeOutOfMemory(model=chosen.model, device=chosen.device, detail=short(str(error))) from error
        rows, terms = matrix.indices().cpu().numpy()
        return from_coordinates(chosen.model, len(texts), rows, terms, matrix.values().float().cpu().numpy())


def from_coordinates(model: str, texts: int, rows: Any, terms: Any, weights: Any) -> SparseVectors:
    """Sparse vectors from a matrix's coordinates: arrays of row numbers, of column numbers, and of what stands there.

    Weights that are not positive are skipped.
    """
    kept = weights > 0
    rows, terms, weights = rows[kept], terms[kept], weights[kept]
    order = np.lexsort((terms, rows))
    starts = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=texts)))).astype(np.int64)
    return SparseVectors(model, starts, terms[order].astype(np.int32), weights[order].astype(np.float32))


class DenseStage(Protocol):
    """An embed stage for whole batches, all of which succeeds or fails."""

    def execute_many(
        self, contexts: Sequence[StageContext], items: Sequence[tuple[Chunk, ...]]
    ) -> Sequence[Embeddings]: ...


class WithSparse:
    """An embed stage whose embeddings get sparse vectors as well: both, or neither."""

    def __init__(self, dense: DenseStage, splade: Splade) -> None:
        self._dense = dense
        self._splade = splade

    def execute(self, context: StageContext, item: tuple[Chunk, ...]) -> Embeddings:
        """Embed one document's chunks. Raises a ServiceError."""
        return self.execute_many([context], [item])[0]

    def execute_many(self, contexts: Sequence[StageContext], items: Sequence[tuple[Chunk, ...]]) -> list[Embeddings]:
        """Embed the chunks of several documents. A ServiceError stands for the whole batch."""
        embedded = self._dense.execute_many(contexts, items)
        sparse = self._splade.documents([chunk.text for item in items for chunk in item])
        ends = np.cumsum([len(item) for item in items]).tolist()
        return [
            replace(each, sparse=sparse.part(end - len(item), end))
            for each, item, end in zip(embedded, items, ends, strict=True)
        ]
