"""What can go wrong between the lab and Dagster."""

from medkg_lab import exit_codes
from medkg_lab.errors import LabError


class RunElsewhere(LabError):
    """Stage {stage!r} cannot run here: stages run in the lab's engines, and Dagster's pages only show them. Launch the run with
    `medkg-lab submit` or from a page of the running lab."""


class LaunchNeedsJob(LabError):
    """Run {run_id} names no job of the lab. Give it the tag `medkg/job_id`, or `medkg/doc_id` with the id of a document that this
    pipeline has seen, re-execute a run that has one, or submit the document with `medkg-lab submit`."""

    exit_code = exit_codes.USAGE


class StepUnknown(LabError):
    """The pipeline part {pipeline!r} has no stages {stages}. The job's topology and the engine's differ; restart the lab."""
