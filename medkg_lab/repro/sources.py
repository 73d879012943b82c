"""What an export reads of a running lab: ledger, artifacts, exchanges and topics."""

from collections.abc import Iterator, Mapping
from typing import Any

from medkg_lab.artifacts import recording
from medkg_lab.artifacts.store import ArtifactMissing, ArtifactStore
from medkg_lab.broker.errors import UnknownTopic
from medkg_lab.broker.reading import read_all
from medkg_lab.broker.topics import Topics
from medkg_lab.lab.facade import Lab
from medkg_lab.ledger.answers import JobDetail
from medkg_lab.models.events import Event
from medkg_lab.models.submission import Submission

PAGE = 5000


class Blobs:
    """Bytes by their sha256, from the artifacts or from the recorded exchanges."""

    def __init__(self, lab: Lab) -> None:
        data = lab.locations.data
        self._stores = [ArtifactStore(data / "artifacts"), ArtifactStore(data / recording.FOLDER)]

    def find(self, sha256: str) -> bytes | None:
        """The bytes; None when they are nowhere, or went while they were looked for. Raises ArtifactDamaged."""
        for store in self._stores:
            try:
                return store.get(sha256)
            except (ArtifactMissing, FileNotFoundError):
                continue
        return None

    def close(self) -> None:
        """Let go of the files."""
        for store in self._stores:
            store.close()


def events_of(lab: Lab, job_id: str, after: int) -> Iterator[Event]:
    """The events of one job after number `after`, in order; those that were pruned come from the ledger's archive."""
    while page := lab.ledger.events(after=after, limit=PAGE, job_id=job_id).events:
        yield from page
        after = page[-1].seq


def events_between(lab: Lab, first: int, last: int) -> Iterator[Event]:
    """All events from number `first` to number `last`."""
    after = first - 1
    while after < last and (page := lab.ledger.events(after=after, limit=PAGE).events):
        yield from (event for event in page if event.seq <= last)
        after = page[-1].seq


def topic_slices(lab: Lab, jobs: Mapping[str, JobDetail]) -> dict[str, list[dict[str, object]]]:
    """The records of these jobs on the work queue, the PDF requests and the CloudEvents, in order within each partition."""
    names = Topics(lab.settings.broker.topic_prefix)
    wanted = {names.requests: _submits, names.pdf_requests: _by_key, names.events: _by_key}
    found = {}
    for topic, concerns in wanted.items():
        try:
            records = [record for record in read_all(lab.bootstrap, topic) if concerns(record, jobs)]
        except UnknownTopic:
            continue
        found[topic] = [_plain(one) for one in sorted(records, key=lambda one: (one.partition, one.offset))]
    return found


def _by_key(record: Any, jobs: Mapping[str, object]) -> bool:
    return (record.key or b"").decode(errors="replace") in jobs


def _submits(record: Any, jobs: Mapping[str, JobDetail]) -> bool:
    try:
        submission = Submission.model_validate_json(record.value or b"")
    except ValueError:
        return False
    pipelines = {job.pipeline for job in jobs.values()}
    return not submission.job_ids(pipelines).isdisjoint(jobs)


def _plain(record: Any) -> dict[str, object]:
    return {
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "key": _text(record.key),
        "value": _text(record.value),
        "headers": {name: _text(value) for name, value in sorted(dict(record.headers or {}).items())},
    }


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "replace")
