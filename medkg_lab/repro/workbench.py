"""What a person does with an imported incident: run it again, and compare runs."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from medkg_lab.artifacts.store import ArtifactStore
from medkg_lab.locations import Locations, locate
from medkg_lab.repro import diff, history
from medkg_lab.repro.archive import Archive
from medkg_lab.repro.errors import NotInArchive
from medkg_lab.repro.incident import Incident, install
from medkg_lab.repro.overrides import ReplayOverrides
from medkg_lab.repro.replay import Replay
from medkg_lab.repro.runs import RECORDED, Run, RunStore, Step


class Workbench:
    """An incident with its runs. Raises NoIncident where none was imported."""

    def __init__(self, incident: Incident) -> None:
        self.incident = incident
        self.shelf = RunStore(incident.runs)

    @classmethod
    def at(cls, home: str | Path | None) -> "Workbench":
        """The workbench of a home."""
        return cls(Incident(locate(home)))

    @classmethod
    def of(cls, archive: Archive, locations: Locations) -> "Workbench":
        """A workbench for an archive, imported into an empty home."""
        return cls(install(archive, locations))

    def run(self, choices: ReplayOverrides, watch: Callable[[Step], None] = lambda step: None) -> Run:
        """Run the incident again and keep the run; `watch` sees each step as it ends."""
        replay = Replay(self.incident, choices, self.shelf.next_name())
        for step in replay.steps():
            watch(step)
        self.shelf.save(replay.run)
        return replay.run

    def store(self) -> ArtifactStore:
        """The incident's artifacts and those of its runs, to be closed by whoever asks for them."""
        return ArtifactStore(self.incident.locations.data / "artifacts")

    def find(self, name: str | None) -> Run:
        """A run by name: `recorded`, a number, or the newest. Raises UnknownRun."""
        if name == RECORDED:
            return history.read(self.incident.events).run
        return self.shelf.get(name)

    def compare(self, run: str | None, against: str = RECORDED) -> diff.Report:
        """How a run differs from another. Raises UnknownRun."""
        return self.report(self.find(against), self.find(run))

    def compare_jobs(self, good: str, bad: str) -> diff.Report:
        """How one recorded job differs from another, named by their ids: two times the same document. Raises NotInArchive."""
        recorded = self.find(RECORDED)
        return self.report(*(_alone(recorded, name, name[:8]) for name in (good, bad)))

    def report(self, a: Run, b: Run) -> diff.Report:
        """How `b` differs from `a`; stages that a run was not to reach are no differences."""
        store = self.store()
        try:
            return diff.report(self.incident, a, b, store.get)
        finally:
            store.close()


def _alone(run: Run, job: str, name: str) -> Run:
    """The part of a run that concerns one job, made comparable with another job's."""
    steps = [replace(step, job="") for step in run.steps if step.job == job]
    if not steps:
        raise NotInArchive(what=f"job {job}")
    return Run(f"job {name}", steps, versions=run.job_versions.get(job, {}))
