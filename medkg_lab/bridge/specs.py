"""From a submission to the job that stands for it."""

import orjson

from medkg_lab.models.job import JobSpec
from medkg_lab.models.submission import Submission
from medkg_lab.topology import versions
from medkg_lab.topology.catalog import Catalog
from medkg_lab.topology.graph import segments
from medkg_lab.topology.models import Topology

EXPANSION = "expand"
"""The pipeline of a submission that stands for many documents."""


def pipeline_of(submission: Submission, catalog: Catalog) -> str:
    """The pipeline that a submission goes through: the one it names, or the one that fits its source."""
    if submission.query is not None and not submission.key:
        return EXPANSION
    if submission.pipeline is not None:
        return submission.pipeline
    media_type = submission.content.media_type if submission.content else None
    return catalog.pipeline_for(submission.source, media_type)


def job_spec(submission: Submission, topology: Topology, submitted_at: float) -> JobSpec:
    """The job, as the ledger keeps it, that `submission` stands for in `topology`."""
    job_id = submission.job_id(topology.name)
    first = segments(topology, offline=submission.content is not None)[0]
    return JobSpec(
        job_id=job_id,
        tenant_id=submission.tenant_id,
        correlation_id=submission.correlation_id or job_id,
        source=submission.source,
        doc_key=submission.key or submission.query or "",
        doc_id=submission.doc_id,
        pipeline=topology.name,
        pipeline_version=versions.version_of(topology),
        offline=submission.content is not None,
        again=submission.again is not None,
        priority=submission.priority,
        segment=first.index,
        lane=first.lane.value,
        half=first.half,
        content=submission.content.sha256 if submission.content else None,
        submission=orjson.dumps(submission.model_dump(mode="json", exclude_none=True)),
        submitted_at=submitted_at,
    )
