"""Who did what, as the ledger's events say: reading alone, pure but for the pages that are fetched.

Only what the ledger knows is told. An edited pipeline or policy shows with its versions before and after, and without an actor:
the ledger learns of it when the next job needs it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from medkg_lab.ledger.client import LedgerClient
from medkg_lab.models.events import (
    DefinitionRegistered,
    DocumentDeleted,
    Event,
    FieldSet,
    GateFailed,
    GateOpened,
    GateRejected,
    JobCancelled,
    JobRequeued,
    RunLaunched,
)

PAGE = 2000


@dataclass(frozen=True)
class Entry:
    """One act: `by` is empty where the ledger does not know who it was, `before` and `after` where nothing was replaced."""

    seq: int
    ts: float
    action: str
    by: str
    subject: str
    jobs: tuple[str, ...] = ()
    before: str = ""
    after: str = ""
    why: str = ""


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


@dataclass
class _Versions:
    """The version of each definition so far."""

    known: dict[tuple[str, str], str] = field(default_factory=dict)

    def supersede(self, data: DefinitionRegistered) -> str:
        """Take a new version in; the one before, or nothing."""
        before = self.known.get((data.kind, data.name), "")
        self.known[data.kind, data.name] = data.version
        return before


def entries(events: Iterable[Event]) -> Iterator[Entry]:
    """What people and processes did, from the ledger's events in order."""
    versions = _Versions()
    for event in events:
        if isinstance(event.data, DefinitionRegistered):
            named = f"{event.data.kind} {event.data.name}"
            before = versions.supersede(event.data)
            yield Entry(event.seq, event.ts, event.type, "", named, (), before, event.data.version)
        elif (found := _of(event)) is not None:
            yield found


def _of(event: Event) -> Entry | None:
    """The entry of an event that names who caused it."""
    data, jobs = event.data, tuple(event.jobs)
    match data:
        case GateOpened():
            after = "open, in part" if data.partial else "open"
            return _entry(event, data.by, f"gate {data.gate}", jobs, "waiting", after, data.why)
        case GateRejected():
            return _entry(event, data.by, f"gate {data.gate}", jobs, "waiting", "rejected", data.why)
        case GateFailed():
            return _entry(event, data.by, f"gate {data.gate}", jobs, "waiting", "failed", data.reason)
        case JobCancelled():
            return _entry(event, data.by, "job", jobs, "", "cancelled", data.why)
        case DocumentDeleted():
            return _entry(event, data.by, f"document {data.doc_id}", jobs, "", "deleted", data.why)
        case JobRequeued():
            return _entry(event, data.by, "job", jobs, "", f"queued from {data.from_stage}", data.why)
        case RunLaunched():
            return _entry(event, data.by, "run", jobs, "", data.run_id, None)
        case FieldSet():
            return _entry(event, data.by, f"field {data.field}", jobs, "", str(data.value), None)
        case _:
            return None


def _entry(
    event: Event, by: str, subject: str, jobs: tuple[str, ...], before: str, after: str, why: str | None
) -> Entry:
    return Entry(event.seq, event.ts, event.type, by, subject, jobs, before, after, why or "")


def read(ledger: LedgerClient, wanted: Filter) -> Iterator[Entry]:
    """The entries that pass, the oldest first, from the first event that can still be read. Raises EventsPruned."""
    return filter(wanted.passes, entries(_events(ledger)))


def _events(ledger: LedgerClient) -> Iterator[Event]:
    after = ledger.low_waters()["ledger"]
    while events := ledger.events(after=after, limit=PAGE, wait_s=0).events:
        yield from events
        after = events[-1].seq
