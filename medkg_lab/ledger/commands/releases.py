"""From an open gate to a run: opened jobs are grouped into releases, and a launched run takes one on."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Self
from uuid import UUID, uuid5

from medkg_lab.ledger.answers import LaunchedJobs, ReleaseRow
from medkg_lab.ledger.commands.command import Args, Command, illegal, known
from medkg_lab.ledger.commands.jobs import requeue
from medkg_lab.ledger.errors import BatchIdTaken, MixedLaunch, UnknownRelease
from medkg_lab.ledger.plans import Plans
from medkg_lab.ledger.state import FINISHED, Job, JobState, Release, State
from medkg_lab.models.events import Event, EventData, EventType, GateReleased, JobRequeued, RunLaunched

RELEASE_SIZE = 48
_RELEASES = UUID("0f3c9a52-53a1-5f27-9c0b-5d2e3b1f9b6e")


@dataclass(frozen=True, slots=True)
class Releases(Command):
    """Group the jobs whose gates are open into releases, and name all that were not launched yet."""

    op = "releases"
    first_events = frozenset({EventType.GATE_RELEASED})
    frequent = True

    @classmethod
    def parse(cls, args: Mapping[str, object]) -> Self:
        return cls(Args(cls.op, args).id())

    def decide(self, state: State, plans: Plans) -> list[EventData]:
        groups: dict[tuple[str, str, int, str], list[Job]] = {}
        for job in map(state.jobs.__getitem__, state.open_gates):
            gate = job.gates[-1]
            key = (job.spec.pipeline, job.spec.pipeline_version, gate.resume_segment, gate.gate)
            groups.setdefault(key, []).append(job)
        parts = ((key, part) for key, jobs in groups.items() for part in _parts(jobs))
        return [self._release(n, *key, part) for n, (key, part) in enumerate(parts)]

    def _release(
        self, n: int, pipeline: str, version: str, segment: int, gate: str, jobs: Sequence[Job]
    ) -> GateReleased:
        release_id = str(uuid5(_RELEASES, f"{self.id}/{n}"))
        return GateReleased(gate, tuple(job.id for job in jobs), release_id, pipeline, version, segment)

    def answer(self, state: State, plans: Plans, events: Sequence[Event]) -> list[ReleaseRow]:
        return [_describe(release) for release in state.releases.values()]


def _parts(jobs: Sequence[Job]) -> Iterator[list[Job]]:
    """Parts of at most RELEASE_SIZE jobs that stand at the same point, so that one batch can take each on."""
    alike: dict[tuple[bool, tuple[str, ...], int], list[Job]] = {}
    for job in jobs:
        alike.setdefault((job.spec.offline, tuple(sorted(job.done)), job.half), []).append(job)
    for group in alike.values():
        left = iter(group)
        while part := list(islice(left, RELEASE_SIZE)):
            yield part


def _describe(release: Release) -> ReleaseRow:
    return ReleaseRow(
        release_id=release.id,
        pipeline=release.pipeline,
        pipeline_version=release.pipeline_version,
        half=release.half,
        segment=release.segment,
        jobs=tuple(release.jobs),
    )


@dataclass(frozen=True, slots=True)
class Launch(Command):
    """Bind jobs to a run: they are claimed together, and the batch has the run's id.

    Either a release, or named jobs: queued ones as they are, finished ones from `from_stage` on (see Retry).
    """

    run_id: str
    release_id: str | None
    job_ids_: tuple[str, ...]
    from_stage: str | None
    by: str

    op = "launch"
    first_events = frozenset({EventType.RUN_LAUNCHED, EventType.JOB_REQUEUED})

    @classmethod
    def parse(cls, args: Mapping[str, object]) -> Self:
        read = Args(cls.op, args)
        release_id = read.maybe_text("release_id")
        jobs = () if read.any("job_ids") is None else read.texts("job_ids")
        if bool(release_id) == bool(jobs) or len(set(jobs)) != len(jobs):
            raise read.wrong("either release_id or job_ids (each once) must be given")
        from_stage = read.maybe_text("from_stage")
        if release_id and from_stage:
            raise read.wrong("from_stage goes with job_ids, not with release_id")
        return cls(read.id(), read.text("run_id"), release_id, jobs, from_stage, read.text("by"))

    def job_ids(self) -> Iterable[str]:
        return self.job_ids_

    def decide(self, state: State, plans: Plans) -> list[EventData]:
        if self.run_id in state.batches or state.queue.holds_run(self.run_id):
            raise BatchIdTaken(run_id=self.run_id)
        if self.release_id is not None:
            release = state.releases.get(self.release_id)
            if release is None:
                raise UnknownRelease(release_id=self.release_id)
            return [self._launched(tuple(release.jobs))]
        prepared = {job_id: self._prepare(known(state, job_id), plans) for job_id in self.job_ids_}
        points = sorted({_point(state.jobs[job_id], requeued) for job_id, requeued in prepared.items()})
        if len(points) > 1:
            raise MixedLaunch(run_id=self.run_id, points="; ".join(points))
        return [*filter(None, prepared.values()), self._launched(self.job_ids_)]

    def _prepare(self, job: Job, plans: Plans) -> JobRequeued | None:
        if job.state is JobState.QUEUED and self.from_stage is None:
            return None
        if job.state not in FINISHED:
            raise illegal(job, "be launched")
        requeued, *waiting = requeue(job, plans, self.from_stage, self.by)
        if waiting:
            raise illegal(job, f"be launched from gate {requeued.from_stage}; retry it instead")
        return requeued

    def _launched(self, jobs: tuple[str, ...]) -> RunLaunched:
        return RunLaunched(jobs, self.run_id, self.release_id, self.by, self.from_stage)

    def answer(self, state: State, plans: Plans, events: Sequence[Event]) -> LaunchedJobs:
        return LaunchedJobs(jobs=tuple(events[-1].jobs))


def _point(job: Job, requeued: JobRequeued | None) -> str:
    """Where a job will stand once it is queued, in words: jobs that stand at different points cannot share a batch."""
    segment, done = (requeued.segment, requeued.keep) if requeued else (job.segment, tuple(job.done))
    spec = job.spec
    behind = ", ".join(sorted(done)) or "nothing"
    known_bytes = "bytes known" if spec.offline else "bytes to fetch"
    return f"{spec.pipeline} {spec.pipeline_version} segment {segment} with {behind} done, {known_bytes}"
