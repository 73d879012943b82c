"""Taking jobs of an older ledger in, where they stood."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from medkg_lab.ledger.answers import Acknowledged
from medkg_lab.ledger.commands.command import Args, Command
from medkg_lab.ledger.commands.jobs import MAX_JOBS
from medkg_lab.ledger.plans import Plans
from medkg_lab.ledger.state import FINISHED, JobState, State
from medkg_lab.models.event_codec import MalformedEvent, imported_from_json
from medkg_lab.models.events import Event, EventData, EventType, ImportedJob, JobImported

IMPORTABLE = frozenset({JobState.QUEUED, *FINISHED})


@dataclass(frozen=True, slots=True)
class Import(Command):
    """Make jobs as another ledger had them; those that exist already stay as they are.

    An entry is {spec, state, stage, fields, retries, reason, created_at}; its state is `queued` or one of a finished job.
    """

    entries: Mapping[str, ImportedJob]

    op = "import_jobs"
    first_events = frozenset({EventType.JOB_IMPORTED})

    @classmethod
    def parse(cls, args: Mapping[str, object]) -> Self:
        read = Args(cls.op, args)
        raw = read.mappings("entries")
        if len(raw) > MAX_JOBS:
            raise read.wrong(f"more than {MAX_JOBS} jobs at once")
        return cls(read.id(), {entry.job_id: entry for entry in (_entry(read, each) for each in raw)})

    def job_ids(self) -> Iterable[str]:
        return self.entries

    def decide(self, state: State, plans: Plans) -> list[EventData]:
        new = tuple(entry for job_id, entry in self.entries.items() if job_id not in state.jobs)
        for spec in (entry.spec for entry in new):
            plans.of(spec.pipeline, spec.pipeline_version, spec.offline)
        return [JobImported(new)] if new else []

    def answer(self, state: State, plans: Plans, events: Sequence[Event]) -> list[Acknowledged]:
        new = set(events[0].jobs) if events else set()
        return [
            Acknowledged(job_id=job_id, new=job_id in new, state=state.jobs[job_id].state) for job_id in self.entries
        ]


def _entry(read: Args, raw: Mapping[str, object]) -> ImportedJob:
    try:
        entry = imported_from_json(raw)
    except MalformedEvent as error:
        raise read.wrong(error.detail) from None
    if entry.state not in IMPORTABLE:
        raise read.wrong(f"a job cannot be imported as {entry.state!r:.80}")
    return entry
