"""Intake: requests on the work queue become jobs in the ledger, at least once and idempotently.

A message that can never become a job goes to the dead-letter topic with the reason in its headers, so that it never blocks its
partition.
"""

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import orjson
from pydantic import ValidationError

from medkg_lab.bridge.offsets import PartitionPositions, RecordStatus
from medkg_lab.bridge.specs import job_spec, pipeline_of
from medkg_lab.broker.client import Producer, Record
from medkg_lab.broker.partitions import PartitionReader
from medkg_lab.broker.topics import Topics
from medkg_lab.errors import LabError
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.ledger.errors import DiskFull, LedgerClosing
from medkg_lab.logs import fields
from medkg_lab.models.job import JobSpec
from medkg_lab.models.submission import Submission
from medkg_lab.rpc import PeerUnreachable, RemoteFailure
from medkg_lab.signing import SIGNATURE, Signer
from medkg_lab.topology import versions
from medkg_lab.topology.catalog import Catalog
from medkg_lab.topology.models import Topology
from medkg_lab.validation import first_flaw

log = logging.getLogger(__name__)

GROUP = "medkg-intake"
"""The group whose offsets show how far the intake is."""
BOOKMARK = "intake"
MAX_REQUEST_BYTES = 256 * 1024
BATCH = 500
PORTION_BYTES = 1024 * 1024
"""Bytes of requests that go to the ledger together: their event, with each key three times, must fit a record of the log."""
LONGEST_KEY = 1024
RETRY_INTERVAL_S = 1.0
"""Seconds to wait before a peer that did not answer is asked again."""
RECHECK_S = 30.0
"""Seconds after which an idle intake looks whether the last record that it read is still there and the ledger where it was."""
LEDGER_AWAY = (PeerUnreachable, RemoteFailure, LedgerClosing, DiskFull)
"""What says nothing of a request."""


class NotARequest(LabError):
    """The message is not an ingest request: {detail}. Its schema is bundled_pipelines/schemas/ingest-request.schema.json."""


class ContentNotSigned(LabError):
    """The request names bytes that the lab keeps (sha256 {sha256}), and the lab did not write it: whoever writes to this topic
    could name any document of anyone. Name a file by `uri`, or submit it with `medkg-lab submit`."""


class Intake:
    """Reads the work queue until `stopping` says so.

    Where it stands is kept as its bookmark in the ledger, and moved after the ledger has the jobs. The offsets of its group are
    only shown.
    """

    def __init__(
        self,
        reader: PartitionReader,
        producer: Producer,
        ledger: LedgerClient,
        catalog: Catalog,
        topics: Topics,
        signer: Signer,
    ) -> None:
        self._reader = reader
        self._producer = producer
        self._ledger = ledger
        self._catalog = catalog
        self._topics = topics
        self._signer = signer
        self._registered: set[str] = set()
        self._places = PartitionPositions(topics.requests)
        self._bookmark: Mapping[str, object] | None = None

    def run(self, stopping: Callable[[float], bool]) -> None:
        """Take requests until `stopping(0)`; `stopping(seconds)` waits that long unless the end comes first."""
        started: float | None = None
        while not stopping(0):
            try:
                if started is None:
                    self._start()
                    started = time.monotonic()
                records = self._reader.poll(0.5, BATCH)
                for together in _portions(self._unread(records)):
                    self.accept(together)
                    self._advance(together)
                if not records and time.monotonic() - started > RECHECK_S:
                    started = None
            except LabError as error:
                log.warning("intake waits: %s", error, extra=fields(event="intake.waits"))
                started = None
                stopping(RETRY_INTERVAL_S)

    def _start(self) -> None:
        """Go to where the ledger says that the intake is."""
        self._bookmark = self._ledger.bookmarks().get(BOOKMARK)
        self._places = PartitionPositions(self._topics.requests, self._bookmark)
        self._reader.start(self._places.starts())

    def _unread(self, records: Sequence[Record]) -> list[Record]:
        """Those of `records` that are to be read, in order."""
        unread: list[Record] = []
        again: set[int] = set()
        missed = self._places.missed
        for record in records:
            if record.partition in again:
                continue
            standing = self._places.judge(record)
            if standing is RecordStatus.OTHER:
                log.warning(
                    "%s/%s was made again: it is read from its beginning",
                    record.topic,
                    record.partition,
                    extra=fields(event="topic.recreated"),
                )
                self._reader.rewind(record.partition)
                again.add(record.partition)
            elif standing is RecordStatus.NEW:
                unread.append(record)
        if self._places.missed > missed:
            log.error(
                "%d requests were deleted before they were read",
                self._places.missed - missed,
                extra=fields(event="requests.lost"),
            )
        return unread

    def _advance(self, records: Sequence[Record]) -> None:
        for record in records:
            self._places.advance(record)
        bookmark = self._places.bookmark()
        self._ledger.bookmark(BOOKMARK, self._bookmark, bookmark)
        self._bookmark = bookmark
        self._reader.show(self._places.ends())

    def accept(self, records: Sequence[Record]) -> None:
        """Make jobs of `records`; returns once the ledger has them and the dead letters are on disk."""
        jobs: list[JobSpec] = []
        found: dict[tuple[str | None, str, bool], Topology] = {}
        for record in records:
            try:
                submission = parse(record.value)
                # Looked up once for all alike: each look at the catalog is a look at every file.
                alike = submission.pipeline, submission.source, submission.query is not None and not submission.key
                topology = found[alike] = found.get(alike) or self._topology(submission)
                self._check_content(record, submission, topology)
            except LEDGER_AWAY:
                raise
            except LabError as error:
                self._dead_letter(record, error)
            else:
                if self._is_earlier_job(submission, topology):
                    continue
                jobs.append(job_spec(submission, topology, _submitted_at(record.timestamp, time.time())))
        if jobs:
            self._ledger.submit(jobs, id=_command_id(records, jobs))
        self._producer.flush()

    def _check_content(self, record: Record, submission: Submission, topology: Topology) -> None:
        """Raise ContentNotSigned for bytes by their hash, unless the lab wrote the request or it changes nothing."""
        sha256 = submission.content.sha256 if submission.content else None
        if sha256 is None or self._signer.is_signed(record.value or b"", record.header(SIGNATURE)):
            return
        if self._ledger.get(submission.job_id(topology.name)) is None:
            raise ContentNotSigned(sha256=sha256)

    def _is_earlier_job(self, submission: Submission, topology: Topology) -> bool:
        """Whether an earlier version of the lab made a job of this request, under the id that it had there."""
        earlier = submission.earlier_job_id(topology.name)
        job = self._ledger.get(earlier) if earlier is not None else None
        if job is None or submission.content is None:
            return False
        content = job.submitted_content
        return submission.content.uri == (None if content is None else content.uri)

    def _topology(self, submission: Submission) -> Topology:
        topology = self._catalog.topology(pipeline_of(submission, self._catalog))
        version = versions.version_of(topology)
        if version not in self._registered:
            self._ledger.register("topology", topology.name, version, versions.to_json(topology))
            self._registered.add(version)
        return topology

    def _dead_letter(self, record: Record, error: LabError) -> None:
        log.warning(
            "dead letter from %s/%s@%s: %s",
            record.topic,
            record.partition,
            record.offset,
            error,
            extra=fields(event="request.refused"),
        )
        headers = {
            "medkg-reason": str(error).encode()[:2000],
            "medkg-error": type(error).__name__.encode(),
            "medkg-origin": f"{record.topic}/{record.partition}@{record.offset}".encode(),
        }
        # What was just small enough for the work queue would be too large with these headers, and never get anywhere.
        value, key = record.value or b"", record.key or b""
        if len(value) > MAX_REQUEST_BYTES or len(key) > LONGEST_KEY:
            headers["medkg-cut"] = f"value of {len(value)} bytes, key of {len(key)}; whole at the origin".encode()
        short_key = None if record.key is None else key[:LONGEST_KEY]
        self._producer.send(self._topics.deadletter, value[:MAX_REQUEST_BYTES], key=short_key, headers=headers)


def parse(value: bytes | None) -> Submission:
    """Read one message of the work queue. Raises NotARequest with what is wrong."""
    if value is None:
        raise NotARequest(detail="it has no value")
    if len(value) > MAX_REQUEST_BYTES:
        raise NotARequest(
            detail=f"it has {len(value)} bytes, and {MAX_REQUEST_BYTES} are the limit; put the content into a file"
        )
    try:
        return Submission.model_validate(orjson.loads(value))
    except orjson.JSONDecodeError as error:
        raise NotARequest(detail=f"it is not JSON ({error})") from None
    except ValidationError as error:
        raise NotARequest(detail=first_flaw(error.errors()).text("request")) from None


def _portions(records: Sequence[Record]) -> Iterator[list[Record]]:
    """`records` in their order, in portions of at most `PORTION_BYTES` bytes; a larger record is one of its own."""
    together: list[Record] = []
    size = 0
    for record in records:
        size += len(record.value or b"")
        if together and size > PORTION_BYTES:
            yield together
            together, size = [], len(record.value or b"")
        together.append(record)
    if together:
        yield together


def _command_id(records: Sequence[Record], jobs: Sequence[JobSpec]) -> str:
    """The same for the same records and jobs; offsets alone come again when a topic is made again."""
    places = [(record.topic, record.partition, record.offset) for record in records]
    return "intake:" + hashlib.sha256(repr((places, [job.job_id for job in jobs])).encode()).hexdigest()[:32]


def _submitted_at(timestamp_ms: int, now: float) -> float:
    """When a request was put on the queue, in seconds since the epoch: as its producer says, if that can be."""
    given = timestamp_ms / 1000
    return given if 0 < given <= now else now
