"""all-MiniLM-L6-v2 on the CPU through ONNX Runtime."""

import fcntl
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from medkg_lab.files import replace_private
from medkg_lab.stages.embed.batching import Plan, batches
from medkg_lab.stages.embed.options import DEFAULT_PRECISION, Precision
from medkg_lab.stages.embed.weights import (
    DIMENSION,
    GRAPH_FILES,
    MAX_TOKENS,
    MODEL_IDS,
    load_architecture,
    load_tensors,
    load_tokenizer,
)


# The model file in the user's cache: built once, whole or absent, however many processes ask for it at the same time.
def cached(folder: Path, name: str, build: Callable[[], bytes]) -> Path:
    """The path of `folder/name`, made by `build` when it is absent or not what was once written there.

    The content's sha256 stands beside it in `name.sha256`. Both are readable by their owner alone. One process builds while the
    others wait for its lock.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path, digest = folder / name, folder / f"{name}.sha256"
    lock = os.open(folder / f"{name}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _intact(path, digest):
            data = build()
            replace_private(digest, hashlib.sha256(data).hexdigest(), durable=True)
            replace_private(path, data, durable=True)
    finally:
        os.close(lock)
    return path


def _intact(path: Path, digest: Path) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest().encode() == digest.read_bytes()
    except FileNotFoundError:
        return False


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
        self,
        cache: Path,
        threads: int | None = None,
        precision: Precision = DEFAULT_PRECISION,
        plan: Plan = batches,
    ) -> None:
        """`plan` says which texts share a run of the graph; another one gives up that a text's vector is its own."""
        path = cached(cache / "models", GRAPH_FILES[precision], lambda: build_model(precision))
        self.model = MODEL_IDS[precision]
        self.made_with: Mapping[str, str] = {"precision": precision}
        # In int8 activations get one scale per run of the graph: texts that share a run would change each other's vectors.
        self._batch_tokens = _BATCH_TOKENS if precision == "fp32" else 1
        self._plan = plan
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


def build_model(precision: Precision = DEFAULT_PRECISION) -> bytes:
    """Make the ONNX model from the packaged weights; takes about a second and imports onnx."""
    from medkg_lab.stages.embed.bert import build

    return build(load_tensors(), load_architecture(), precision)
