"""What ended badly and waits to be seen by a person: failed and given-up jobs, and records of the work queue that were refused.

Who has seen a job's failure stands in the ledger's log, by name and time. Refused records are no jobs: how many of them
were seen, by whom and when, stands in a bookmark of the ledger.
"""

import time
from dataclasses import dataclass

from medkg_lab.broker.reading import read_all
from medkg_lab.broker.topics import Topics
from medkg_lab.lab.facade import Lab
from medkg_lab.lab.requests import ORIGIN, dead_letters
from medkg_lab.ledger.client import LedgerClient

BOOKMARK = "refused-seen"
PAGE = 1000


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record of the work queue that became a dead letter: where it came from, why, and when (seconds since the epoch)."""

    origin: str
    reason: str
    at: float


def acknowledge_all(ledger: LedgerClient, by: str, state: str, pipeline: str | None = None) -> list[str]:
    """Put all jobs in `state` aside, those of `pipeline` if given, and return the ids of those that were not before."""
    put: list[str] = []
    after: str | None = None
    while page := ledger.jobs(state=state, pipeline=pipeline, limit=PAGE, after=after):
        ids = [job.job_id for job in page]
        after = ids[-1]
        # A page of one would be refused, rather than skipped, if its job were run again just now.
        put += ledger.acknowledge(ids, by=by)
    return put


def refusals(lab: Lab) -> list[Refusal]:
    """The records of the work queue that became dead letters, the oldest first. Raises BrokerUnreachable and ConsumeFailed."""
    topic = Topics(lab.settings.broker.topic_prefix).deadletter
    return [
        Refusal(_text(origin), _text(record.header("medkg-reason")), record.timestamp / 1000)
        for record in read_all(lab.bootstrap, topic)
        if (origin := record.header(ORIGIN)) is not None
    ]


def _text(value: bytes | None) -> str:
    return (value or b"").decode(errors="replace")


def seen_refusals(ledger: LedgerClient) -> int:
    """How many of the refused records were seen and put aside."""
    known = ledger.bookmarks().get(BOOKMARK) or {}
    count = known.get("records")
    return count if isinstance(count, int) else 0


def acknowledge_refusals(lab: Lab, by: str) -> int:
    """Put all refused records aside, and say how many were not before. Raises BrokerUnreachable, ConsumeFailed, BookmarkMoved."""
    before = lab.ledger.bookmarks().get(BOOKMARK)
    refused = dead_letters(lab)[1]
    lab.ledger.bookmark(BOOKMARK, before, {"records": refused, "by": by, "at": time.time()})
    had = (before or {}).get("records")
    return refused - (had if isinstance(had, int) else 0)
