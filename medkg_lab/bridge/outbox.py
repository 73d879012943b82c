"""The outbox: every ledger event reaches the topics, in order and at least once.

It is a view of the ledger with a saved position. The position moves only after the broker acknowledged everything before it.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import orjson

from medkg_lab import linux
from medkg_lab.artifacts.store import ArtifactStore
from medkg_lab.broker.client import Producer
from medkg_lab.broker.topics import Topics
from medkg_lab.errors import LabError
from medkg_lab.events.cloudevents import JobInfo, is_published, messages
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.stages.kinds import KINDS

log = logging.getLogger(__name__)

VIEW = "outbox"
BATCH = 1000
PAUSE = 1.0
GATHER = 0.1
"""Seconds between two readings: one flush for the events of many commits is what keeps the outbox and the broker cheap."""
KNOWN_JOBS = 20_000
"""How many jobs' names are kept at hand; others are asked of the ledger."""


class Outbox:
    """Publishes the ledger's events until `stopping` says so."""

    def __init__(self, ledger: LedgerClient, producer: Producer, artifacts: ArtifactStore, topics: Topics) -> None:
        self._ledger = ledger
        self._producer = producer
        self._artifacts = artifacts
        self._topics = topics
        self._jobs: OrderedDict[str, JobInfo] = OrderedDict()

    def run(self, stopping: Callable[[float], bool]) -> None:
        """Publish until `stopping(0)`; `stopping(seconds)` waits that long unless the end comes first."""
        linux.yield_to_others()
        position: int | None = None
        while not stopping(0):
            try:
                if position is None:
                    position = int(self._ledger.positions().get(VIEW, 0))
                events = self._ledger.events(after=position, limit=BATCH, wait_s=0.5)["events"]
                if events:
                    self.publish(events)
                    position = int(events[-1]["seq"])
                    self._ledger.position(VIEW, position)
                    stopping(GATHER)
            except LabError as error:
                log.warning("outbox waits: %s", error)
                position = None
                stopping(PAUSE)

    def publish(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Put `events` on the topics; returns once the broker has acknowledged all of them."""
        for event in events:
            self._producer.send(self._topics.ledger_log, orjson.dumps(event), key=str(event["seq"]).encode())
            self._learn(event)
            if is_published(event["type"]):
                self._publish_cloud_events(event)
            self._follow_up(event)
        self._producer.flush()

    def _publish_cloud_events(self, event: Mapping[str, Any]) -> None:
        info = {job_id: self._info(job_id) for job_id in event["jobs"]}
        for message in messages(event, info):
            self._producer.send(self._topics.events, message.value, key=message.key, headers=message.headers)

    def _follow_up(self, event: Mapping[str, Any]) -> None:
        match event["type"]:
            case "gate.waiting" if event["data"]["condition"]["ledger_field"] == "pdf_ir_ready":
                for job_id in event["jobs"]:
                    self._request_pdf(job_id, event)
            case "stage.completed" if event["data"]["kind"] == "submissions":
                for job_id, ref in zip(event["jobs"], event["data"]["refs"], strict=True):
                    self._submit_expansion(job_id, ref)
            case "job.dead":
                for job_id in event["jobs"]:
                    self._dead_letter(job_id, event["data"]["reason"])

    def _request_pdf(self, job_id: str, event: Mapping[str, Any]) -> None:
        job = self._ledger.get(job_id)
        if job is None or "payload" not in job["outputs"]:
            log.warning("job %s waits for a PDF's text, but has no PDF", job_id)
            return
        payload = KINDS["payload"].decode(self._artifacts.get(job["outputs"]["payload"]))
        request = {
            "schema": "medkg.pdf.request/1",
            "job_id": job_id,
            "doc_id": job["doc_id"],
            "tenant_id": job["tenant_id"],
            "pipeline": job["pipeline"],
            "gate": event["stage"],
            "content": payload.sha256,
            "name": payload.name,
        }
        self._producer.send(self._topics.pdf_requests, orjson.dumps(request), key=job_id.encode())

    def _submit_expansion(self, job_id: str, ref: str) -> None:
        for submission in KINDS["submissions"].decode(self._artifacts.get(ref)):
            follow = submission.model_copy(update={"correlation_id": submission.correlation_id or job_id})
            value = orjson.dumps(follow.model_dump(mode="json", exclude_none=True))
            self._producer.send(self._topics.requests, value, key=follow.doc_id.encode())

    def _dead_letter(self, job_id: str, reason: str) -> None:
        job = self._ledger.get(job_id)
        headers = {"medkg-reason": reason.encode()[:2000], "medkg-error": b"WorkerLost", "medkg-job": job_id.encode()}
        value = orjson.dumps(job["submission"]) if job else b""
        self._producer.send(self._topics.deadletter, value, key=job_id.encode(), headers=headers)

    def _learn(self, event: Mapping[str, Any]) -> None:
        if event["type"] == "job.submitted":
            for spec in event["data"]["specs"]:
                self._keep(_info(spec, 0))
        elif event["type"] == "job.claimed":
            for job_id, attempt in zip(event["jobs"], event["data"]["attempts"], strict=True):
                known = self._info(job_id)
                self._keep(replace(known, attempt=attempt))

    def _info(self, job_id: str) -> JobInfo:
        if job_id not in self._jobs:
            job = self._ledger.get(job_id)
            if job is None:
                raise JobUnknown(job_id=job_id)
            self._keep(_info(job, int(job.get("attempt") or 0)))
        return self._jobs[job_id]

    def _keep(self, info: JobInfo) -> None:
        self._jobs[info.job_id] = info
        self._jobs.move_to_end(info.job_id)
        while len(self._jobs) > KNOWN_JOBS:
            self._jobs.popitem(last=False)


class JobUnknown(LabError):
    """The ledger has events of job {job_id} but does not know it. Run `medkg-lab verify`; the ledger's views may be behind."""


def _info(job: Mapping[str, Any], attempt: int) -> JobInfo:
    return JobInfo(
        job_id=job["job_id"],
        tenant_id=job["tenant_id"],
        correlation_id=job["correlation_id"],
        doc_id=job["doc_id"],
        pipeline=job["pipeline"],
        pipeline_version=job["pipeline_version"],
        attempt=attempt,
    )
