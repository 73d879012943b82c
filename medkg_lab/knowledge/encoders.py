"""Turning a query into a vector with the model that made the index."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from medkg_lab.errors import LabError, ServiceError
from medkg_lab.knowledge.endpoint import EndpointEncoder
from medkg_lab.stages.embed.implementation import OPENAI
from medkg_lab.stages.embed.options import OpenAIOptions, Precision
from medkg_lab.stages.embed.weights import INT8_MODEL_ID, MODEL_ID
from medkg_lab.topology.profiles import StageChoice

_LOG = logging.getLogger(__name__)

Matrix = npt.NDArray[np.float32]


class Encoder(Protocol):
    """A model that gives unit vectors for texts, of shape (texts, dimension)."""

    def encode(self, texts: Sequence[str]) -> Matrix: ...


class Encoders:
    """The models that this process can load, by the name in the index's manifest; each is loaded when it is first needed."""

    def __init__(self, loaders: Mapping[str, Callable[[], Encoder]]) -> None:
        self._loaders = loaders
        self._loaded: dict[str, Encoder | str] = {}
        self._lock = threading.Lock()

    @classmethod
    def standard(cls, cache: Path, embedding: StageChoice | None = None) -> "Encoders":
        """What the lab brings along, and the endpoint of the profile's `embedding`; `cache` is where models are kept."""

        def minilm(precision: Precision) -> Encoder:
            from medkg_lab.stages.embed.minilm import MiniLM

            return MiniLM(cache, threads=1, precision=precision)

        loaders: dict[str, Callable[[], Encoder]] = {
            MODEL_ID: lambda: minilm("fp32"),
            INT8_MODEL_ID: lambda: minilm("int8"),
        }
        if embedding is not None and embedding.implementation == OPENAI.name:
            options = OpenAIOptions.model_validate(embedding.with_)
            loaders[options.model] = lambda: EndpointEncoder(options)
        return cls(loaders)

    def embed(self, model: str, text: str) -> Matrix | str:
        """The vector of `text`, of shape (dimension,), or why this process has none: another model's is no substitute."""
        encoder = self._encoder(model)
        if isinstance(encoder, str):
            return encoder
        try:
            vector: Matrix = encoder.encode([text])[0]
        except ServiceError as error:
            return str(error)
        return vector

    def _encoder(self, model: str) -> Encoder | str:
        with self._lock:
            if model not in self._loaded:
                self._loaded[model] = self._load(model)
            return self._loaded[model]

    def _load(self, model: str) -> Encoder | str:
        loader = self._loaders.get(model)
        if loader is None:
            return f"this process has no query encoder for {model}"
        try:
            return loader()
        except LabError as error:
            _LOG.error("%s", error)
            return str(error)
