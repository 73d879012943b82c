"""Vectors in an index for each tenant and source find what one index with a selector finds, and a GPU's failures end its use.

FAISS's index on the processor takes the place of the one on a GPU: both have the methods that `Shards` uses, which take no
selector.
"""

from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medkg_lab.errors import LabError
from medkg_lab.gpu.errors import GpuUnavailable
from medkg_lab.gpu.nvml import Device, Survey, survey
from medkg_lab.knowledge import gpu_index
from medkg_lab.knowledge.encoders import Encoders
from medkg_lab.knowledge.errors import FaissWithoutGpu, VectorsLost, VectorsOutOfMemory
from medkg_lab.knowledge.faiss_index import CpuFlatIndex, Matrix
from medkg_lab.knowledge.gpu_index import MAX_DEAD, MOST, Shards, on_gpu
from medkg_lab.knowledge.passages import Block
from medkg_lab.knowledge.search import Question
from medkg_lab.knowledge.service import Knowledge
from medkg_lab.knowledge.vector_index import VectorIndex
from medkg_lab.settings import SearchSettings
from medkg_lab.stages.index.implementation import INDEX
from medkg_lab.stages.index.options import IndexOptions, VectorsOnGpu
from medkg_lab.stages.registry import GpuNeed
from tests.unit.knowledge.test_knowledge_store import text_document

DIMENSION = 4
BLOCKS = st.lists(
    st.tuples(st.integers(1, 5), st.sampled_from(["a", "b"]), st.sampled_from(["x", "y", "z"]), st.booleans()),
    min_size=1,
    max_size=25,
)


def flat(dimension: int) -> Any:
    return faiss.IndexFlatIP(dimension)


def shards_of() -> Shards:
    return Shards(DIMENSION, flat, 0)


def unit(rows: Any) -> Matrix:
    made: Matrix = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return made


@settings(deadline=None)
@given(BLOCKS, st.integers(0, 2**32 - 1), st.integers(1, 60), st.sampled_from([None, ["x"], ["y", "z"], []]))
def test_it_finds_what_one_index_with_a_selector_finds(
    made: list[tuple[int, str, str, bool]], seed: int, limit: int, sources: list[str] | None
) -> None:
    random = np.random.default_rng(seed)
    one, many = CpuFlatIndex(DIMENSION), shards_of()
    key = 0
    for number, (chunks, tenant, source, replaced) in enumerate(made):
        block = Block(first_key=key, chunks=chunks, tenant=tenant, source=source, doc_id=f"d{number}")
        rows = unit(random.normal(size=(chunks, DIMENSION)))
        key += chunks
        for index in (one, many):
            index.add(block, rows)
            if replaced:
                index.drop(block)
    query = unit(random.normal(size=(1, DIMENSION)))[0]
    for _ in range(2):
        wanted = one.search(query, limit, "a", sources)
        found = many.search(query, limit, "a", sources)
        assert [key for key, _ in found] == [key for key, _ in wanted]
        assert [score for _, score in found] == pytest.approx([score for _, score in wanted], abs=1e-5)
        one.tidy()
        many.tidy()


def test_no_search_asks_for_more_than_a_gpu_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Watched(faiss.IndexFlatIP):  # type: ignore[misc]
        def search(self, vectors: Any, k: int) -> Any:
            asked.append(k)
            return super().search(vectors, k)

    index = Shards(DIMENSION, Watched, 0)
    rows = unit(np.random.default_rng(1).normal(size=(3 * MOST, DIMENSION)))
    for place in range(0, len(rows), 512):
        block = Block(first_key=place, chunks=512, tenant="a", source="x", doc_id=f"d{place}")
        index.add(block, rows[place : place + 512])
        if place in (0, 512):
            index.drop(block)
    assert len(index.search(rows[0], 5000, "a", None)) <= MOST
    index.tidy()
    found = index.search(rows[0], 5000, "a", None)
    assert len(found) == MOST, "what was dropped takes no places any more"
    assert asked == [MOST, MOST]
    assert MAX_DEAD < 1024


def test_a_gpu_that_fails_ends_its_use(tmp_path: Path) -> None:
    for text, kind in (
        ("Error: 'err == cudaSuccess' failed", VectorsLost),
        ("cudaMalloc error out of memory", VectorsOutOfMemory),
        ("CUDA error 700 an illegal memory access was encountered", VectorsLost),
    ):

        class Failing(faiss.IndexFlatIP):  # type: ignore[misc]
            said = text

            def search(self, vectors: Any, k: int) -> Any:
                raise RuntimeError(self.said)

        index = VectorIndex(tmp_path, lambda dimension, make=Failing: Shards(dimension, make, 3))  # type: ignore[misc]
        block = Block(first_key=1, chunks=2, tenant="a", source="x", doc_id="d")
        index.swap(1, ("model", DIMENSION), [(block, unit(np.ones((2, DIMENSION))))], [])
        assert index.failure is None
        assert index.search(unit(np.ones((1, DIMENSION)))[0], 5, "a", None) == []
        assert isinstance(index.failure, kind)
        assert "GPU 3" in str(index.failure)
        index.swap(2, ("model", DIMENSION), [], [1])
        index.maintain()
        assert len(index) == 0
        assert index.search(unit(np.ones((1, DIMENSION)))[0], 5, "a", None) == []


def test_another_model_begins_with_an_empty_index(tmp_path: Path) -> None:
    index = VectorIndex(tmp_path, lambda dimension: Shards(dimension, flat, 0))
    old = Block(first_key=1, chunks=2, tenant="a", source="x", doc_id="d")
    new = Block(first_key=3, chunks=1, tenant="a", source="x", doc_id="d")
    index.swap(1, ("old", DIMENSION), [(old, unit(np.ones((2, DIMENSION))))], [])
    index.swap(2, ("new", 2), [(new, unit(np.ones((1, 2))))], [1])
    assert index.failure is None
    assert [key for key, _ in index.search(unit(np.ones((1, 2)))[0], 5, "a", None)] == [3]


def test_a_missing_gpu_is_told_and_replaced_by_nothing(tmp_path: Path) -> None:
    if survey().devices:
        pytest.skip("this machine has a GPU")
    settings_ = SearchSettings()
    gpu = VectorsOnGpu(device=1, memory_mib=512)
    knowledge = Knowledge(tmp_path / "k", Encoders({}), "gpu", settings_, gpu)
    try:
        [answer] = knowledge.stage_text("b", [text_document("file:a", ["aspirin"])])
        assert isinstance(answer, GpuUnavailable)
        assert "NVIDIA GPU 1 with 512 MiB" in str(answer)
        dense = knowledge.searcher.search(Question(query="aspirin")).legs["dense"]
        assert dense.startswith("off: knowledge.index needs NVIDIA GPU 1")
        assert "needs NVIDIA GPU 1" in knowledge.health().vectors_off
    finally:
        knowledge.close()


def test_a_faiss_without_gpus_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_index, "survey", lambda: Survey((Device(0, "H100", 81559, 80000),), "550"))
    if hasattr(faiss, "StandardGpuResources"):
        pytest.skip("this is FAISS for GPUs")
    with pytest.raises(FaissWithoutGpu, match=r"built for the processor alone\. Put the other FAISS in its place"):
        on_gpu(VectorsOnGpu())
    with pytest.raises(GpuUnavailable, match="NVIDIA GPU 7"):
        on_gpu(VectorsOnGpu(device=7))


def test_the_index_stage_asks_for_its_gpu_only_where_it_is_told_to() -> None:
    assert INDEX.needs(IndexOptions()) == []
    assert INDEX.needs(INDEX.parse_options({"vectors_on_gpu": {"device": 2, "memory_mib": 77}})) == [
        GpuNeed(77, served=True, device=2)
    ]
    for kind in (FaissWithoutGpu, VectorsLost):
        assert kind.failure_kind == "gpu_unavailable"
    assert VectorsOutOfMemory.failure_kind == "gpu_oom"
    assert issubclass(VectorsLost, LabError)
