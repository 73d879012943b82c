"""Deleting a document."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from medkg_lab.ledger.answers import ChangedJobs
from medkg_lab.ledger.commands.command import Args, Command, known
from medkg_lab.ledger.errors import DocumentInWork
from medkg_lab.ledger.plans import Plans
from medkg_lab.ledger.state import FINISHED, Job, State
from medkg_lab.models.events import DocumentDeleted, Event, EventData, EventType

MAX_JOBS = 10_000


@dataclass(frozen=True, slots=True)
class DeleteDocument(Command):
    """Let go of a document with all that its finished jobs, which are named, have made; those that are empty already stay so."""

    tenant_id: str
    doc_id: str
    jobs: tuple[str, ...]
    by: str
    why: str

    op = "delete_document"
    first_events = frozenset({EventType.DOCUMENT_DELETED})

    @classmethod
    def parse(cls, args: Mapping[str, object]) -> Self:
        read = Args(cls.op, args)
        jobs = read.texts("job_ids")
        if not jobs or len(jobs) > MAX_JOBS or len(set(jobs)) != len(jobs):
            raise read.wrong(f"job_ids names none or more than {MAX_JOBS} jobs, or one twice")
        why = read.text("why", "no reason given")
        return cls(read.id(), read.text("tenant_id"), read.text("doc_id"), jobs, read.text("by"), why)

    def job_ids(self) -> Iterable[str]:
        return self.jobs

    def decide(self, state: State, plans: Plans) -> list[EventData]:
        named = [known(state, job_id) for job_id in self.jobs]
        if not all(map(self._is_of_it, named)):
            raise Args(self.op, {}).wrong(f"a job of another document than {self.doc_id} is named")
        # All that are not finished are in memory, named or not.
        for job in filter(self._is_of_it, state.jobs.values()):
            if job.state not in FINISHED:
                raise DocumentInWork(doc_id=self.doc_id, job_id=job.id, state=job.state.value)
        full = tuple(job.id for job in named if not job.is_deleted)
        return [DocumentDeleted(full, self.tenant_id, self.doc_id, self.by, self.why)] if full else []

    def _is_of_it(self, job: Job) -> bool:
        return (job.spec.tenant_id, job.spec.doc_id) == (self.tenant_id, self.doc_id)

    def answer(self, state: State, plans: Plans, events: Sequence[Event]) -> ChangedJobs:
        return ChangedJobs(job_ids=tuple(job_id for event in events for job_id in event.jobs))
