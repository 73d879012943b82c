"""Waiting until what happened up to now has reached the parts of the lab that are read next."""

import time

from medkg_lab.bridge.intake import BOOKMARK
from medkg_lab.bridge.offsets import PartitionPositions
from medkg_lab.broker.listing import topic_listing
from medkg_lab.broker.topics import Topics
from medkg_lab.errors import LabError
from medkg_lab.lab.facade import Lab
from medkg_lab.ledger.named_queries import Named

WITHIN_S = 120.0
"""Seconds that a part has to come to where the lab was when the wait began."""
_INTERVAL_S = 0.1


class LabBehind(LabError):
    """Nothing was done: {what} is {lag} behind and does not catch up. `medkg-lab status` shows what is wrong with it."""


def wait_for_intake(lab: Lab) -> None:
    """Wait until every request that is on the work queue now is in the ledger. Raises LabBehind."""
    topic = Topics(lab.settings.broker.topic_prefix).requests
    ends = {one.partition: one.next for one in topic_listing(lab.bootstrap) if one.topic == topic}
    until = time.monotonic() + WITHIN_S
    while True:
        read = PartitionPositions(topic, lab.ledger.bookmarks().get(BOOKMARK)).ends()
        lag = sum(max(0, end - read.get(partition, 0)) for partition, end in ends.items())
        if not lag:
            return
        if time.monotonic() > until:
            raise LabBehind(what="the intake", lag=f"{lag} requests")
        time.sleep(_INTERVAL_S)


def wait_for_knowledge(lab: Lab) -> None:
    """Wait until the knowledge process has taken in all events that there are now. Raises LabBehind."""
    head = lab.ledger.counts().head
    if not lab.knowledge.caught_up(head, WITHIN_S):
        raise LabBehind(what="the knowledge process", lag=f"{head - lab.knowledge.health().position} events")


def wait_for_batches(lab: Lab) -> None:
    """Wait until the batches that engines have now are done with, so that all they made is named. Raises LabBehind."""
    until = time.monotonic() + WITHIN_S
    left = _batches(lab)
    while left:
        if time.monotonic() > until:
            raise LabBehind(what="the engines' work", lag=f"{len(left)} batches")
        time.sleep(_INTERVAL_S)
        left &= _batches(lab)


def _batches(lab: Lab) -> set[str]:
    return {str(row[0]) for row in lab.ledger.rows(Named.BATCHES_RUNNING, limit=10_000).rows}
