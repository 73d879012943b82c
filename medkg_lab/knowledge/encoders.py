"""Turning a query into a vector with the model that made the index."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from medkg_lab.errors import LabError, ServiceError
from medkg_lab.logs import fields
from medkg_lab.stages.contracts import SparseVectors
from medkg_lab.stages.embed.endpoint import EndpointEncoder
from medkg_lab.stages.embed.implementation import OPENAI
from medkg_lab.stages.embed.options import OpenAIOptions, Precision, SpladeOptions
from medkg_lab.stages.embed.weights import MODEL_IDS
from medkg_lab.topology.profiles import StageChoice

_LOG = logging.getLogger(__name__)

Matrix = npt.NDArray[np.float32]


class Encoder(Protocol):
    """A model that gives unit vectors for texts, of shape (texts, dimension)."""

    def encode(self, texts: Sequence[str]) -> Matrix: ...


class SparseEncoder(Protocol):
    """A model that gives the sparse vector of a query, one text."""

    def query(self, text: str) -> SparseVectors: ...


class Encoders:
    """The models that this process can load, by the name in the index; each is loaded when it is first needed.

    One that cannot be loaded stays so until the process starts again.
    """

    def __init__(
        self,
        loaders: Mapping[str, Callable[[], Encoder]],
        sparse: Mapping[str, Callable[[], SparseEncoder]] | None = None,
        own: Path | None = None,
    ) -> None:
        self._own = own
        self._loaders: dict[tuple[str, str], Callable[[], Any]] = {
            ("dense", name): one for name, one in loaders.items()
        }
        self._loaders |= {("sparse", name): one for name, one in (sparse or {}).items()}
        self._loaded: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()

    @classmethod
    def standard(cls, cache: Path, embedding: StageChoice | None = None, own: Path | None = None) -> "Encoders":
        """The models of the profile's `embedding`; `cache` is where the packaged one is kept, `own` has the user's.

        With an endpoint there is nothing but that: no query of such a profile is computed on the processor.
        """

        def minilm(precision: Precision) -> Encoder:
            from medkg_lab.stages.embed.minilm import MiniLM

            return MiniLM(cache, threads=1, precision=precision)

        if embedding is not None and embedding.implementation == OPENAI.name:
            options = OpenAIOptions.model_validate(embedding.with_)
            sparse = options.sparse
            weighing = {} if sparse is None else {sparse.model: lambda: _splade(sparse)}
            return cls({options.model: lambda: EndpointEncoder(options)}, weighing)
        loaders: dict[str, Callable[[], Encoder]] = {
            model: partial(minilm, precision) for precision, model in MODEL_IDS.items()
        }
        return cls(loaders, own=own)

    @property
    def sparse_models(self) -> list[str]:
        """The names of the sparse models."""
        return [name for kind, name in self._loaders if kind == "sparse"]

    def embed(self, model: str, text: str) -> Matrix | str:
        """The vector of `text`, of shape (dimension,), or why this process has none: another model's is not a substitute."""
        encoder = self._encoder("dense", model)
        if isinstance(encoder, str):
            return encoder
        try:
            vector: Matrix = encoder.encode([text])[0]
        except ServiceError as error:
            return str(error)
        return vector

    def weigh(self, model: str, text: str) -> SparseVectors | str:
        """The sparse vector of `text`, or why this process has none."""
        encoder = self._encoder("sparse", model)
        if isinstance(encoder, str):
            return encoder
        try:
            weights: SparseVectors = encoder.query(text)
        except ServiceError as error:
            return str(error)
        return weights

    def _encoder(self, kind: str, model: str) -> Any:
        with self._lock:
            if (kind, model) not in self._loaded:
                self._loaded[kind, model] = self._load(kind, model)
            return self._loaded[kind, model]

    def _load(self, kind: str, model: str) -> Any:
        loader = self._loaders.get((kind, model))
        try:
            if loader is not None:
                return loader()
            own = _own_encoder(self._own, model) if kind == "dense" else None
            return own or f"the profile has no query encoder for {model}"
        except LabError as error:
            _LOG.error("%s", error, extra=fields(event="encoder.failed"))
            return str(error)


def _own_encoder(folder: Path | None, model: str) -> Encoder | None:
    """The user's model whose vectors bear this name, whichever profile or pipeline chose it."""
    from medkg_lab.stages.embed import own_models
    from medkg_lab.stages.embed.onnx_encoder import OnnxEncoder

    name = model.rpartition("@")[0]
    if folder is None or name not in own_models.names(folder) or own_models.find(folder, name).model_id != model:
        return None
    return OnnxEncoder.load(folder, name, "query", threads=1)


def _splade(options: SpladeOptions) -> SparseEncoder:
    from medkg_lab.stages.embed.splade import Splade

    return Splade.load(options)
