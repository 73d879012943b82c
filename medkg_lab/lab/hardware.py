"""Self-tests of the parts that run on a GPU, and which of these parts were never run on one by those who wrote them."""

import asyncio

from medkg_lab.errors import LabError
from medkg_lab.models.documents import Chunk, ChunkSpan
from medkg_lab.sources.http_client import HttpxClient
from medkg_lab.stages.embed.options import SpladeOptions
from medkg_lab.stages.extract.claims import read_claims, request_body
from medkg_lab.stages.extract.errors import LlmUnusable
from medkg_lab.stages.extract.llm_endpoint import probe, request, short
from medkg_lab.stages.extract.options import LlmOptions
from medkg_lab.stages.index.options import VectorsOnGpu

NEVER_RUN_ON_A_GPU = (
    "openai.embedder against a vLLM server with Qwen3-Embedding",
    "the sparse model of openai.embedder on cuda",
    "extract.llm against a vLLM server with structured output",
    "mineru-api with the standard tier",
    "vectors_on_gpu of knowledge.index: FAISS's flat index on a GPU",
    "the servers of the gpu profile under the supervisor",
    "NVML with a device: what a guard reads of a real one",
)
"""A part leaves this list by a recorded run on real hardware, and by nothing else."""

_SENTENCE = "Metformin reduced HbA1c in adults with type 2 diabetes."


class VectorsUnusable(LabError):
    """The vector index does not work: {detail}. Install FAISS with `pip install --force-reinstall faiss-cpu`, or
    faiss-gpu in its place for the gpu profile."""


def selftest_vectors() -> str:
    """Search three vectors for one of them. Raises VectorsUnusable."""
    try:
        # A wheel whose libraries are missing fails here, with a RuntimeError that names them.
        import faiss
        import numpy as np

        index = faiss.IndexFlatIP(3)
        index.add(np.eye(3, dtype=np.float32))
        found = int(index.search(np.eye(3, dtype=np.float32)[1:2], 1)[1][0][0])
    except (ImportError, RuntimeError) as error:
        raise VectorsUnusable(detail=short(str(error))) from None
    if found != 1:
        raise VectorsUnusable(detail="it did not find a vector that it holds")
    return f"FAISS {faiss.__version__} finds a vector again"


def selftest_vectors_on_gpu(options: VectorsOnGpu) -> str:
    """Search three vectors on the GPU for one of them.

    Raises GpuUnavailable, FaissWithoutGpu, VectorsLost, VectorsOutOfMemory and VectorsUnusable.
    """
    # Imported here, as FAISS may not load at all: that is what `selftest_vectors` tells.
    import numpy as np

    from medkg_lab.knowledge.gpu_index import on_gpu
    from medkg_lab.knowledge.passages import Block

    rows = np.eye(3, dtype=np.float32)
    index = on_gpu(options)(3)
    index.add(Block(first_key=10, chunks=3, tenant="default", source="selftest", doc_id="selftest"), rows)
    if index.search(rows[1], 1, "default", None) != [(11, 1.0)]:
        raise VectorsUnusable(detail=f"GPU {options.device} did not find a vector that it holds")
    return f"GPU {options.device} finds a vector again"


def selftest_sparse(options: SpladeOptions) -> str:
    """Weigh the terms of a sentence. Raises what Splade.load and Splade.query raise."""
    from medkg_lab.stages.embed.splade import Splade

    weights = Splade.load(options).query(_SENTENCE)
    return f"{options.model} gives {len(weights.terms)} terms for a sentence on GPU {options.device}"


def selftest_claims(options: LlmOptions) -> str:
    """Have claims read from a sentence. Raises LlmDown, LlmFailed, LlmOutOfMemory or LlmUnusable."""
    import orjson

    probe(options)
    spans = (ChunkSpan(block=0, start=0, end=len(_SENTENCE)),)
    chunk = Chunk(chunk_id="selftest#0", doc_id="selftest", number=0, text=_SENTENCE, spans=spans)
    with HttpxClient() as http:
        asked = request_body(chunk, options.model, options.max_tokens)
        body = asyncio.run(request(http, options, "chat/completions", asked, options.timeout_seconds))
    try:
        claims = read_claims(orjson.loads(body))
    except ValueError as error:
        raise LlmUnusable(url=options.base_url, chunk=chunk.chunk_id, detail=short(str(error))) from None
    return f"{options.model} read {len(claims)} claims from a sentence"
