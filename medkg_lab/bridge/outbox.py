"""The outbox: every ledger event reaches the topics, in order and at least once.

It is a view of the ledger with a saved place, which moves only after the broker acknowledged everything before it. The raw events
are signed in a chain; after a crash some come again, with the same bytes and signatures.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import orjson

from medkg_lab import linux
from medkg_lab.artifacts.store import ArtifactDamaged, ArtifactMissing, ArtifactStore
from medkg_lab.bridge.known_jobs import KnownJobs
from medkg_lab.bridge.messages import request_message
from medkg_lab.broker.client import Producer
from medkg_lab.broker.topics import Topics
from medkg_lab.errors import LabError
from medkg_lab.events.cloudevents import is_published, messages
from medkg_lab.ledger import epochs
from medkg_lab.ledger.chain import Link, signed
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.logs import fields
from medkg_lab.models.events import (
    PDF_IR_READY,
    Event,
    GateWaiting,
    JobDead,
    StageCompleted,
)
from medkg_lab.signing import Signer
from medkg_lab.stages.kinds import PAYLOAD, SUBMISSIONS

log = logging.getLogger(__name__)

VIEW = "outbox"
BATCH = 1000
RETRY_INTERVAL_S = 1.0
LINGER_S = 0.1
"""Seconds between two readings: one flush for the events of many commits is what keeps the outbox and the broker cheap."""


@dataclass(frozen=True)
class Signing:
    """What the outbox signs with: the log, the requests that follow from a query, and the state folder with the log's epoch."""

    log: Signer
    requests: Signer
    state: Path


class Outbox:
    """Publishes the ledger's events until `stopping` says so."""

    def __init__(
        self,
        ledger: LedgerClient,
        producer: Producer,
        artifacts: ArtifactStore,
        topics: Topics,
        signing: Signing,
    ) -> None:
        self._ledger = ledger
        self._producer = producer
        self._artifacts = artifacts
        self._topics = topics
        self._signing = signing
        self._jobs = KnownJobs(ledger)

    def run(self, stopping: Callable[[float], bool]) -> None:
        """Publish until `stopping(0)`; `stopping(seconds)` waits that long unless the end comes first."""
        linux.yield_to_others()
        bookmark: Mapping[str, object] | None = None
        last: Link | None = None
        while not stopping(0):
            try:
                if last is None:
                    bookmark, last = self._resume()
                events = self._ledger.lines(after=last.seq, limit=BATCH, wait_s=0.5)
                if events:
                    last = self.publish(events, last)
                    before, bookmark = bookmark, _bookmark(last)
                    self._ledger.bookmark(VIEW, before, bookmark)
                # Also when nothing is new: a ledger that was killed may have lost what it was told.
                self._ledger.position(VIEW, last.seq)
                if events:
                    stopping(LINGER_S)
            except LabError as error:
                log.warning("outbox waits: %s", error, extra=fields(event="outbox.waits"))
                last = None
                stopping(RETRY_INTERVAL_S)

    def _resume(self) -> tuple[Mapping[str, object] | None, Link]:
        """The bookmark, and the place in the chain to go on from: the bookmark's, or the start of a new epoch."""
        bookmark, head = self._ledger.bookmarks().get(VIEW), self._ledger.counts().head
        epoch = epochs.current(self._signing.state)
        known = _link(bookmark)
        if known is not None and epoch is not None and known.epoch == epoch.number and known.seq <= head:
            return bookmark, known
        position = min(int(self._ledger.positions().get(VIEW, 0)), head)
        first = Link.first(epochs.begin(self._signing.state, position))
        self._ledger.bookmark(VIEW, bookmark, _bookmark(first))
        return _bookmark(first), first

    def publish(self, events: Iterable[tuple[Event, bytes]], last: Link) -> Link:
        """Put `events`, each with what was written of it, on the topics behind `last`.

        Returns the place of the last one once the broker has all of them.
        """
        for event, line in events:
            last, headers = signed(self._signing.log, last, event.seq, line)
            self._producer.send(self._topics.ledger_log, line, key=str(event.seq).encode(), headers=headers)
            self._jobs.learn(event)
            if is_published(event.data):
                self._publish_cloud_events(event)
            self._follow_up(event)
        self._producer.flush()
        return last

    def _publish_cloud_events(self, event: Event) -> None:
        for message in messages(event, self._jobs.of(event)):
            self._producer.send(self._topics.events, message.value, key=message.key, headers=message.headers)

    def _follow_up(self, event: Event) -> None:
        match event.data:
            case GateWaiting(gate=gate, jobs=jobs, condition=condition) if condition.ledger_field == PDF_IR_READY:
                for job_id in jobs:
                    self._request_pdf(job_id, gate)
            case StageCompleted(kind="submissions", entries=outputs):
                for output in outputs:
                    if output.ref is not None:
                        self._submit_expansion(output.job_id, output.ref)
            case JobDead(jobs=jobs, reason=reason):
                for job_id in jobs:
                    self._dead_letter(job_id, reason)

    def _request_pdf(self, job_id: str, gate: str) -> None:
        job = self._ledger.get(job_id)
        if job is None or "payload" not in job.outputs:
            log.warning(
                "job %s waits for a PDF's text, but has no PDF", job_id, extra=fields(event="pdf.missing", job=job_id)
            )
            return
        try:
            payload = PAYLOAD.decode(self._artifacts.get(job.outputs["payload"]))
        except (ArtifactMissing, ArtifactDamaged) as error:
            # The PDF process finds the job without being woken, and fails it with this reason.
            log.warning(
                "job %s waits for a PDF's text: %s", job_id, error, extra=fields(event="pdf.unreadable", job=job_id)
            )
            return
        request = {
            "schema": "medkg.pdf.request/1",
            "job_id": job_id,
            "doc_id": job.doc_id,
            "tenant_id": job.tenant_id,
            "pipeline": job.pipeline,
            "gate": gate,
            "content": payload.sha256,
            "name": payload.name,
        }
        self._producer.send(self._topics.pdf_requests, orjson.dumps(request), key=job_id.encode())

    def _submit_expansion(self, job_id: str, ref: str) -> None:
        try:
            submissions = SUBMISSIONS.decode(self._artifacts.get(ref))
        except (ArtifactMissing, ArtifactDamaged) as error:
            log.error(
                "the documents that job %s found are not submitted: %s",
                job_id,
                error,
                extra=fields(event="expansion.lost", job=job_id),
            )
            self._dead_letter(job_id, str(error), type(error).__name__)
            return
        for submission in submissions:
            follow = submission.model_copy(update={"correlation_id": submission.correlation_id or job_id})
            message = request_message(follow, self._signing.requests)
            self._producer.send(self._topics.requests, message.value, key=message.key, headers=message.headers)

    def _dead_letter(self, job_id: str, reason: str, error: str = "WorkerLost") -> None:
        job = self._ledger.get(job_id)
        headers = {"medkg-reason": reason.encode()[:2000], "medkg-error": error.encode(), "medkg-job": job_id.encode()}
        value = orjson.dumps(job.submission) if job else b""
        self._producer.send(self._topics.deadletter, value, key=job_id.encode(), headers=headers)


class _Bookmark(msgspec.Struct):
    epoch: int
    seq: int
    mac: str


def _bookmark(link: Link) -> dict[str, object]:
    return {"epoch": link.epoch, "seq": link.seq, "mac": link.mac.hex()}


def _link(bookmark: Mapping[str, object] | None) -> Link | None:
    try:
        kept = None if bookmark is None else msgspec.convert(bookmark, _Bookmark)
        return None if kept is None else Link(kept.epoch, kept.seq, bytes.fromhex(kept.mac))
    except (msgspec.ValidationError, ValueError):
        return None
