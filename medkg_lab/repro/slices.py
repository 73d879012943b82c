"""The part of the log that concerns some jobs: events without the other jobs of their batches. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

Event = dict[str, Any]

_PER_JOB = frozenset({"ms", "counts", "refs", "content", "specs", "entries", "attempts", "versions"})
"""The keys of events' data that hold one entry per job, in the order of the event's jobs."""
_WHOLE = "batch_size"
"""How many jobs the batch of a claim had, where the slice does not have all of them."""


def cut(event: Mapping[str, Any], jobs: Collection[str]) -> Event | None:
    """The event for these jobs alone; None when it concerns none of them."""
    named = list(event["jobs"])
    places = [place for place, job in enumerate(named) if job in jobs]
    if not places:
        return None
    data = {
        key: [value[place] for place in places]
        if key in _PER_JOB and isinstance(value, list) and len(value) == len(named)
        else value
        for key, value in event["data"].items()
    }
    if event["type"] == "job.claimed" and len(places) < len(named):
        data[_WHOLE] = len(named)
    return {**event, "jobs": [named[place] for place in places], "data": data}


def records_in(event: Mapping[str, Any]) -> list[str]:
    """The exchange records that an event names."""
    data = event["data"]
    evidence = data.get("evidence")
    named = [data.get("exchanges"), evidence.get("exchanges") if isinstance(evidence, dict) else None]
    return [record for records in named if isinstance(records, list) for record in records]


def artifacts_in(events: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The artifacts that events name: submitted contents, outputs of stages, and what was made of PDFs."""
    for event in events:
        data = event["data"]
        for spec in data.get("specs", ()):
            if spec.get("content"):
                yield spec["content"]
        yield from (ref for ref in data.get("refs", ()) if ref)
        if event["type"] == "job.completed":
            yield from (content for content in data.get("content", ()) if content)
        evidence = data.get("evidence") or {}
        yield from (evidence[name] for name in ("document", "raw", "source") if isinstance(evidence.get(name), str))


def is_breaker(event: Mapping[str, Any]) -> bool:
    """Whether the event is about a circuit, which belongs to no job."""
    return str(event["type"]).startswith("breaker.")
