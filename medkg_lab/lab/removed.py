"""Records that are gone from a topic although neither their age nor the topic's size explains it: somebody deleted them."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from medkg_lab.bridge import settings_changes
from medkg_lab.broker.listing import topic_listing
from medkg_lab.broker.reading import read_all
from medkg_lab.broker.topics import TopicSpec, chosen_topics
from medkg_lab.events.cloudevents import cloud_id, is_published
from medkg_lab.lab import audit
from medkg_lab.lab.facade import Lab
from medkg_lab.models.events import Event

_DAY_S = 24 * 60 * 60
_MIB = 1024 * 1024
SETTINGS = frozenset({"retention.topic_days", "retention.topic_mib"})
"""The settings that say how long the topics keep their records."""


def chosen_at(lab: Lab) -> float:
    """Since when the topics keep their records as long as they do, in seconds since the epoch; 0 if it always was so.

    What is older may have gone by the retention from before. It is infinite while the lab has not been started with what the
    settings say now.
    """
    if settings_changes.waiting(lab.locations, lab.settings) & SETTINGS:
        return float("inf")
    changed = audit.read(lab.ledger, audit.Filter(action=settings_changes.CHANGED))
    # Without a value before, an earlier version had no such setting, and the topics what they have without it.
    times = [one.ts for one in changed if one.subject in SETTINGS and (one.before or "null") != one.after]
    return max(times, default=0.0)


def is_explained(spec: TopicSpec, age_s: float, size: int) -> bool:
    """Whether retention may have removed records of that age from a partition that has `size` bytes left.

    Retention by size leaves what the topic may hold but for its last closed file; half of that is assumed, since records take
    more room on disk than their bytes.
    """
    return age_s >= spec.retention_days * _DAY_S or size * 2 >= spec.retention_mib * _MIB


def removed_events(
    events: Sequence[Event],
    present: Collection[str],
    mark: int,
    now: float,
    spec: TopicSpec,
    size: int,
    since: float = 0.0,
) -> int:
    """How many of the events up to `mark` lack a CloudEvent on the topic that is too young for retention.

    `present` is the ids of the CloudEvents on the topic, `size` the bytes of its largest partition; nothing is known of events
    from before `since`.
    """
    return sum(
        event.seq <= mark
        and event.ts >= since
        and is_published(event.data)
        and not is_explained(spec, now - event.ts, size)
        and any(cloud_id(event.id, job_id) not in present for job_id in event.jobs)
        for event in events
    )


def differences(lab: Lab, age_s: float) -> Iterator[dict[str, object]]:
    """The lab's topics that are missing, and those that lack records though the lab itself is only `age_s` seconds old."""
    listed = topic_listing(lab.bootstrap)
    names = {one.topic for one in listed}
    for spec in chosen_topics(lab.settings):
        if spec.name not in names:
            yield {"what": "topic missing", "topic": spec.name}
            continue
        first = {one.partition: one.first for one in listed if one.topic == spec.name and one.first > 0}
        if not first or is_explained(spec, age_s, 0):
            continue
        left = sizes(read_all(lab.bootstrap, spec.name))
        for partition, gone in sorted(first.items()):
            if not is_explained(spec, age_s, left.get(partition, 0)):
                yield {
                    "what": "records deleted before their time",
                    "partition": f"{spec.name}/{partition}",
                    "records": gone,
                }


def sizes(records: Iterable[Any]) -> dict[int, int]:
    """The bytes of the records of each partition."""
    found: dict[int, int] = {}
    for record in records:
        size = len(record.value or b"") + len(record.key or b"") + sum(len(value or b"") for _, value in record.headers)
        found[record.partition] = found.get(record.partition, 0) + size
    return found
