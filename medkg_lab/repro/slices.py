"""The part of the log that concerns some jobs: events without the other jobs of their batches. Pure."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from medkg_lab.models.events import (
    Event,
    FieldSet,
    GateFailed,
    JobClaimed,
    JobCompleted,
    JobImported,
    JobSubmitted,
    StageCompleted,
    StageFailed,
    StageRetrying,
    of_jobs,
)


def cut(event: Event, jobs: Collection[str]) -> Event | None:
    """The event for these jobs alone; None when it concerns none of them."""
    named = event.jobs
    kept = {job for job in named if job in jobs}
    if not kept:
        return None
    if len(kept) == len(named):
        return event
    data = of_jobs(event.data, kept)
    if isinstance(data, JobClaimed):
        data = replace(data, batch_size=len(named))
    if isinstance(data, StageRetrying):
        # One error for all that a call was made for: its words may be about any of them.
        told = f"the call was made for {len(named)} jobs together; what it said may concern the others"
        data = replace(data, reason=told)
    return replace(event, data=data)


def records_in(event: Event) -> tuple[str, ...]:
    """The exchange records that an event names."""
    match event.data:
        case StageCompleted(exchanges=exchanges) | StageFailed(exchanges=exchanges):
            return exchanges
        case FieldSet(evidence=evidence) | GateFailed(evidence=evidence):
            return evidence.exchanges
        case _:
            return ()


def with_records(event: Event, chosen: Collection[str]) -> Event:
    """The event with the `chosen` ones of the exchange records that it names."""
    kept = tuple(record for record in records_in(event) if record in chosen)
    match event.data:
        case StageCompleted() | StageFailed() as data:
            return replace(event, data=replace(data, exchanges=kept))
        case FieldSet() | GateFailed() as told:
            return replace(event, data=replace(told, evidence=replace(told.evidence, exchanges=kept)))
        case _:
            return event


def artifacts_in(events: Iterable[Event]) -> Iterator[str]:
    """The artifacts that events name: submitted contents, outputs of stages, and what was made of PDFs."""
    for event in events:
        yield from filter(None, _artifacts(event))


def _artifacts(event: Event) -> Iterator[str | None]:
    match event.data:
        case JobSubmitted(entries=specs):
            yield from (spec.content for spec in specs)
        case JobImported(entries=jobs):
            yield from (job.spec.content for job in jobs)
        case StageCompleted(entries=outputs):
            yield from (output.ref for output in outputs)
        case JobCompleted(entries=completed):
            yield from (job.content for job in completed)
        case FieldSet(evidence=evidence) | GateFailed(evidence=evidence):
            yield from (evidence.document, evidence.raw, evidence.source)
