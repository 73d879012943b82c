"""The extract implementations that the lab publishes."""

from pydantic import Field

from medkg_lab.stages.contracts import Stage, StageType
from medkg_lab.stages.registry import GpuNeed, Implementation, Options, Resources


class StructuredOptions(Options):
    """Which terms are looked for."""

    vocabulary: str = Field(
        default="current",
        pattern=r"^(current|bundled|[0-9a-f]{12})$",
        description="`bundled`, the version of an imported vocabulary, or `current`: the one imported last, if any.",
    )


class LlmOptions(StructuredOptions):
    """An OpenAI-compatible endpoint with structured output, such as vLLM's; there is no key among them, as profiles are kept."""

    base_url: str = Field(
        default="http://127.0.0.1:8001/v1",
        pattern=r"^https?://[^\s]+$",
        description="Address of the endpoint, which ends in `/v1`.",
    )
    model: str = Field(default="Qwen/Qwen3-4B-Instruct-2507", min_length=1, description="The model to ask for.")
    max_tokens: int = Field(default=2048, ge=64, le=32_768, description="Tokens of one answer at most.")
    timeout_seconds: float = Field(default=120.0, gt=0, le=3600, description="Seconds that one answer may take.")


def _build_structured(resources: Resources, options: StructuredOptions) -> Stage:
    from medkg_lab.stages.extract.structured import StructuredExtractor
    from medkg_lab.stages.extract.vocabulary import load

    return StructuredExtractor(load(resources.vocabularies, options.vocabulary))


STRUCTURED = Implementation(
    name="extract.structured",
    stage_type=StageType.EXTRACT,
    summary="what the source's codes state, and dictionary mentions with abbreviations and negation",
    build=_build_structured,
    options=StructuredOptions,
)


def _build_llm(resources: Resources, options: LlmOptions) -> Stage:
    from medkg_lab.stages.extract.llm import LlmExtractor
    from medkg_lab.stages.extract.vocabulary import load

    return LlmExtractor(load(resources.vocabularies, options.vocabulary), options)


def _probe_llm(options: LlmOptions) -> None:
    from medkg_lab.stages.extract.llm_endpoint import probe

    probe(options)


LLM = Implementation(
    name="extract.llm",
    stage_type=StageType.EXTRACT,
    summary="what extract.structured finds, and claims that a language model reads and the passage bears out",
    build=_build_llm,
    options=LlmOptions,
    gpu=GpuNeed(memory_mib=8192, served=True),
    device="cuda",
    probe=_probe_llm,
)
