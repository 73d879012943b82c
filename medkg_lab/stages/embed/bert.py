"""A BERT sentence encoder as an ONNX graph, made from its tensors alone (Devlin et al. 2018; Reimers and Gurevych 2019).

Token, position and segment embeddings, post-norm transformer layers with GELU, mean over the tokens that are not padding, and
a unit-length result: what sentence-transformers computes for `all-MiniLM-L6-v2`.

In int8 the products with weights are computed in integers: activations with one scale per run of the graph, weights with one per
column (https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html). The graph is made here and not by ONNX
Runtime's quantiser, which needs the full graph as a file first and takes twice as long.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from medkg_lab.stages.embed.options import Precision
from medkg_lab.stages.embed.weights import Architecture

_OPSET = 20
_IR_VERSION = 9
_MASKED = -1e9
LARGEST_WEIGHT = 64
"""Of an int8 weight. Processors without VNNI add two products of a byte in 16 bits: with larger weights they would saturate, and
give other vectors than those with it."""

Tensors = Mapping[str, npt.NDArray[np.float32]]


class _Graph:
    """Nodes and constants as they are added; every method returns the name of its result."""

    def __init__(self, precision: Precision) -> None:
        self._product = self._exact if precision == "fp32" else self._quantised
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value, dtype=dtype), name))
        return name

    def integers(self, *values: int) -> str:
        return self.constant(values, np.int64)

    def add(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> list[str]:
        names = [f"n{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
        return names

    def one(self, operator: str, *inputs: str, **attributes: Any) -> str:
        return self.add(operator, *inputs, **attributes)[0]

    def linear(self, x: str, weight: npt.NDArray[np.float32], bias: npt.NDArray[np.float32]) -> str:
        return self.one("Add", self._product(x, weight.T), self.constant(bias))

    def _exact(self, x: str, matrix: npt.NDArray[np.float32]) -> str:
        return self.one("MatMul", x, self.constant(matrix))

    def _quantised(self, x: str, matrix: npt.NDArray[np.float32]) -> str:
        scale = np.maximum(np.abs(matrix).max(axis=0), np.finfo(np.float32).tiny) / np.float32(LARGEST_WEIGHT)
        whole, zeros = np.rint(matrix / scale), np.zeros(matrix.shape[1])
        rows, row_scale, row_zero = self.add("DynamicQuantizeLinear", x, outputs=3)
        sums = self.one("MatMulInteger", rows, self.constant(whole, np.int8), row_zero, self.constant(zeros, np.int8))
        factor = self.one("Mul", row_scale, self.constant(scale))
        return self.one("Mul", self.one("Cast", sums, to=TensorProto.FLOAT), factor)

    def norm(self, x: str, tensors: Tensors, prefix: str, epsilon: float) -> str:
        scale, shift = self.constant(tensors[f"{prefix}.weight"]), self.constant(tensors[f"{prefix}.bias"])
        return self.one("LayerNormalization", x, scale, shift, axis=-1, epsilon=epsilon)


def build(
    tensors: Tensors, architecture: Architecture, precision: Precision = "fp32", *, is_pooled: bool = True
) -> bytes:
    """The serialised model: int64 `input_ids` and `attention_mask` (batch, length) to float32 `embedding` (batch, hidden).

    Without `is_pooled` it gives the tokens' vectors instead, `last_hidden_state` (batch, length, hidden).
    """
    graph = _Graph(precision)
    weights = graph.one("Cast", "attention_mask", to=TensorProto.FLOAT)
    hidden = _embeddings(graph, tensors, architecture)
    bias = graph.one("Mul", graph.one("Sub", graph.constant(1.0), weights), graph.constant(_MASKED))
    bias = graph.one("Unsqueeze", bias, graph.integers(1, 2))
    for layer in range(architecture.layers):
        hidden = _layer(graph, tensors, f"encoder.layer.{layer}", hidden, bias, architecture)
    name = "embedding" if is_pooled else "last_hidden_state"
    shape = ["batch", *(() if is_pooled else ("length",)), architecture.hidden]
    graph.nodes.append(helper.make_node("Identity", [_pool(graph, hidden, weights) if is_pooled else hidden], [name]))
    inputs = [
        helper.make_tensor_value_info(given, TensorProto.INT64, ["batch", "length"])
        for given in ("input_ids", "attention_mask")
    ]
    output = helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    proto = helper.make_graph(graph.nodes, "sentence_encoder", inputs, [output], graph.constants)
    model = helper.make_model(proto, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def _embeddings(graph: _Graph, tensors: Tensors, architecture: Architecture) -> str:
    words = graph.one("Gather", graph.constant(tensors["embeddings.word_embeddings.weight"]), "input_ids")
    length = graph.one("Shape", "input_ids", start=1, end=2)
    # Every segment id is 0 for a single text, so that row joins the position embeddings once and for all.
    places = tensors["embeddings.position_embeddings.weight"] + tensors["embeddings.token_type_embeddings.weight"][0]
    taken = graph.one("Slice", graph.constant(places), graph.integers(0), length, graph.integers(0))
    return graph.norm(graph.one("Add", words, taken), tensors, "embeddings.LayerNorm", architecture.epsilon)


def _layer(graph: _Graph, tensors: Tensors, prefix: str, x: str, bias: str, architecture: Architecture) -> str:
    attended = graph.linear(
        _attention(graph, tensors, f"{prefix}.attention.self", x, bias, architecture),
        tensors[f"{prefix}.attention.output.dense.weight"],
        tensors[f"{prefix}.attention.output.dense.bias"],
    )
    norm = f"{prefix}.attention.output.LayerNorm"
    x = graph.norm(graph.one("Add", attended, x), tensors, norm, architecture.epsilon)
    wide = graph.linear(x, tensors[f"{prefix}.intermediate.dense.weight"], tensors[f"{prefix}.intermediate.dense.bias"])
    narrow = graph.linear(
        graph.one("Gelu", wide), tensors[f"{prefix}.output.dense.weight"], tensors[f"{prefix}.output.dense.bias"]
    )
    return graph.norm(graph.one("Add", narrow, x), tensors, f"{prefix}.output.LayerNorm", architecture.epsilon)


def _attention(graph: _Graph, tensors: Tensors, prefix: str, x: str, bias: str, architecture: Architecture) -> str:
    """softmax(QK^T / sqrt(d)) V by head; one product makes Q, K and V, with the scale folded into Q's weights."""
    size = architecture.hidden // architecture.heads
    scales = {"query": size**-0.5, "key": 1.0, "value": 1.0}
    weight = np.concatenate([tensors[f"{prefix}.{part}.weight"] * np.float32(f) for part, f in scales.items()])
    offset = np.concatenate([tensors[f"{prefix}.{part}.bias"] * np.float32(f) for part, f in scales.items()])
    parts = graph.add("Split", graph.linear(x, weight, offset), outputs=3, axis=-1, num_outputs=3)
    heads = [graph.one("Reshape", part, graph.integers(0, 0, architecture.heads, size)) for part in parts]
    query = graph.one("Transpose", heads[0], perm=[0, 2, 1, 3])
    key = graph.one("Transpose", heads[1], perm=[0, 2, 3, 1])
    value = graph.one("Transpose", heads[2], perm=[0, 2, 1, 3])
    scores = graph.one("Softmax", graph.one("Add", graph.one("MatMul", query, key), bias), axis=-1)
    mixed = graph.one("Transpose", graph.one("MatMul", scores, value), perm=[0, 2, 1, 3])
    return graph.one("Reshape", mixed, graph.integers(0, 0, architecture.hidden))


def _pool(graph: _Graph, hidden: str, weights: str) -> str:
    """The mean over the tokens that are not padding, scaled to length 1; the scaling makes the mean's division needless.

    A product per text, because a reduction over the length adds up in another order when the batch holds one text.
    """
    row = graph.one("Unsqueeze", weights, graph.integers(1))
    total = graph.one("Squeeze", graph.one("MatMul", row, hidden), graph.integers(1))
    return graph.one("LpNormalization", total, axis=-1, p=2)
