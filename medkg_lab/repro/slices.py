"""The part of the log that concerns some jobs: events without the other jobs of their batches. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from medkg_lab.ledger.events import of_jobs

Event = dict[str, Any]

_WHOLE = "batch_size"
"""How many jobs the batch of a claim had, where the slice does not have all of them."""


def cut(event: Mapping[str, Any], jobs: Collection[str]) -> Event | None:
    """The event for these jobs alone; None when it concerns none of them."""
    named = list(event["jobs"])
    kept = [job for job in named if job in jobs]
    if not kept:
        return None
    if len(kept) == len(named):
        return dict(event)
    data = of_jobs(event["data"], named, kept)
    if event["type"] == "job.claimed":
        data[_WHOLE] = len(named)
    if event["type"] == "stage.retrying":
        # One error for all that a call was made for: its words may be about any of them.
        data["reason"] = f"the call was made for {len(named)} jobs together; what it said may concern the others"
    return {**event, "jobs": kept, "data": data}


def records_in(event: Mapping[str, Any]) -> list[str]:
    """The exchange records that an event names."""
    return [record for places in _naming_records(event["data"]) for record in places["exchanges"]]


def with_records(event: Event, chosen: Collection[str]) -> Event:
    """The event with the `chosen` ones of the exchange records that it names."""
    made = {**event, "data": dict(event["data"])}
    if isinstance(evidence := made["data"].get("evidence"), dict):
        made["data"]["evidence"] = dict(evidence)
    for place in _naming_records(made["data"]):
        place["exchanges"] = [record for record in place["exchanges"] if record in chosen]
    return made


def _naming_records(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The objects of an event's data that name exchange records."""
    for place in (data, data.get("evidence")):
        if isinstance(place, dict) and isinstance(place.get("exchanges"), list):
            yield place


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
