"""Waiting for jobs: until each has ended, or waits at a gate that only a person can open."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from medkg_lab import exit_codes
from medkg_lab.artifacts.store import ArtifactStore
from medkg_lab.bridge.specs import pipeline_of
from medkg_lab.errors import LabError
from medkg_lab.lab.facade import Lab
from medkg_lab.lab.why import needs_person
from medkg_lab.ledger.answers import JobDetail
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.ledger.own_failures import runs_again
from medkg_lab.models.events import (
    FieldSet,
    GateOpened,
    GateWaiting,
    JobCancelled,
    JobCompleted,
    JobDead,
    JobFailed,
    JobRequeued,
)
from medkg_lab.rpc import PeerUnreachable
from medkg_lab.stages.kinds import SUBMISSIONS

RESTART_TIMEOUT_S = 30.0
"""How long a ledger may be away: the supervisor starts one that was killed again."""
POLL_INTERVAL_S = 0.2
FINAL = {"completed", "failed", "dead", "cancelled"}
_Moves = JobCompleted | JobFailed | JobDead | JobCancelled | GateWaiting | GateOpened | FieldSet | JobRequeued


class JobsUnfinished(LabError):
    """{count} of the jobs have not ended after {seconds} s. `medkg-lab status --why` says what they wait for; they go on."""

    exit_code = exit_codes.NOT_READY


@dataclass
class Progress:
    """Where the jobs that are waited for stand; `jobs` has the ledger's own words on each that has ended or halted."""

    states: dict[str, str] = field(default_factory=dict)
    jobs: dict[str, JobDetail] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        """How many jobs are in each state."""
        return dict(Counter(self.states.values()))

    def unfinished(self) -> list[str]:
        """Jobs that still move, or wait for something other than a person."""
        return [job_id for job_id in self.states if not self._has_ended(job_id) and not self.needs_person(job_id)]

    def _has_ended(self, job_id: str) -> bool:
        """Whether the job has ended for good: one that failed by the lab's own fault is run again by itself."""
        job = self.jobs.get(job_id)
        again = job is not None and self.states[job_id] == "failed" and runs_again(job.own, job.own_retries)
        return self.states[job_id] in FINAL and not again

    def needs_person(self, job_id: str) -> bool:
        """Whether the job waits at a gate that only a person can open."""
        job = self.jobs.get(job_id)
        gate = job.gate if job is not None else None
        return self.states[job_id] == "waiting_gate" and gate is not None and needs_person(gate)


def wait_for(
    ledger: LedgerClient, job_ids: Iterable[str], seconds: float, seen: Callable[[Progress], None] | None = None
) -> Progress:
    """Follow the ledger's events until every job has ended or needs a person; `seen` is given each step.

    A ledger that is started again meanwhile is waited for. Raises JobsUnfinished after `seconds`, and PeerUnreachable when it
    stays away.
    """
    progress = Progress()
    until = time.monotonic() + seconds
    head = ledger.events(after=2**62, limit=1, wait_s=0).head
    _refresh(ledger, progress, job_ids)
    there = time.monotonic()
    while progress.unfinished():
        if seen is not None:
            seen(progress)
        if time.monotonic() > until:
            raise JobsUnfinished(count=len(progress.unfinished()), seconds=round(seconds))
        try:
            head = _step(ledger, progress, head)
            there = time.monotonic()
        except PeerUnreachable:
            if time.monotonic() - there > RESTART_TIMEOUT_S:
                raise
            time.sleep(POLL_INTERVAL_S)
    if seen is not None:
        seen(progress)
    return progress


def _step(ledger: LedgerClient, progress: Progress, head: int) -> int:
    """Take in what came after event `head`; the number of the last one."""
    page = ledger.events(after=head, limit=2000, wait_s=1.0).events
    moves = [event for event in page if isinstance(event.data, _Moves)]
    touched = {job for event in moves for job in event.jobs if job in progress.states}
    unknown = {job_id for job_id, state in progress.states.items() if state == "on_queue"}
    _refresh(ledger, progress, touched | unknown)
    return page[-1].seq if page else head


def wait_with_expansions(
    lab: Lab, job_ids: Iterable[str], seconds: float, seen: Callable[[Progress], None] | None = None
) -> Progress:
    """Wait for the jobs, and for the jobs of the documents that a query among them stood for. Raises JobsUnfinished."""
    until = time.monotonic() + seconds
    progress = wait_for(lab.ledger, job_ids, seconds, seen)
    found = [job_id for job in progress.jobs.values() for job_id in _expanded(lab, job)]
    if found:
        followed = wait_for(lab.ledger, found, until - time.monotonic(), seen)
        progress.states |= followed.states
        progress.jobs |= followed.jobs
    return progress


def _expanded(lab: Lab, job: JobDetail) -> list[str]:
    ref = job.outputs.get("submissions")
    if ref is None:
        return []
    submissions = SUBMISSIONS.decode(ArtifactStore(lab.locations.data / "artifacts").get(ref))
    return [one.job_id(pipeline_of(one, lab.catalog)) for one in submissions]


def _refresh(ledger: LedgerClient, progress: Progress, job_ids: Iterable[str]) -> None:
    for job_id in job_ids:
        job = ledger.get(job_id)
        progress.states[job_id] = job.state if job else "on_queue"
        if job is not None:
            progress.jobs[job_id] = job
