"""Who did what to jobs, gates, definitions and settings, and who logged in or was refused: read from the ledger's table of it."""

from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from medkg_lab.ledger.audit import Entry
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.ledger.named_queries import Named

PAGE = 2000


@dataclass(frozen=True)
class Filter:
    """Which entries are wanted; None leaves all through. `since` is in seconds since 1970."""

    by: str | None = None
    action: str | None = None
    job: str | None = None
    since: float | None = None

    def passes(self, entry: Entry) -> bool:
        """Whether `entry` is wanted."""
        return (
            self.by in (None, entry.by)
            and self.action in (None, entry.action)
            and (self.job is None or self.job in entry.jobs)
            and (self.since is None or entry.ts >= self.since)
        )


def read(ledger: LedgerClient, wanted: Filter) -> Iterator[Entry]:
    """The entries that pass, the oldest first."""
    return filter(wanted.passes, _entries(ledger))


def _entries(ledger: LedgerClient) -> Iterator[Entry]:
    after = 0
    while rows := ledger.rows(Named.AUDIT, [after], limit=PAGE).rows:
        for seq, ts, action, by, subject, jobs, *rest in rows:
            yield Entry(seq, ts, action, by, subject, tuple(orjson.loads(jobs)), *rest)
        after = rows[-1][0]
