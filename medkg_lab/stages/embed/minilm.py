"""all-MiniLM-L6-v2 on the CPU through ONNX Runtime, and the embed stage that uses it."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from medkg_lab.errors import LabError
from medkg_lab.models.ir import Chunk
from medkg_lab.stages.contracts import Embeddings, StageContext
from medkg_lab.stages.embed.batching import Plan, batches
from medkg_lab.stages.embed.model_cache import cached
from medkg_lab.stages.embed.options import Precision
from medkg_lab.stages.embed.weights import (
    DIMENSION,
    GRAPH_FILE,
    INT8_GRAPH_FILE,
    INT8_MODEL_ID,
    MAX_TOKENS,
    MODEL_ID,
    load_architecture,
    load_tensors,
    load_tokenizer,
)

DEVICE = "cpu"
_BATCH_TOKENS = 4096
_CHARACTERS_PER_TOKEN = 100
"""WordPiece gives up on words longer than this, so MAX_TOKENS tokens never need more characters than the product, whitespace
aside."""


class MiniLM:
    """The model, ready to encode; safe to use from several threads.

    The same text gives the same bytes whatever else is encoded with it. Raises WeightsMissing or WeightsDamaged when made.
    """

    dimension = DIMENSION

    def __init__(
        self, cache: Path, threads: int | None = None, precision: Precision = "fp32", plan: Plan = batches
    ) -> None:
        """`plan` says which texts share a run of the graph; another one gives up that a text's vector is its own."""
        path = cached(cache / "models", GRAPH_FILE, build_model)
        self.model = MODEL_ID
        self._batch_tokens = _BATCH_TOKENS
        self._plan = plan
        if precision == "int8":
            full = path
            path = cached(cache / "models", INT8_GRAPH_FILE, lambda: quantised(full))
            self.model = INT8_MODEL_ID
            # Activations get one scale per run of the graph: texts that share a run would change each other's vectors.
            self._batch_tokens = 1
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or len(os.sched_getaffinity(0))
        options.inter_op_num_threads = 1
        # Threads that spin between batches take the cores away from the lab's other processes.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self._tokenizer = load_tokenizer()

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Vectors of unit length for `texts`, in order: float32 of shape (texts, 384). Tokens past the 256th are cut off."""
        tokens = [self._tokens(text) for text in texts]
        vectors = np.zeros((len(texts), DIMENSION), dtype=np.float32)
        for width, members in self._plan([len(ids) for ids in tokens], MAX_TOKENS, self._batch_tokens):
            vectors[members] = self._run([tokens[number] for number in members], width)
        return vectors

    def _tokens(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text[: MAX_TOKENS * _CHARACTERS_PER_TOKEN]).ids
        return ids if len(ids) <= MAX_TOKENS else [*ids[: MAX_TOKENS - 1], ids[-1]]

    def _run(self, tokens: Sequence[Sequence[int]], width: int) -> npt.NDArray[np.float32]:
        ids = np.zeros((len(tokens), width), dtype=np.int64)
        mask = np.zeros((len(tokens), width), dtype=np.int64)
        for row, text in enumerate(tokens):
            ids[row, : len(text)] = text
            mask[row, : len(text)] = 1
        result: npt.NDArray[np.float32] = self._session.run(["embedding"], {"input_ids": ids, "attention_mask": mask})[
            0
        ]
        return result


class MiniLMEmbedder:
    """The embed stage on the cpu profile; it embeds the chunks of all documents of a batch together."""

    def __init__(self, encoder: MiniLM) -> None:
        self._encoder = encoder

    def execute(self, context: StageContext, item: tuple[Chunk, ...]) -> Embeddings:
        """Embed one document's chunks."""
        return self._embed([item])[0]

    def execute_many(
        self, contexts: Sequence[StageContext], items: Sequence[tuple[Chunk, ...]]
    ) -> Sequence[Embeddings | LabError]:
        """Embed the chunks of several documents; the outcomes stand in their order."""
        return self._embed(items)

    def _embed(self, items: Sequence[tuple[Chunk, ...]]) -> list[Embeddings]:
        vectors = self._encoder.encode([chunk.text for item in items for chunk in item])
        outcomes = []
        start = 0
        for item in items:
            part = vectors[start : start + len(item)]
            outcomes.append(
                Embeddings(self._encoder.model, DIMENSION, DEVICE, tuple(chunk.chunk_id for chunk in item), part)
            )
            start += len(item)
        return outcomes


def build_model() -> bytes:
    """Make the ONNX model from the packaged weights; takes about a second and imports onnx."""
    from medkg_lab.stages.embed.bert import build

    return build(load_tensors(), load_architecture())


def quantised(full: Path) -> bytes:
    """Make the int8 graph from the full one: weights per channel, activations by the run; takes seconds and imports onnx.

    One scale per channel keeps a mean cosine of 0.995 to the full model, one per tensor only 0.93.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory(dir=full.parent) as folder:
        made = Path(folder) / "int8.onnx"
        quantize_dynamic(full, made, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul"], per_channel=True)
        return made.read_bytes()
