"""The ledger's log read backwards: what one event says of one job, where a moment stands, which document a job is about."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice

from medkg_lab.errors import LabError
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.ledger.named_queries import Named
from medkg_lab.models.event_codec import to_json
from medkg_lab.models.events import DefinitionRegistered, Event

ASKED_AT_ONCE = 500
TIMEOUT_S = 3.0


class NoSuchEvent(LabError):
    """The ledger has no event {seq} any more: it was pruned. `medkg-lab events --after 0` begins with the oldest that is kept."""


def event(ledger: LedgerClient, seq: int) -> Event:
    """The event with this number. Raises NoSuchEvent."""
    found = ledger.events(after=seq - 1, limit=1).events
    if not found or found[0].seq != seq:
        raise NoSuchEvent(seq=seq)
    return found[0]


def event_as_json(ledger: LedgerClient, seq: int, job_id: str) -> dict[str, object]:
    """What event `seq` says of one job: its CloudEvent in the JSON format, or the ledger's own event where none is published.

    Raises NoSuchEvent.
    """
    # Here, so that the screen's first frame does not wait for the library that reads CloudEvents.
    from medkg_lab.events import cloudevents

    found = event(ledger, seq)
    job = ledger.get(job_id) if job_id in found.jobs else None
    if job is None or not cloudevents.is_published(found.data):
        if isinstance(found.data, DefinitionRegistered):
            found = replace(found, data=replace(found.data, content=""))
        return to_json(found)
    about = cloudevents.JobInfo(
        job_id=job_id,
        tenant_id=job.tenant_id,
        correlation_id=job.correlation_id,
        doc_id=job.doc_id,
        pipeline=job.pipeline,
        pipeline_version=job.pipeline_version,
        attempt=job.attempt,
    )
    every = cloudevents.cloud_events(found, dict.fromkeys(found.jobs, about))
    return cloudevents.to_json(next(islice(every, found.jobs.index(job_id), None)))


def seq_at(ledger: LedgerClient, ts: float) -> int:
    """The number of the first event at or after a moment (seconds since the epoch), or one past the newest."""
    low, high = 0, ledger.counts().head
    while low < high:
        middle = (low + high) // 2
        found = ledger.events(after=middle, limit=1).events
        reached = not found or found[0].ts >= ts
        low, high = (low, middle) if reached else (found[0].seq, high)
    return low + 1


def documents(ledger: LedgerClient, job_ids: Iterable[str]) -> dict[str, str]:
    """The documents of jobs, of at most `ASKED_AT_ONCE`. Raises QueryTimeout."""
    wanted = list(job_ids)[:ASKED_AT_ONCE]
    if not wanted:
        return {}
    rows = ledger.rows(Named.DOCUMENTS_OF_JOBS, [wanted], limit=len(wanted), timeout_s=TIMEOUT_S).rows
    return {str(job): str(document) for job, document in rows}
