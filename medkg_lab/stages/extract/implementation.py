"""The extract implementations that the lab publishes."""

from typing import Any

from medkg_lab.stages.contracts import Stage, StageType
from medkg_lab.stages.registry import Implementation, Resources


def _build(resources: Resources, options: Any) -> Stage:
    from medkg_lab.stages.extract.structured import StructuredExtractor

    return StructuredExtractor()


STRUCTURED = Implementation(
    name="extract.structured",
    stage_type=StageType.EXTRACT,
    summary="what the source's codes state, and dictionary mentions with abbreviations and negation",
    build=_build,
)
