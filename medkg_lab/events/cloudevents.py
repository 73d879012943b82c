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

from medkg_lab.models.events import (
    DocumentDeleted,
    Event,
    EventData,
    EventType,
    GateOpened,
    GateRejected,
    GateReleased,
    GateWaiting,
    JobCancelled,
    JobCompleted,
    JobDead,
    JobFailed,
    JobSubmitted,
    StageCompleted,
    StageFailed,
    StageRetrying,
    StageSkipped,
    StageStarted,
)

PREFIX = "org.medicalkg.orchestration"

Published = (
    StageStarted
    | StageCompleted
    | StageSkipped
    | StageFailed
    | StageRetrying
    | JobSubmitted
    | JobCompleted
    | JobFailed
    | JobDead
    | JobCancelled
    | GateWaiting
    | GateOpened
    | GateRejected
    | GateReleased
    | DocumentDeleted
)
"""The ledger's events that become CloudEvents; the others (claims, leases, fields) stay inside."""
_OTHER_TYPES: Mapping[EventType, EventType] = {
    EventType.STAGE_SKIPPED: EventType.STAGE_COMPLETED,
    EventType.JOB_DEAD: EventType.JOB_FAILED,
}
"""The events that are told of under another type."""


class CloudEventData(BaseModel):
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

    def write_data(self, data: dict[str, object] | str | bytes | None, datacontenttype: str | None) -> bytes:
        return orjson.dumps(data) if isinstance(data, dict) else super().write_data(data, datacontenttype)

    def read_data(self, body: bytes, datacontenttype: str | None) -> bytes:
        return body


_FORMAT = _CompactJson()
UNREADABLE = (BaseCloudEventException, ValueError, TypeError, AttributeError, OverflowError, RecursionError)
"""What the SDK, and what it parses with, raise for a record or an object that is not a CloudEvent."""


def cloud_id(event_id: str, job_id: str) -> str:
    """The id of the CloudEvent of one job in one ledger event."""
    return f"{event_id}:{job_id}"


def is_published(data: EventData) -> bool:
    """Whether an event becomes CloudEvents."""
    return isinstance(data, Published)


def cloud_type(data: EventData) -> str:
    """The type of an event's CloudEvents, without the prefix."""
    return _OTHER_TYPES.get(data.type, data.type).value


def messages(event: Event, info: Mapping[str, JobInfo]) -> Iterator[KafkaMessage]:
    """The CloudEvents of `event` as Kafka messages in binary mode; the key is the job's id."""
    return (to_binary(each, _FORMAT) for each in cloud_events(event, info))


def cloud_events(event: Event, info: Mapping[str, JobInfo]) -> Iterator[CloudEvent]:
    """One CloudEvent for each job of `event`; `info` knows every job in it."""
    stage = event.stage
    moment = datetime.fromtimestamp(event.happened_at, UTC)
    shared = {
        "specversion": "1.0",
        "type": f"{PREFIX}.{cloud_type(event.data)}",
        "source": f"orchestration/{stage or 'job'}",
        "time": moment,
        "datacontenttype": "application/json",
    }
    timestamp = moment.isoformat()
    details = _details(event.data)
    outputs = event.data.entries if isinstance(event.data, StageCompleted) else ()
    for number, job_id in enumerate(event.jobs):
        job = info[job_id]
        own = {"duration_ms": outputs[number].ms, "output_count": outputs[number].items} if outputs else {}
        data = {
            "job_id": job_id,
            "tenant_id": job.tenant_id,
            "correlation_id": job.correlation_id,
            "stage": stage,
            "timestamp": timestamp,
            **own,
            **details,
        }
        attributes = {"id": cloud_id(event.id, job_id), **shared, **job.attributes}
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


def _details(data: EventData) -> dict[str, object]:
    """What the CloudEvents of all jobs of an event say alike."""
    match data:
        case StageCompleted():
            return {"success": True, "device": data.device, "implementation": data.implementation}
        case StageSkipped():
            return {"skipped": True, "success": True, "reason": data.reason}
        case StageFailed():
            duration = (data.t1 - data.t0) * 1000
            return {"success": False, "failure_kind": data.kind, "reason": data.reason, "duration_ms": duration}
        case StageRetrying():
            return {"attempt": data.attempt, "failure_kind": data.kind, "reason": data.reason}
        case JobCompleted():
            return {"success": True}
        case JobFailed():
            return {"success": False, "failure_kind": data.kind, "reason": data.reason}
        case JobDead():
            return {"success": False, "failure_kind": "dead", "reason": data.reason}
        case JobCancelled():
            return {"success": False, "by": data.by, "reason": data.why}
        case DocumentDeleted():
            return {"by": data.by, "reason": data.why}
        case GateOpened():
            return {"gate": data.gate, "by": data.by, "how": data.how, "reason": data.why}
        case GateRejected():
            return {"gate": data.gate, "by": data.by, "reason": data.why}
        case GateReleased():
            return {"gate": data.gate, "release_id": data.release_id}
        case GateWaiting():
            return {"gate": data.gate}
        case _:
            return {}
