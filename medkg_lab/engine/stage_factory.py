"""Building the stages: each implementation with its options once per process, and never one whose GPU is not there."""

import inspect
import json
import logging
from dataclasses import dataclass
from functools import cached_property

from medkg_lab.engine.errors import StageUnbuildable
from medkg_lab.errors import LabError
from medkg_lab.logs import fields
from medkg_lab.stages import registry
from medkg_lab.stages.contracts import BatchStage, Lane, Stage, StageType
from medkg_lab.stages.registry import Implementation, Resources, WrongStageType
from medkg_lab.topology.graph import NETWORK_BOUND
from medkg_lab.topology.models import StageDefinition
from medkg_lab.topology.profiles import Profile

logger = logging.getLogger(__name__)

MAX_KNOWN = 1024
"""Choices that are remembered; an offline run makes its definitions anew for each batch."""


@dataclass(frozen=True)
class BuiltStage:
    """A stage that is ready, and what it was made by."""

    stage: Stage
    implementation: Implementation

    @cached_property
    def many(self) -> BatchStage | None:
        """The stage, if it takes many documents at once."""
        return self.stage if isinstance(self.stage, BatchStage) else None

    @cached_property
    def waits(self) -> bool:
        """Whether the stage is called as a coroutine, so that one can wait beside others."""
        return self.many is None and inspect.iscoroutinefunction(getattr(self.stage, "execute", None))


class StageFactory:
    """Makes and keeps stages."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._built: dict[tuple[str, str], BuiltStage] = {}
        self._known: dict[tuple[int, int], tuple[StageDefinition, Profile, BuiltStage]] = {}
        self._warmed: set[StageType] = set()

    def stage(self, definition: StageDefinition, profile: Profile) -> BuiltStage:
        """The stage that `definition` asks for, or `profile` where it leaves the choice.

        Raises UnknownImplementation, WrongStageType, BadOptions, PackageMissing, GpuUnavailable, what the implementation's probe
        raises, or StageUnbuildable. A failure is not kept: the next batch tries again, as a GPU may be back by then.
        """
        # By identity, since comparing definitions costs more than a short stage: they never change, and are held here.
        place = id(definition), id(profile)
        if place not in self._known:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            self._known[place] = definition, profile, self._chosen(definition, profile)
        return self._known[place][2]

    def _chosen(self, definition: StageDefinition, profile: Profile) -> BuiltStage:
        choice = profile.choice(definition)
        key = choice.implementation, json.dumps(choice.with_, sort_keys=True, default=str)
        if key not in self._built:
            implementation = registry.find(choice.implementation)
            if implementation.stage_type is not definition.type:
                raise WrongStageType(
                    name=implementation.name,
                    actual=implementation.stage_type,
                    stage=definition.name,
                    expected=definition.type,
                )
            self._built[key] = self._build(implementation, choice.with_)
        return self._built[key]

    def warm_up(self, profile: Profile, lane: Lane) -> bool:
        """Build one more of the stages that `profile` chooses for `lane`, so that no job waits for it; False when none is left.

        One that cannot be built is left for the job that needs it, which then ends with the reason.
        """
        for kind in profile.stages:
            if kind in self._warmed or (lane is Lane.NETWORK and kind not in NETWORK_BOUND):
                continue
            self._warmed.add(kind)
            try:
                self.stage(StageDefinition(name="warm_up", type=kind), profile)
            except LabError as error:
                logger.warning("not ready yet: %s", error, extra=fields(event="stage.waits"))
            return True
        return False

    def _build(self, implementation: Implementation, options: dict[str, object]) -> BuiltStage:
        parsed = implementation.parse_options(options)
        implementation.require_packages()
        if implementation.needs(parsed):
            # Imported only where a GPU is asked for: the guard loads the driver's library.
            from medkg_lab.gpu import guard

            guard.require(implementation, parsed)
        try:
            if implementation.probe is not None:
                implementation.probe(parsed)
            stage = implementation.build(self._resources, parsed)
        except LabError:
            raise
        except Exception as error:
            # A third party's code: whatever it raises ends the jobs of this stage, not the engine.
            logger.exception("%s could not be set up", implementation.name, extra=fields(event="stage.unbuildable"))
            raise StageUnbuildable(name=implementation.name, detail=f"{type(error).__name__}: {error}") from error
        logger.info("%s is ready on %s", implementation.name, implementation.device, extra=fields(event="stage.ready"))
        return BuiltStage(stage, implementation)
