"""The parse implementations that the lab publishes."""

from typing import Any

from medkg_lab.stages.contracts import Stage, StageType
from medkg_lab.stages.registry import Implementation, Resources


def _build(resources: Resources, options: Any) -> Stage:
    from medkg_lab.stages.parse.auto import AutoParser

    return AutoParser()


AUTO = Implementation(
    name="parse.auto",
    stage_type=StageType.PARSE,
    summary="ClinicalTrials.gov API v2 studies, JATS articles and MinerU's output, told apart by their content",
    build=_build,
)
