"""Ledger events as CloudEvents 1.0: one per document and transition, in the Kafka binding's binary mode.

A CloudEvent's id is `<ledger event id>:<job id>`, so that a redelivery carries the same id and a reader can tell. The
attributes and the binding follow the CloudEvents specification and its Kafka protocol binding, version 1.0.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from cloudevents.core.bindings.kafka import KafkaMessage, to_binary_event
from cloudevents.core.v1.event import CloudEvent
from pydantic import BaseModel, ConfigDict, Field

PREFIX = "org.medicalkg.orchestration"

TYPES: Mapping[str, str] = {
    "stage.started": "stage.started",
    "stage.completed": "stage.completed",
    "stage.skipped": "stage.completed",
    "stage.failed": "stage.failed",
    "stage.retrying": "stage.retrying",
    "job.submitted": "job.submitted",
    "job.completed": "job.completed",
    "job.failed": "job.failed",
    "job.dead": "job.failed",
    "job.cancelled": "job.cancelled",
    "gate.waiting": "gate.waiting",
    "gate.opened": "gate.opened",
    "gate.rejected": "gate.rejected",
    "gate.released": "gate.released",
}
"""Ledger event type to CloudEvent type, without the prefix; what is not here (claims, leases, fields) stays inside."""


class EventData(BaseModel):
    """The `data` of every CloudEvent on `orchestration.events.v1`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    job_id: str
    tenant_id: str
    correlation_id: str
    stage: str | None = None
    timestamp: str = Field(description="When it happened, ISO 8601 in UTC.")
    duration_ms: float | None = Field(
        default=None, description="What the stage took for this document, in milliseconds."
    )
    output_count: int | None = Field(default=None, description="How many items the stage made.")
    success: bool | None = Field(default=None, description="Whether a stage or job ended well; null while it goes on.")
    skipped: bool | None = None
    failure_kind: str | None = None
    reason: str | None = None
    attempt: int | None = None
    gate: str | None = None
    by: str | None = None
    how: Literal["manual", "condition"] | None = None
    release_id: str | None = None
    device: str | None = None
    implementation: str | None = None


@dataclass(frozen=True)
class JobInfo:
    """What a CloudEvent says of its job besides the event."""

    job_id: str
    tenant_id: str
    correlation_id: str
    doc_id: str
    pipeline: str
    pipeline_version: str
    attempt: int = 0


def cloud_id(event_id: str, job_id: str) -> str:
    """The id of the CloudEvent of one job in one ledger event."""
    return f"{event_id}:{job_id}"


def is_published(event_type: str) -> bool:
    """Whether ledger events of this type become CloudEvents."""
    return event_type in TYPES


def expand(event: Mapping[str, Any], info: Mapping[str, JobInfo]) -> Iterator[CloudEvent]:
    """One CloudEvent for each job of `event`; `info` knows every job in it."""
    for number, job_id in enumerate(event["jobs"]):
        yield _cloud_event(event, number, info[job_id])


def to_kafka(event: CloudEvent) -> KafkaMessage:
    """The Kafka message of `event` in binary mode, keyed by its job id."""
    return to_binary_event(event)


def _cloud_event(event: Mapping[str, Any], number: int, job: JobInfo) -> CloudEvent:
    stage = event.get("stage")
    moment = datetime.fromtimestamp(_moment(event), UTC)
    attributes = {
        "id": cloud_id(event["id"], job.job_id),
        "type": f"{PREFIX}.{TYPES[event['type']]}",
        "source": f"orchestration/{stage or 'job'}",
        "specversion": "1.0",
        "subject": job.doc_id,
        "time": moment,
        "datacontenttype": "application/json",
        "partitionkey": job.job_id,
        "jobid": job.job_id,
        "tenantid": job.tenant_id,
        "correlationid": job.correlation_id,
        "pipeline": job.pipeline,
        "pipelineversion": job.pipeline_version,
        "attempt": str(job.attempt),
    }
    data = EventData(
        job_id=job.job_id,
        tenant_id=job.tenant_id,
        correlation_id=job.correlation_id,
        stage=stage,
        timestamp=moment.isoformat(),
        **_details(event, number),
    )
    return CloudEvent(attributes, data.model_dump(exclude_none=True))


def _moment(event: Mapping[str, Any]) -> float:
    data = event["data"]
    return float(data.get("t1") or data.get("t0") or event["ts"])


def _details(event: Mapping[str, Any], number: int) -> dict[str, Any]:
    data = event["data"]
    match event["type"]:
        case "stage.completed":
            return {
                "duration_ms": data["ms"][number],
                "output_count": data["counts"][number],
                "success": True,
                "device": data.get("device"),
                "implementation": data.get("implementation"),
            }
        case "stage.skipped":
            return {"skipped": True, "success": True, "reason": data.get("reason")}
        case "stage.failed":
            duration = (data["t1"] - data["t0"]) * 1000
            return {"success": False, "failure_kind": data["kind"], "reason": data["reason"], "duration_ms": duration}
        case "stage.retrying":
            return {"attempt": data["attempt"], "failure_kind": data["kind"], "reason": data["reason"]}
        case "job.completed":
            return {"success": True}
        case "job.failed":
            return {"success": False, "failure_kind": data["kind"], "reason": data["reason"]}
        case "job.dead":
            return {"success": False, "failure_kind": "dead", "reason": data["reason"]}
        case "job.cancelled":
            return {"success": False, "by": data.get("by"), "reason": data.get("why")}
        case "gate.opened":
            return {"gate": event["stage"], "by": data["by"], "how": data["how"], "reason": data.get("why")}
        case "gate.rejected":
            return {"gate": event["stage"], "by": data["by"], "reason": data.get("why")}
        case "gate.released":
            return {"gate": event["stage"], "release_id": data["release_id"]}
        case "gate.waiting":
            return {"gate": event["stage"]}
        case _:
            return {}
