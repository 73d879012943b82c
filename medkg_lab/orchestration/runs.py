"""How jobs and batches of the lab are named as Dagster runs; imports nothing of Dagster."""

import uuid

RUN_NAMESPACE = uuid.UUID("0b1c7a52-8a2e-5a0c-93a6-2f4f1d8e6c77")

TAG_JOB = "medkg/job_id"
TAG_DOC = "medkg/doc_id"
TAG_TENANT = "medkg/tenant_id"
TAG_BATCH = "medkg/batch_run_id"
TAG_BATCH_SIZE = "medkg/batch_size"
TAG_PIPELINE = "medkg/pipeline"
TAG_VERSION = "medkg/pipeline_version"
TAG_HALF = "medkg/half"
TAG_EXECUTION = "medkg/execution"
TAG_GATE = "medkg/gate"
TAG_RELEASE = "medkg/release_id"
TAG_FROM_STAGE = "medkg/from_stage"
TAG_PRE_RUN = "medkg/pre_run_id"
TAG_POST_RUN = "medkg/post_run_id"

GATE_WAITING = "waiting"
GATE_OPEN = "open"
GATE_REJECTED = "rejected"
GATE_FAILED = "failed"


def visible_run_id(job_id: str, half: int, execution: int) -> str:
    """The id of the Dagster run that shows one execution of one half of a job's pipeline.

    It is a name-based UUID (RFC 9562, version 5), so any process knows it without asking.
    """
    return str(uuid.uuid5(RUN_NAMESPACE, f"{job_id}/{half}/{execution}"))
