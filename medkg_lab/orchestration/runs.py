"""How jobs and batches of the lab are named as Dagster runs; imports nothing of Dagster."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

RUN_NAMESPACE = uuid.UUID("0b1c7a52-8a2e-5a0c-93a6-2f4f1d8e6c77")

HIDDEN = ".dagster/medkg_"
"""With which tags begin that Dagster's pages do not show; a run is found by them all the same."""
TAG_DOC = "medkg/doc_id"
TAG_GATE = "medkg/gate"
TAG_JOB = "medkg/job_id"
TAG_FROM_STAGE = "medkg/from_stage"
TAG_TENANT = f"{HIDDEN}tenant_id"
TAG_BATCH = f"{HIDDEN}batch_run_id"
TAG_BATCH_SIZE = "medkg/documents"
TAG_PIPELINE = f"{HIDDEN}pipeline"
TAG_VERSION = f"{HIDDEN}pipeline_version"
TAG_HALF = f"{HIDDEN}half"
TAG_EXECUTION = f"{HIDDEN}execution"
TAG_RELEASE = f"{HIDDEN}release_id"
TAG_PRE_RUN = f"{HIDDEN}pre_run_id"
TAG_POST_RUN = f"{HIDDEN}post_run_id"
TAG_LAUNCHED_BY = "user"
"""Where Dagster's pages look for who started a run; without it they say that somebody did so by hand."""
LAB = "medkg-lab"

GATE_WAITING = "waiting"
GATE_OPEN = "open"
GATE_REJECTED = "rejected"
GATE_FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRun:
    """A run as Dagster's store has it; states are Dagster's: SUCCESS, FAILURE, SKIPPED, IN_PROGRESS.

    job_id, half and execution are None for the run of a batch and for one that Dagster made.
    """

    run_id: str
    job_id: str | None
    half: int | None
    execution: int | None
    status: str
    steps: Mapping[str, str]
    pipeline: str
    version: str | None
    batch: str | None
    gate: str | None
    release: str | None


@dataclass(frozen=True, slots=True)
class RecordedRuns:
    """Some runs, oldest first, and the one to go on from (None at the end)."""

    runs: tuple[RecordedRun, ...]
    next: str | None


def visible_run_id(job_id: str, half: int, execution: int) -> str:
    """The id of the Dagster run that shows one execution of one half of a job's pipeline.

    It is a name-based UUID (RFC 9562, version 5), so any process knows it without asking.
    """
    return str(uuid.uuid5(RUN_NAMESPACE, f"{job_id}/{half}/{execution}"))


def tag(tags: Mapping[str, str], name: str) -> str | None:
    """A run's value of a tag, under any name that it has had."""
    return next((tags[each] for each in tag_names(name) if each in tags), None)


def tag_names(name: str) -> tuple[str, ...]:
    """The name of a tag, and the one that it has in runs of earlier versions, which hid none."""
    return (name, f"medkg/{name.removeprefix(HIDDEN)}") if name.startswith(HIDDEN) else (name,)
