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
    summary="Studies, JATS, PubMed, BioC and TEI articles, MinerU's output, text, Markdown and web pages, told apart by content",
    build=_build,
)
