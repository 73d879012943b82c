"""Ledger events as CloudEvents 1.0: one per document and transition, in the Kafka binding's binary mode.

A CloudEvent's id is `<ledger event id>:<job id>`, so that a redelivery carries the same id and a reader can tell. The
specification's own SDK checks the attributes and writes and reads the binding, here and wherever else the lab meets CloudEvents.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal

import orjson
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka, to_binary
from cloudevents.core.exceptions import BaseCloudEventException
from cloudevents.core.formats.json import JSONFormat
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

    @cached_property
    def attributes(self) -> dict[str, str]:
        """The attributes that are the same in all CloudEvents of the job."""
        return {
            "subject": self.doc_id,
            "partitionkey": self.job_id,
            "jobid": self.job_id,
            "tenantid": self.tenant_id,
            "correlationid": self.correlation_id,
            "pipeline": self.pipeline,
            "pipelineversion": self.pipeline_version,
            "attempt": str(self.attempt),
        }


class _CompactJson(JSONFormat):
    """The SDK's JSON format with a faster writer for the data, and a reader that leaves it as it is."""

    def write_data(self, data: dict[str, Any] | str | bytes | None, datacontenttype: str | None) -> bytes:
        return orjson.dumps(data) if isinstance(data, dict) else super().write_data(data, datacontenttype)

    def read_data(self, body: bytes, datacontenttype: str | None) -> bytes:
        return body


_FORMAT = _CompactJson()
UNREADABLE = (BaseCloudEventException, ValueError, TypeError, AttributeError, OverflowError, RecursionError)
"""What the SDK, and what it parses with, raise for a record or an object that is not a CloudEvent."""


def cloud_id(event_id: str, job_id: str) -> str:
    """The id of the CloudEvent of one job in one ledger event."""
    return f"{event_id}:{job_id}"


def is_published(event_type: str) -> bool:
    """Whether ledger events of this type become CloudEvents."""
    return event_type in TYPES


def messages(event: Mapping[str, Any], info: Mapping[str, JobInfo]) -> Iterator[KafkaMessage]:
    """The CloudEvents of `event` as Kafka messages in binary mode; the key is the job's id."""
    return (to_binary(each, _FORMAT) for each in cloud_events(event, info))


def cloud_events(event: Mapping[str, Any], info: Mapping[str, JobInfo]) -> Iterator[CloudEvent]:
    """One CloudEvent for each job of `event`; `info` knows every job in it."""
    stage = event.get("stage")
    moment = datetime.fromtimestamp(_moment(event), UTC)
    shared = {
        "specversion": "1.0",
        "type": f"{PREFIX}.{TYPES[event['type']]}",
        "source": f"orchestration/{stage or 'job'}",
        "time": moment,
        "datacontenttype": "application/json",
    }
    timestamp = moment.isoformat()
    for number, job_id in enumerate(event["jobs"]):
        job = info[job_id]
        data = {
            "job_id": job_id,
            "tenant_id": job.tenant_id,
            "correlation_id": job.correlation_id,
            "stage": stage,
            "timestamp": timestamp,
            **_details(event, number),
        }
        attributes = {"id": cloud_id(event["id"], job_id), **shared, **job.attributes}
        yield CloudEvent(attributes, {name: value for name, value in data.items() if value is not None})


def to_json(event: BaseCloudEvent) -> dict[str, Any]:
    """A CloudEvent as one object: the JSON format of the specification."""
    found: dict[str, Any] = orjson.loads(JSONFormat().write(event))
    return found


def read_id(headers: Iterable[tuple[str, bytes | None]], value: bytes | None) -> str | None:
    """The id of the CloudEvent, of either mode, in a Kafka record; None for a record that holds none."""
    given = {name: text for name, text in headers if text is not None}
    try:
        return from_kafka(KafkaMessage(given, None, value or b""), _FORMAT).get_id()
    except UNREADABLE:
        return None


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
