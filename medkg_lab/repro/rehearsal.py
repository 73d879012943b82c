"""What other policies, or a changed pipeline, would have made of recorded jobs: side by side with what they made of them then."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from medkg_lab.repro.overrides import ReplayOverrides
from medkg_lab.repro.runs import RECORDED, Run
from medkg_lab.repro.workbench import Workbench


@dataclass(frozen=True)
class Side:
    """How a run went: `attempts` counts first tries and repetitions, `openings` circuits that opened, `seconds` virtual time."""

    name: str
    seconds: float
    attempts: int
    openings: int
    completed: int
    failed: int
    waiting: int


@dataclass(frozen=True)
class Outcome:
    """A job whose end differs: its states and reasons on both sides."""

    job: str
    doc_id: str
    before: str
    after: str


@dataclass(frozen=True)
class Rehearsal:
    """Both sides, the jobs that end otherwise, and how many calls had to be assumed as they went beyond the recording."""

    before: Side
    after: Side
    outcomes: list[Outcome]
    assumed: int
    unrecorded: list[str]
    divergences: int

    def to_json(self) -> Mapping[str, object]:
        """The rehearsal as JSON values."""
        sides = {"before": vars(self.before), "after": vars(self.after)}
        outcomes = [vars(one) for one in self.outcomes]
        kept = {"assumed": self.assumed, "unrecorded": self.unrecorded, "divergences": self.divergences}
        return {**sides, "outcomes": outcomes, **kept}


def rehearse(bench: Workbench, choices: ReplayOverrides) -> Rehearsal:
    """Run the incident as it was and with `choices`, and put both side by side."""
    before, after = bench.run(ReplayOverrides()), bench.run(choices)
    return Rehearsal(
        _side("as recorded", before),
        _side("rehearsed", after),
        _outcomes(bench, before, after),
        after.assumed,
        after.unrecorded,
        len(bench.report(before, after).divergences),
    )


def _side(name: str, run: Run) -> Side:
    states = Counter(run.states.values())
    return Side(
        name,
        round(run.virtual_seconds, 3),
        sum(1 + len(step.tries) for step in run.steps if step.status != "skipped"),
        sum(one.state == "open" for one in run.breakers),
        states["completed"],
        states["failed"],
        states["waiting_gate"],
    )


def _outcomes(bench: Workbench, before: Run, after: Run) -> list[Outcome]:
    documents = {job.job_id: job.doc_id for job in bench.incident.manifest.jobs}
    return [
        Outcome(job, documents.get(job, job), _end(before, job), _end(after, job))
        for job in before.states
        if before.states[job] != after.states.get(job)
    ]


def _end(run: Run, job: str) -> str:
    reasons = [step.reason for step in run.steps if step.job == job and step.status == "failed"]
    return ": ".join(part for part in (run.states.get(job, RECORDED), reasons[-1] if reasons else None) if part)
