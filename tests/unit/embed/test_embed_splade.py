"""Sparse vectors beside the dense ones: both or neither, and never from the processor."""

import importlib.util
from collections.abc import Sequence

import numpy as np
import pytest

from medkg_lab.models.documents import Chunk, ChunkSpan
from medkg_lab.sources.http_client import HttpxClient
from medkg_lab.stages.contracts import Embeddings, SparseVectors
from medkg_lab.stages.embed.errors import GpuOutOfMemory, SpladeOutOfMemory, SpladePackageMissing
from medkg_lab.stages.embed.implementation import OPENAI
from medkg_lab.stages.embed.openai import OpenAIEmbedder
from medkg_lab.stages.embed.options import OpenAIOptions, SpladeOptions
from medkg_lab.stages.embed.splade import Splade, WithSparse, from_coordinates
from medkg_lab.stages.kinds import KINDS
from medkg_lab.stages.registry import GpuNeed
from tests.unit.contexts import stage_context
from tests.unit.embed.fake_endpoint import failure, serving

SPLADE = SpladeOptions(model="m-sparse", device=1, memory_mib=777)


class Lengths(Splade):
    """A sparse model that a test can follow by hand: term n stands for n letters, its weight is 1."""

    def __init__(self) -> None:
        super().__init__(None, SPLADE)

    def documents(self, texts: Sequence[str]) -> SparseVectors:
        rows = np.arange(len(texts))
        return from_coordinates(
            "m-sparse", len(texts), rows, np.array([len(t) for t in texts], int), np.ones(len(texts))
        )


def chunks(*texts: str) -> tuple[Chunk, ...]:
    return tuple(
        Chunk(chunk_id=f"d#{n}", doc_id="d", number=n, text=text, spans=(ChunkSpan(block=0, start=0, end=len(text)),))
        for n, text in enumerate(texts)
    )


def embedded(url: str, items: list[tuple[Chunk, ...]]) -> list[Embeddings]:
    stage = WithSparse(OpenAIEmbedder(OpenAIOptions(base_url=url, model="m", dimension=4)), Lengths())
    context = stage_context("d", http=HttpxClient())[0]
    return stage.execute_many([context] * len(items), items)


def test_each_document_gets_the_sparse_vectors_of_its_own_chunks() -> None:
    items = [chunks("a", "bb"), (), chunks("cccc")]
    with serving() as endpoint:
        found = embedded(endpoint.url, items)
    sparse = [each.sparse for each in found if each.sparse is not None]
    assert [(len(each), each.terms.tolist()) for each in sparse] == [
        (2, [1, 2]),
        (0, []),
        (1, [4]),
    ]
    assert [each.vectors.shape for each in found] == [(2, 4), (0, 4), (1, 4)]


def test_they_are_kept_with_the_dense_ones_to_the_last_bit() -> None:
    with serving() as endpoint:
        [one] = embedded(endpoint.url, [chunks("a", "bb")])
    kind = KINDS["embeddings"]
    again = kind.decode(kind.encode(one))
    assert one.sparse is not None
    assert again.sparse.pack() == one.sparse.pack()
    assert again.sparse.model == "m-sparse"
    assert (again.vectors == one.vectors).all()
    assert kind.encode(again) == kind.encode(one)


def test_without_the_dense_vectors_there_are_none() -> None:
    with serving() as endpoint:
        endpoint.respond = failure(500, "CUDA out of memory")
        with pytest.raises(GpuOutOfMemory):
            embedded(endpoint.url, [chunks("a")])


def test_a_coordinate_without_weight_is_left_out_and_terms_ascend() -> None:
    found = from_coordinates("m", 3, np.array([2, 0, 0, 2]), np.array([5, 9, 3, 1]), np.array([1.0, 2.0, 0.0, 4.0]))
    assert (found.starts.tolist(), found.terms.tolist(), found.weights.tolist()) == (
        [0, 1, 1, 3],
        [9, 1, 5],
        [2.0, 4.0, 1.0],
    )


def test_an_encoder_out_of_memory_is_said_to_be_that() -> None:
    class Full:
        def encode_document(self, texts: list[str], **_: object) -> None:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")

    with pytest.raises(SpladeOutOfMemory, match="GPU 1 ran out of memory") as caught:
        Splade(Full(), SPLADE).documents(["a"])
    assert caught.value.failure_kind == "gpu_oom"


@pytest.mark.skipif(importlib.util.find_spec("sentence_transformers") is not None, reason="the package is installed")
def test_without_its_package_the_stage_is_not_made() -> None:
    with pytest.raises(SpladePackageMissing, match=r"medkg-lab\[gpu\]") as caught:
        Splade.load(SPLADE)
    assert caught.value.failure_kind == "gpu_unavailable"


def test_the_stage_asks_for_the_gpu_that_the_sparse_model_names() -> None:
    assert OPENAI.also_gpu(OpenAIOptions(sparse=SPLADE)) == GpuNeed(777, device=1)
    assert OPENAI.also_gpu(OpenAIOptions()) is None
