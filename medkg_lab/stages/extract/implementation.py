"""The extract implementations that the lab publishes."""

from pydantic import Field

from medkg_lab.stages.contracts import Stage, StageType
from medkg_lab.stages.registry import Implementation, Options, Resources


class StructuredOptions(Options):
    """Which terms are looked for."""

    vocabulary: str = Field(
        default="current",
        pattern=r"^(current|bundled|[0-9a-f]{12})$",
        description="`bundled`, the version of an imported vocabulary, or `current`: the one imported last, if any.",
    )


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
