"""What a run may do otherwise than the incident did: other definitions, other stages, the real outside."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from medkg_lab.repro.errors import BadChoice
from medkg_lab.resilience.policies import Policies
from medkg_lab.topology.models import Topology


@dataclass(frozen=True)
class Use:
    """An implementation with options, for one stage."""

    stage: str
    implementation: str
    options: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.stage}={self.implementation}" + (f":{json.dumps(dict(self.options))}" if self.options else "")


@dataclass(frozen=True)
class ReplayOverrides:
    """What is chosen for a run; without any it repeats the incident.

    Stages before `start` answer from the recording, `until` is the last stage that runs; the `live` ones reach the real outside.
    `topologies` (by pipeline) and `policies` stand for the archived ones. With `beyond` calls beyond the recording are answered
    as the last recorded one.
    """

    start: str | None = None
    until: str | None = None
    live: frozenset[str] = frozenset()
    topologies: Mapping[str, Topology] = field(default_factory=dict)
    policies: Policies | None = None
    uses: tuple[Use, ...] = ()
    beyond: bool = False

    @property
    def as_recorded(self) -> bool:
        """Whether definitions and stages are those of the incident."""
        return not (self.topologies or self.policies or self.uses or self.live)

    def to_json(self) -> dict[str, object]:
        """The choices as JSON values, without those that are not made."""
        from medkg_lab.topology.versions import content_version, version_of

        found: dict[str, object] = {
            "from": self.start,
            "until": self.until,
            "live": sorted(self.live),
            "topologies": {name: version_of(one) for name, one in self.topologies.items()},
            "policies": content_version(self.policies) if self.policies else None,
            "uses": [str(use) for use in self.uses],
        }
        return {name: value for name, value in found.items() if value}


def parse_use(text: str) -> Use:
    """Read `STAGE=IMPLEMENTATION` or `STAGE=IMPLEMENTATION:{options}`. Raises BadChoice."""
    stage, equals, rest = text.partition("=")
    name, colon, options = rest.partition(":")
    if not (stage and equals and name):
        raise BadChoice(given=text, detail="it names no stage and implementation")
    try:
        values = json.loads(options) if colon else {}
    except ValueError as error:
        raise BadChoice(given=text, detail=f"the options are not JSON: {error}") from None
    if not isinstance(values, dict):
        raise BadChoice(given=text, detail="the options are no object")
    return Use(stage, name, values)
