"""Who did what, as an event says it: pure. Table `audit` has these entries; it is a view that is never pruned."""

from dataclasses import dataclass

from medkg_lab.models.events import (
    ACKNOWLEDGED,
    ActNoted,
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

SEEN = "job.acknowledged"
"""The action of a failure that a person has seen and put aside."""


@dataclass(frozen=True, slots=True)
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


def entry(event: Event, superseded: str = "") -> Entry | None:
    """The entry of an event; None for one that nobody caused. `superseded` is the version that a definition replaces."""
    data, jobs = event.data, tuple(event.jobs)
    match data:
        case ActNoted():
            times = f"{data.count} times" if data.count > 1 else ""
            why = ": ".join(filter(None, (times, data.why)))
            return Entry(event.seq, event.ts, data.action, data.by, data.subject, (), data.before, data.after, why)
        case DefinitionRegistered():
            named = f"{data.kind} {data.name}"
            return Entry(event.seq, event.ts, event.type.value, "", named, (), superseded, data.version)
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
        case FieldSet(field=name) if name == ACKNOWLEDGED:
            return Entry(event.seq, event.ts, SEEN, data.by, "failure", jobs, "", "seen")
        case FieldSet():
            return _entry(event, data.by, f"field {data.field}", jobs, "", str(data.value), None)
        case _:
            return None


def _entry(
    event: Event, by: str, subject: str, jobs: tuple[str, ...], before: str, after: str, why: str | None
) -> Entry:
    return Entry(event.seq, event.ts, event.type.value, by, subject, jobs, before, after, why or "")
