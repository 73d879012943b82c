"""Records that are gone from a topic although neither their age nor the topic's size explains it: somebody deleted them."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from medkg_lab.broker.listing import topic_listing
from medkg_lab.broker.reading import read_all
from medkg_lab.broker.topics import TopicSpec, lab_topics
from medkg_lab.events.cloudevents import cloud_id, is_published
from medkg_lab.lab.facade import Lab
from medkg_lab.models.events import Event

_DAY_S = 24 * 60 * 60
_MIB = 1024 * 1024


def is_explained(spec: TopicSpec, age_s: float, size: int) -> bool:
    """Whether retention may have removed records of that age from a partition that has `size` bytes left.

    Retention by size leaves what the topic may hold but for its last closed file; half of that is assumed, since records take
    more room on disk than their bytes.
    """
    return age_s >= spec.retention_days * _DAY_S or size * 2 >= spec.retention_mib * _MIB


def removed_events(
    events: Sequence[Event], present: Collection[str], mark: int, now: float, spec: TopicSpec, size: int
) -> int:
    """How many of the events up to `mark` lack a CloudEvent on the topic that is too young for retention.

    `present` is the ids of the CloudEvents on the topic, `size` the bytes of its largest partition.
    """
    return sum(
        event.seq <= mark
        and is_published(event.data)
        and not is_explained(spec, now - event.ts, size)
        and any(cloud_id(event.id, job_id) not in present for job_id in event.jobs)
        for event in events
    )


def differences(lab: Lab, age_s: float) -> Iterator[dict[str, object]]:
    """The lab's topics that are missing, and those that lack records though the lab itself is only `age_s` seconds old."""
    listed = topic_listing(lab.bootstrap)
    names = {one.topic for one in listed}
    for spec in lab_topics(lab.settings.broker.topic_prefix):
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
