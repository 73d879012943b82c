"""A user's own sentence encoder on the CPU: an ONNX graph and a tokenizer, through ONNX Runtime."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Tokenizer

from medkg_lab.stages.embed.errors import ModelUnusable
from medkg_lab.stages.embed.own_models import GRAPH, TOKENIZER, EncoderSettings, Pooling, find

Matrix = npt.NDArray[np.float32]
Role = Literal["passage", "query"]

_IDS, _MASK, _SEGMENTS = "input_ids", "attention_mask", "token_type_ids"
_CHARACTERS_PER_TOKEN = 100


class Graph:
    """A loaded graph. Raises ModelUnusable when it cannot be loaded, or takes other inputs than token ids, mask and segments."""

    def __init__(self, name: str, data: bytes, threads: int | None = None) -> None:
        self._name = name
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or len(os.sched_getaffinity(0))
        options.inter_op_num_threads = 1
        # Threads that spin between texts take the cores away from the lab's other processes.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Its own lines on stderr would quote the file, past what makes foreign text safe.
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # noqa: BLE001 - the runtime's errors have no common base, and the file is a stranger's
            raise ModelUnusable(name=name, detail=f"ONNX Runtime does not load it: {_short(error)}") from None
        self._inputs = [one.name for one in self._session.get_inputs()]
        self.outputs: Mapping[str, int] = {one.name: len(one.shape) for one in self._session.get_outputs()}
        """Their numbers of axes by name."""
        if _IDS not in self._inputs or (others := set(self._inputs) - {_IDS, _MASK, _SEGMENTS}):
            wanted = ", ".join(sorted(others)) if _IDS in self._inputs else f"no {_IDS}"
            raise ModelUnusable(name=name, detail=f"it does not take {_IDS}, {_MASK} and {_SEGMENTS} alone: {wanted}")

    def run(self, output: str, ids: Sequence[int]) -> Matrix:
        """The output for one text, without the axis of the batch. Raises ModelUnusable."""
        row = np.asarray([ids], dtype=np.int64)
        given = {_IDS: row, _MASK: np.ones_like(row), _SEGMENTS: np.zeros_like(row)}
        try:
            result = self._session.run([output], {name: given[name] for name in self._inputs})[0]
        except Exception as error:  # noqa: BLE001 - as above
            raise ModelUnusable(name=self._name, detail=f"it fails at {len(ids)} tokens: {_short(error)}") from None
        found: Matrix = np.asarray(result, dtype=np.float32)[0]
        return found


class OnnxEncoder:
    """The model, ready to encode; safe to use from several threads.

    Texts are computed one by one, so that a vector depends on its text alone whatever the graph does with a batch.
    """

    def __init__(self, model: str, settings: EncoderSettings, graph: Graph, tokenizer: Tokenizer, role: Role) -> None:
        self.model = model
        self.made_with: Mapping[str, str] = {"model": model}
        self.dimension = settings.dimension
        self._settings = settings
        self._graph = graph
        self._tokenizer = tokenizer
        self._prefix = settings.query_prefix if role == "query" else settings.passage_prefix

    @classmethod
    def load(cls, folder: Path | None, name: str, role: Role = "passage", threads: int | None = None) -> "OnnxEncoder":
        """Load a model of `folder`. Raises ModelNotFound, ModelDamaged or ModelUnusable."""
        stored = find(folder, name)
        graph = Graph(name, stored.read(GRAPH), threads)
        return cls(stored.model_id, stored.settings, graph, read_tokenizer(name, stored.read(TOKENIZER)), role)

    def encode(self, texts: Sequence[str]) -> Matrix:
        """Vectors of unit length: float32 of shape (texts, dimension). What is beyond the model's tokens is cut off.

        Raises ModelUnusable.
        """
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for number, text in enumerate(texts):
            vectors[number] = self._vector(text)
        return vectors

    def _vector(self, text: str) -> Matrix:
        chosen = self._settings
        found = pooled(self._graph.run(chosen.output, self._tokens(text)), chosen.pooling)
        length = np.linalg.norm(found)
        if found.shape != (self.dimension,) or not np.isfinite(length) or length == 0:
            detail = (
                f"it gives a vector of shape {found.shape} and length {length} instead of {self.dimension} dimensions"
            )
            raise ModelUnusable(name=self.model, detail=detail)
        unit: Matrix = found / length
        return unit

    def _tokens(self, text: str) -> list[int]:
        most = self._settings.max_tokens
        given = self._prefix + text[: most * _CHARACTERS_PER_TOKEN]
        ids: list[int] = self._tokenizer.encode(given.lower() if self._settings.lowercase else given).ids
        return ids if len(ids) <= most else [*ids[: most - 1], ids[-1]]


def pooled(output: Matrix, pooling: Pooling) -> Matrix:
    """One vector of a graph's output for a text: of shape (tokens, dimension), or (dimension,) where the graph pools itself."""
    if pooling == "none" or output.ndim != 2:
        return output
    vector: Matrix = {
        "mean": lambda: output.mean(axis=0),
        "max": lambda: output.max(axis=0),
        "cls": lambda: output[0],
        "last": lambda: output[-1],
    }[pooling]()
    return vector


def read_tokenizer(name: str, data: bytes) -> Tokenizer:
    """The tokenizer in a `tokenizer.json`, without truncation or padding. Raises ModelUnusable."""
    try:
        tokenizer: Tokenizer = Tokenizer.from_str(data.decode())
    except Exception as error:  # noqa: BLE001 - the library raises plain Exceptions
        raise ModelUnusable(name=name, detail=f"{TOKENIZER} cannot be read: {_short(error)}") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
