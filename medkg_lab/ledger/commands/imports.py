"""Taking jobs of an older ledger in, where they stood."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from medkg_lab.ledger.commands.command import Args, Command
from medkg_lab.ledger.commands.jobs import MAX_JOBS
from medkg_lab.ledger.events import Draft, Event, EventType
from medkg_lab.ledger.plans import Plans
from medkg_lab.ledger.spec import JobSpec
from medkg_lab.ledger.state import FINISHED, JobState, State

IMPORTABLE = frozenset({JobState.QUEUED, *FINISHED})
_TYPES: Mapping[str, tuple[type, ...]] = {
    "spec": (dict,),
    "state": (str,),
    "stage": (str, type(None)),
    "fields": (dict,),
    "retries": (dict,),
    "reason": (str, type(None)),
    "created_at": (int, float),
}


@dataclass(frozen=True, slots=True)
class Import(Command):
    """Make jobs as another ledger had them; those that exist already stay as they are.

    An entry is {spec, state, stage, fields, retries, reason, created_at}; its state is `queued` or one of a finished job.
    """

    entries: Mapping[str, Mapping[str, Any]]

    op = "import_jobs"
    first_events = frozenset({EventType.JOB_IMPORTED})

    @classmethod
    def parse(cls, args: Mapping[str, Any]) -> Self:
        read = Args(cls.op, args)
        raw = read.mappings("entries")
        if len(raw) > MAX_JOBS:
            raise read.wrong(f"more than {MAX_JOBS} jobs at once")
        return cls(read.id(), {_checked(read, each)["spec"]["job_id"]: each for each in raw})

    def job_ids(self) -> Iterable[str]:
        return self.entries

    def decide(self, state: State, plans: Plans) -> list[Draft]:
        new = {job_id: entry for job_id, entry in self.entries.items() if job_id not in state.jobs}
        for entry in new.values():
            spec = JobSpec.parse(entry["spec"])
            plans.of(spec.pipeline, spec.pipeline_version, spec.offline)
        return [Draft(EventType.JOB_IMPORTED, tuple(new), {"entries": list(new.values())})] if new else []

    def answer(self, state: State, plans: Plans, events: Sequence[Event]) -> list[dict[str, Any]]:
        new = set(events[0].jobs) if events else set()
        return [{"job_id": job_id, "new": job_id in new, "state": state.jobs[job_id].state} for job_id in self.entries]


def _checked(read: Args, entry: Mapping[str, Any]) -> Mapping[str, Any]:
    if entry.keys() != _TYPES.keys():
        raise read.wrong(f"an entry has too many or too few keys: {', '.join(sorted(entry.keys() ^ _TYPES.keys()))}")
    for name, kinds in _TYPES.items():
        if not isinstance(entry[name], kinds):
            raise read.wrong(f"{name} of an entry cannot be {entry[name]!r:.80}")
    if entry["state"] not in IMPORTABLE:
        raise read.wrong(f"a job cannot be imported as {entry['state']!r:.80}")
    JobSpec.parse(entry["spec"])
    return entry
