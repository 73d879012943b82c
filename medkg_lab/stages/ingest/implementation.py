"""`ingest.sources`: the sources that the settings describe, local files, and bytes that came with the submission."""

from typing import TYPE_CHECKING

from pydantic import Field

from medkg_lab.stages.contracts import Lane, StageType
from medkg_lab.stages.registry import Implementation, Options, Resources

if TYPE_CHECKING:
    from medkg_lab.stages.ingest.stage import SourceIngest


class IngestOptions(Options):
    """What a submission may name."""

    max_bytes: int = Field(
        default=200 * 1024 * 1024, gt=0, description="Size in bytes of the largest local file accepted."
    )


def build(resources: Resources, options: IngestOptions) -> "SourceIngest":
    """Make the stage from the settings of the sources. Raises SourceNotConfigured or UnknownSource for wrong settings."""
    from medkg_lab.sources.catalog import adapters
    from medkg_lab.stages.ingest.stage import SourceIngest

    return SourceIngest(adapters(resources.source_settings), resources.allowed_roots, options.max_bytes)


SOURCES = Implementation(
    name="ingest.sources",
    stage_type=StageType.INGEST,
    summary="Local files and artifacts, ClinicalTrials.gov, PubMed Central, Unpaywall and CORE, by id or query.",
    build=build,
    options=IngestOptions,
    lane=Lane.NETWORK,
)
