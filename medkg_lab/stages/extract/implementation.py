"""The extract implementations that the lab publishes."""

from medkg_lab.stages.contracts import Stage, StageType
from medkg_lab.stages.extract.options import LlmOptions, StructuredOptions
from medkg_lab.stages.registry import GpuNeed, Implementation, Resources


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
