"""The definitions that a run goes by: the archived ones of each batch, or those that were chosen instead."""

from dataclasses import replace

from medkg_lab.repro.errors import UnknownReplayStage
from medkg_lab.repro.history import Batch
from medkg_lab.repro.incident import Incident
from medkg_lab.repro.overrides import ReplayOverrides
from medkg_lab.repro.runs import Step
from medkg_lab.resilience.policies import Policies
from medkg_lab.topology.graph import Segment, order, segments
from medkg_lab.topology.models import StageDefinition, Topology
from medkg_lab.topology.profiles import Profile, StageChoice
from medkg_lab.topology.versions import version_of


class Definitions:
    """Looks definitions up, each once. Raises NotInArchive for one that the archive does not hold."""

    def __init__(self, incident: Incident, choices: ReplayOverrides) -> None:
        self._incident = incident
        self._choices = choices
        self._topologies: dict[tuple[str, str], Topology] = {}
        self._policies: dict[str | None, Policies] = {}
        self._profiles: dict[tuple[str | None, str | None], Profile] = {}
        uses = [use.stage for use in choices.uses]
        self.require(*filter(None, (choices.start, choices.until)), *choices.live, *uses)

    def require(self, *stages: str) -> None:
        """Refuse names that no pipeline of the incident has. Raises UnknownReplayStage."""
        topologies = [self._incident.topology(one.name, one.version) for one in self._incident.versions("topology")]
        topologies += self._choices.topologies.values()
        known = dict.fromkeys(stage.name for topology in topologies for stage in topology.stages)
        for stage in stages:
            if stage not in known:
                raise UnknownReplayStage(stage=stage, known=", ".join(known))

    def topology(self, batch: Batch) -> Topology:
        """The topology of a batch."""
        if chosen := self._choices.topologies.get(batch.pipeline):
            return chosen
        key = (batch.pipeline, batch.version)
        if key not in self._topologies:
            self._topologies[key] = self._incident.topology(*key)
        return self._topologies[key]

    def choose(self, topology: Topology) -> None:
        """Go by `topology` from here on, for the jobs of its pipeline."""
        self._choices = replace(self._choices, topologies={**self._choices.topologies, topology.name: topology})

    def version(self, batch: Batch) -> str:
        """The version of the topology of a batch."""
        return version_of(self.topology(batch))

    def policies(self, batch: Batch) -> Policies:
        """The policies of a batch."""
        if self._choices.policies is not None:
            return self._choices.policies
        version = batch.stamps.get("policies_version")
        if version not in self._policies:
            self._policies[version] = self._incident.policies(version)
        return self._policies[version]

    def profile(self, batch: Batch) -> Profile:
        """The profile of a batch."""
        key = (batch.stamps.get("profile"), batch.stamps.get("profile_version"))
        if key not in self._profiles:
            self._profiles[key] = self._incident.profile(*key)
        return self._profiles[key]

    def choice(self, stage: StageDefinition, batch: Batch, recorded: Step | None) -> StageChoice:
        """The implementation and options of a stage: what was left open is filled in as it was then."""
        for use in self._choices.uses:
            if use.stage == stage.name:
                return StageChoice(implementation=use.implementation, with_=dict(use.options))
        choice = self.profile(batch).choice(stage)
        if recorded is None or recorded.implementation != choice.implementation:
            return choice
        return StageChoice(implementation=choice.implementation, with_={**choice.with_, **recorded.made_with})

    def segment(self, batch: Batch, offline: bool) -> Segment | None:
        """The segment of a batch; None when its topology has none of this number."""
        found = segments(self.topology(batch), offline)
        return found[batch.segment] if batch.segment < len(found) else None

    def stages(self, batch: Batch, offline: bool) -> tuple[str, ...]:
        """The stages that a batch runs, in order: those it was claimed for, or those of the chosen topology's segment."""
        segment = self.segment(batch, offline)
        if batch.pipeline in self._choices.topologies or not batch.stages:
            return segment.stages if segment else ()
        return tuple(batch.stages)

    def is_beyond(self, batch: Batch, offline: bool, segment: int) -> bool:
        """Whether a job that is to go on with `segment` has all of them behind it."""
        return segment >= len(segments(self.topology(batch), offline))

    @staticmethod
    def rank(topology: Topology, stage: str) -> int:
        """The place of a stage in its pipeline; behind all others when it has none."""
        names = order(topology)
        return names.index(stage) if stage in names else len(names)
