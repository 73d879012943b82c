"""What changed between two versions of a pipeline."""

from dataclasses import dataclass
from typing import Any, Literal

from medkg_lab.topology.models import StageDefinition, Topology


@dataclass(frozen=True)
class Change:
    """One difference: of a stage, or with `stage` None of the pipeline's head. `before` and `after` are JSON values."""

    kind: Literal["added", "removed", "changed"]
    stage: str | None
    field: str | None = None
    before: Any = None
    after: Any = None

    def __str__(self) -> str:
        what = f"stage {self.stage}" if self.stage else "pipeline"
        if self.kind != "changed":
            return f"{what} {self.kind}"
        return f"{what}: {self.field} {self.before!r} -> {self.after!r}"


def diff(old: Topology, new: Topology) -> list[Change]:
    """All differences: the head's fields, then stages removed, added, and changed, in the order of the files."""
    before = {stage.name: stage for stage in old.stages}
    after = {stage.name: stage for stage in new.stages}
    changes = _fields(None, _head(old), _head(new))
    changes += [Change("removed", name) for name in before if name not in after]
    changes += [Change("added", name) for name in after if name not in before]
    for name, stage in after.items():
        if name in before:
            changes += _fields(name, _dump(before[name]), _dump(stage))
    return changes


def _head(topology: Topology) -> dict[str, object]:
    return topology.model_dump(mode="json", exclude={"stages"})


def _dump(stage: StageDefinition) -> dict[str, object]:
    return stage.model_dump(mode="json", by_alias=True)


def _fields(stage: str | None, before: dict[str, object], after: dict[str, object]) -> list[Change]:
    return [Change("changed", stage, key, before[key], after[key]) for key in before if before[key] != after[key]]
