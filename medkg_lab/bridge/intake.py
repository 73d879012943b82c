"""Intake: requests on the work queue become jobs in the ledger, at least once and idempotently.

The offset is committed after the ledger's acknowledgement. A message that can never become a job goes to the dead-letter topic
with the reason in its headers, so that it never blocks its partition.
"""

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson
from pydantic import ValidationError

from medkg_lab.bridge.specs import job_spec, pipeline_of
from medkg_lab.broker.client import Consumer, Producer, Record
from medkg_lab.broker.topics import Topics
from medkg_lab.errors import LabError
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.models.submission import Submission
from medkg_lab.topology import versions
from medkg_lab.topology.catalog import Catalog
from medkg_lab.topology.models import Topology

log = logging.getLogger(__name__)

GROUP = "medkg-intake"
MAX_REQUEST = 256 * 1024
BATCH = 500
PORTION = 8 * 1024 * 1024
"""Bytes of requests that go to the ledger together."""
LONGEST_KEY = 1024
PAUSE = 1.0
"""Seconds to wait before a peer that did not answer is asked again."""


class NotARequest(LabError):
    """The message is no ingest request: {detail}. Its schema is bundled_pipelines/schemas/ingest-request.schema.json."""


class Intake:
    """Reads the work queue until `stopping` says so."""

    def __init__(
        self, consumer: Consumer, producer: Producer, ledger: LedgerClient, catalog: Catalog, topics: Topics
    ) -> None:
        self._consumer = consumer
        self._producer = producer
        self._ledger = ledger
        self._catalog = catalog
        self._topics = topics
        self._registered: set[str] = set()

    def run(self, stopping: Callable[[float], bool]) -> None:
        """Take requests until `stopping(0)`; `stopping(seconds)` waits that long unless the end comes first."""
        while not stopping(0):
            records = self._consumer.poll(0.5, BATCH)
            for together in _portions(records):
                if not stopping(0):
                    self._take(together, stopping)

    def _take(self, records: Sequence[Record], stopping: Callable[[float], bool]) -> None:
        while True:
            try:
                self.accept(records)
                self._consumer.commit(records)
                return
            except LabError as error:
                log.warning("intake waits: %s", error)
                if stopping(PAUSE):
                    return

    def accept(self, records: Sequence[Record]) -> None:
        """Make jobs of `records`; returns once the ledger has them and the dead letters are on disk."""
        jobs: list[dict[str, Any]] = []
        found: dict[tuple[str | None, str, bool], Topology] = {}
        for record in records:
            try:
                submission = parse(record.value)
                # Looked up once for all alike: each look at the catalog is a look at every file.
                alike = submission.pipeline, submission.source, submission.query is not None and not submission.key
                topology = found[alike] = found.get(alike) or self._topology(submission)
            except LabError as error:
                self._dead_letter(record, error)
            else:
                jobs.append(job_spec(submission, topology, (record.timestamp or time.time() * 1000) / 1000))
        if jobs:
            self._ledger.submit(jobs, id=_command_id(records))
        self._producer.flush()

    def _topology(self, submission: Submission) -> Topology:
        topology = self._catalog.topology(pipeline_of(submission, self._catalog))
        version = versions.version_of(topology)
        if version not in self._registered:
            self._ledger.register("topology", topology.name, version, versions.to_json(topology))
            self._registered.add(version)
        return topology

    def _dead_letter(self, record: Record, error: LabError) -> None:
        log.warning("dead letter from %s/%s@%s: %s", record.topic, record.partition, record.offset, error)
        headers = {
            "medkg-reason": str(error).encode()[:2000],
            "medkg-error": type(error).__name__.encode(),
            "medkg-origin": f"{record.topic}/{record.partition}@{record.offset}".encode(),
        }
        # What was just small enough for the work queue would be too large with these headers, and never get anywhere.
        value, key = record.value or b"", record.key or b""
        if len(value) > MAX_REQUEST or len(key) > LONGEST_KEY:
            headers["medkg-cut"] = f"value of {len(value)} bytes, key of {len(key)}; whole at the origin".encode()
        short_key = None if record.key is None else key[:LONGEST_KEY]
        self._producer.send(self._topics.deadletter, value[:MAX_REQUEST], key=short_key, headers=headers)


def parse(value: bytes | None) -> Submission:
    """Read one message of the work queue. Raises NotARequest with what is wrong."""
    if value is None:
        raise NotARequest(detail="it has no value")
    if len(value) > MAX_REQUEST:
        raise NotARequest(
            detail=f"it has {len(value)} bytes, and {MAX_REQUEST} are the limit; put the content into a file"
        )
    try:
        return Submission.model_validate(orjson.loads(value))
    except orjson.JSONDecodeError as error:
        raise NotARequest(detail=f"it is not JSON ({error})") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "request"
        raise NotARequest(detail=f"{where}: {first['msg']}") from None


def _portions(records: Sequence[Record]) -> Iterator[list[Record]]:
    """`records` in their order, in portions of at most `PORTION` bytes; a larger record is one of its own."""
    together: list[Record] = []
    size = 0
    for record in records:
        size += len(record.value or b"")
        if together and size > PORTION:
            yield together
            together, size = [], len(record.value or b"")
        together.append(record)
    if together:
        yield together


def _command_id(records: Sequence[Record]) -> str:
    places = [(record.topic, record.partition, record.offset) for record in records]
    return "intake:" + hashlib.sha256(repr(places).encode()).hexdigest()[:32]
