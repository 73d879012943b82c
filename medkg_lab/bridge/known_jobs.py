"""What CloudEvents say of their jobs, kept at hand while the log is read."""

from collections import OrderedDict
from dataclasses import replace

from medkg_lab.errors import LabError
from medkg_lab.events.cloudevents import JobInfo
from medkg_lab.ledger.answers import JobDetail
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.models.events import Event, JobClaimed, JobSubmitted
from medkg_lab.models.job import JobSpec

MOST = 20_000
"""How many jobs' names are kept at hand; others are asked of the ledger."""


class JobUnknown(LabError):
    """The ledger has events of job {job_id} but does not know it. Run `medkg-lab verify`; the ledger's views may be behind."""


class KnownJobs:
    """The jobs of the events that were read last; belongs to one thread."""

    def __init__(self, ledger: LedgerClient) -> None:
        self._ledger = ledger
        self._jobs: OrderedDict[str, JobInfo] = OrderedDict()

    def learn(self, event: Event) -> None:
        """Remember what an event says of its jobs; of each event in the order of the log."""
        match event.data:
            case JobSubmitted(entries=specs):
                for spec in specs:
                    self._remember(_info_of(spec))
            case JobClaimed(entries=claimed):
                for job in claimed:
                    self._remember(replace(self.info(job.job_id), attempt=job.attempt))

    def info(self, job_id: str) -> JobInfo:
        """What is said of a job. Raises JobUnknown, and what asking the ledger raises."""
        if job_id not in self._jobs:
            job = self._ledger.get(job_id)
            if job is None:
                raise JobUnknown(job_id=job_id)
            self._remember(_info(job))
        return self._jobs[job_id]

    def of(self, event: Event) -> dict[str, JobInfo]:
        """What is said of each job of an event."""
        return {job_id: self.info(job_id) for job_id in event.jobs}

    def _remember(self, info: JobInfo) -> None:
        self._jobs[info.job_id] = info
        self._jobs.move_to_end(info.job_id)
        while len(self._jobs) > MOST:
            self._jobs.popitem(last=False)


def _info_of(spec: JobSpec) -> JobInfo:
    return JobInfo(
        job_id=spec.job_id,
        tenant_id=spec.tenant_id,
        correlation_id=spec.correlation_id,
        doc_id=spec.doc_id,
        pipeline=spec.pipeline,
        pipeline_version=spec.pipeline_version,
    )


def _info(job: JobDetail) -> JobInfo:
    return JobInfo(
        job_id=job.job_id,
        tenant_id=job.tenant_id,
        correlation_id=job.correlation_id,
        doc_id=job.doc_id,
        pipeline=job.pipeline,
        pipeline_version=job.pipeline_version,
        attempt=job.attempt,
    )
