"""Turning a query into a vector with the model that made the index."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from medkg_lab.errors import LabError
from medkg_lab.stages.embed.options import Precision
from medkg_lab.stages.embed.weights import INT8_MODEL_ID, MODEL_ID

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
    def standard(cls, cache: Path) -> "Encoders":
        """What the lab brings along; `cache` is where models are kept."""

        def minilm(precision: Precision) -> Encoder:
            from medkg_lab.stages.embed.minilm import MiniLM

            return MiniLM(cache, threads=1, precision=precision)

        return cls({MODEL_ID: lambda: minilm("fp32"), INT8_MODEL_ID: lambda: minilm("int8")})

    def embed(self, model: str, text: str) -> Matrix | str:
        """The vector of `text`, of shape (dimension,), or why this process has none."""
        encoder = self._encoder(model)
        return encoder if isinstance(encoder, str) else encoder.encode([text])[0]

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
