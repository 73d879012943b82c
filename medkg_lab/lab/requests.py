"""The work queue and its jobs: every request became a job or a dead letter, or is still to be read.

The comparison is pure; `collect` reads both sides.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from medkg_lab.bridge.intake import BOOKMARK, GROUP, NotARequest, parse
from medkg_lab.bridge.offsets import PartitionPositions
from medkg_lab.bridge.specs import EXPANSION
from medkg_lab.broker.errors import BrokerUnreachable
from medkg_lab.broker.listing import GroupPosition, group_listing, topic_listing
from medkg_lab.broker.reading import lowest, read_all
from medkg_lab.broker.topics import Topics
from medkg_lab.lab.facade import Lab
from medkg_lab.ledger.named_queries import Named

ALL_JOBS = 100_000
ORIGIN = "medkg-origin"


@dataclass(frozen=True)
class Request:
    """A record of the work queue; `job_ids` are the jobs that it may stand for, one for each pipeline; none if it is damaged."""

    partition: int
    offset: int
    job_ids: frozenset[str]


@dataclass
class Queue:
    """What is known of the work queue.

    `read` is the intake's own place by partition, `oldest` the oldest record that is there, `committed` the offset that the
    group shows, `members` who else is in the group, which the intake never joins.
    """

    requests: list[Request] = field(default_factory=list)
    dead_letters: set[str] = field(default_factory=set)
    read: Mapping[int, int] = field(default_factory=dict)
    oldest: Mapping[int, int] = field(default_factory=dict)
    committed: Mapping[int, int] = field(default_factory=dict)
    members: Sequence[str] = ()


@dataclass(frozen=True)
class Compared:
    """How many requests there are and what became of them, and what does not fit, as plain records."""

    requests: int
    dead: int
    waiting: int
    differences: list[dict[str, object]]


def compare(topic: str, queue: Queue, jobs: set[str]) -> Compared:
    """Compare the work queue `topic` with the ids of all jobs."""
    dead, waiting = 0, 0
    differences: list[dict[str, object]] = []
    for one in queue.requests:
        origin = f"{topic}/{one.partition}@{one.offset}"
        if not one.job_ids.isdisjoint(jobs):
            continue
        if origin in queue.dead_letters:
            dead += 1
        elif one.offset >= queue.read.get(one.partition, 0):
            waiting += 1
        else:
            differences.append({"what": "request without a job", "request": origin})
    return Compared(len(queue.requests), dead, waiting, [*differences, *_by_others(topic, queue)])


def _by_others(topic: str, queue: Queue) -> Iterator[dict[str, object]]:
    """What others did to the queue or to the intake's group."""
    for partition, oldest in sorted(queue.oldest.items()):
        read = queue.read.get(partition, 0)
        if oldest > read:
            named = {"partition": f"{topic}/{partition}", "records": oldest - read}
            yield {"what": "requests deleted before they were read", **named}
    for partition, committed in sorted(queue.committed.items()):
        read = queue.read.get(partition, 0)
        if committed > read:
            named = {"partition": f"{topic}/{partition}", "committed": committed, "read": read}
            yield {"what": f"offset of group {GROUP} committed by somebody else", **named}
    if queue.members:
        yield {"what": f"others are in group {GROUP}", "members": sorted(queue.members)}


def collect(lab: Lab) -> tuple[Queue, set[str]]:
    """The work queue, and the ids of all jobs."""
    topics = Topics(lab.settings.broker.topic_prefix)
    # First what the group shows and then the intake's place, which only grows: what is under way is not a difference.
    shown = _shown(lab)
    oldest = lowest(lab.bootstrap, topics.requests)
    places = PartitionPositions(topics.requests, lab.ledger.bookmarks().get(BOOKMARK))
    jobs, pipelines = _jobs(lab)
    pipelines |= {EXPANSION, *lab.catalog.topologies()}
    records = [
        Request(record.partition, record.offset, _job_ids(record.value, pipelines))
        for record in read_all(lab.bootstrap, topics.requests)
    ]
    queue = Queue(
        requests=records,
        dead_letters=set(_origins(record.header(ORIGIN) for record in read_all(lab.bootstrap, topics.deadletter))),
        read=places.ends(),
        oldest=oldest,
        committed={one.partition: one.committed for one in shown if one.topic == topics.requests},
        members=[member for one in shown[:1] for member in one.members],
    )
    return queue, jobs


def _shown(lab: Lab) -> list[GroupPosition]:
    """What the intake's group shows; nothing where the lab's account may not ask."""
    try:
        return [one for one in group_listing(lab.bootstrap) if one.group == GROUP]
    except BrokerUnreachable:
        return []


def unread(lab: Lab) -> int:
    """How many requests the intake has still to read."""
    topic = Topics(lab.settings.broker.topic_prefix).requests
    read = PartitionPositions(topic, lab.ledger.bookmarks().get(BOOKMARK)).ends()
    partitions = [one for one in topic_listing(lab.bootstrap) if one.topic == topic]
    return sum(max(0, one.next - max(read.get(one.partition, 0), one.first)) for one in partitions)


def _jobs(lab: Lab) -> tuple[set[str], set[str]]:
    """The ids of all jobs, and the pipelines that they go through."""
    jobs: set[str] = set()
    pipelines: set[str] = set()
    last = ""
    while rows := lab.ledger.rows(Named.JOBS_AFTER, [last], limit=ALL_JOBS).rows:
        jobs |= {str(row[0]) for row in rows}
        pipelines |= {str(row[1]) for row in rows}
        last = str(rows[-1][0])
    return jobs, pipelines


def _job_ids(value: bytes | None, pipelines: Iterable[str]) -> frozenset[str]:
    try:
        submission = parse(value)
    except NotARequest:
        return frozenset()
    return submission.job_ids(pipelines)


def _origins(headers: Iterable[bytes | None]) -> Iterator[str]:
    return (header.decode(errors="replace") for header in headers if header is not None)


def dead_letters(lab: Lab, known: tuple[int, int] = (-1, 0)) -> tuple[int, int]:
    """(records written to the dead-letter topic so far, those of them that were requests); `known` is the answer before, which
    stands while nothing was written since. Raises BrokerUnreachable and ConsumeFailed."""
    topic = Topics(lab.settings.broker.topic_prefix).deadletter
    written = sum(one.next for one in topic_listing(lab.bootstrap) if one.topic == topic)
    if written == known[0]:
        return known
    return written, sum(
        record.header(ORIGIN) is not None for record in read_all(lab.bootstrap, topic)
    ) if written else 0
