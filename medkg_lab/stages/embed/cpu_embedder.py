"""The embed stage that computes on the processor: one encoder for the chunks of all documents of a batch."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from medkg_lab.errors import LabError
from medkg_lab.models.documents import Chunk
from medkg_lab.stages.contracts import Embeddings, StageContext

DEVICE = "cpu"


class Encoder(Protocol):
    """A model in this process: unit vectors of shape (texts, dimension). `made_with` are the options that name it."""

    model: str
    dimension: int
    made_with: Mapping[str, str]

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]: ...


class CpuEmbedder:
    """Embeds by the encoder that `load` gives, which is asked once, with the first document at the latest."""

    def __init__(self, load: Callable[[], Encoder]) -> None:
        self._load = load
        self._encoder: Encoder | None = None
        self._lock = threading.Lock()

    @property
    def encoder(self) -> Encoder:
        """The encoder, loaded when it is first asked for. Raises what `load` does."""
        with self._lock:
            self._encoder = self._encoder or self._load()
            return self._encoder

    @property
    def made_with(self) -> Mapping[str, str]:
        """The options that name the encoder exactly; none before it is loaded."""
        return self._encoder.made_with if self._encoder is not None else {}

    def execute(self, context: StageContext, item: tuple[Chunk, ...]) -> Embeddings:
        """Embed one document's chunks."""
        return self._embed([item])[0]

    def execute_many(
        self, contexts: Sequence[StageContext], items: Sequence[tuple[Chunk, ...]]
    ) -> Sequence[Embeddings | LabError]:
        """Embed the chunks of several documents; the outcomes stand in their order."""
        return self._embed(items)

    def _embed(self, items: Sequence[tuple[Chunk, ...]]) -> list[Embeddings]:
        encoder = self.encoder
        vectors = encoder.encode([chunk.text for item in items for chunk in item])
        ends = np.cumsum([len(item) for item in items]).tolist()
        return [
            Embeddings(
                encoder.model,
                encoder.dimension,
                DEVICE,
                tuple(chunk.chunk_id for chunk in item),
                vectors[end - len(item) : end],
            )
            for item, end in zip(items, ends, strict=True)
        ]
