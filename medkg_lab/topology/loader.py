"""From a pipeline's YAML file to its resolved topology, or to all that is wrong with it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import Field, TypeAdapter

from medkg_lab.topology import bundled
from medkg_lab.topology.errors import Problem, TopologyInvalid
from medkg_lab.topology.models import MAX_STAGES, SharedSequence, StageDefinition, Topology, TopologyHead
from medkg_lab.topology.policy_files import load_policies
from medkg_lab.topology.rules import Entry, Material, broken_rules
from medkg_lab.topology.schema import check, error_keys, near
from medkg_lab.yaml_source import Source, Where, parse, read

SHARED_FOLDER = "shared"


class _Frame(TopologyHead):
    stages: tuple[Any, ...] = Field(min_length=1, max_length=MAX_STAGES)


_FRAME, _STAGE, _SHARED = TypeAdapter(_Frame), TypeAdapter(StageDefinition), TypeAdapter(SharedSequence)
_SEQUENCE: TypeAdapter[tuple[Any, ...]] = TypeAdapter(tuple[Any, ...])


@dataclass
class _Reading:
    """What one load gathers: entries in order, problems, and the files that its parts came from."""

    shared: Sequence[Path]
    entries: list[Entry] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    whole: bool = True
    """False when an entry could not be understood at all, so that rules on the whole graph would only repeat its problems."""


def load_topology(
    source: Path | str,
    *,
    file: str = "<text>",
    policies: Collection[str] | None = None,
    shared: Sequence[Path] = (),
) -> Topology:
    """Load a pipeline from a file (a Path) or from YAML text, which problems then call `file`.

    `policies` are the policy names to accept (None: the bundled ones); `shared` the folders where `use: NAME` finds NAME.yaml,
    before the file's own `shared/` and the bundled one. Raises TopologyInvalid with every problem.
    """
    tree = read(source) if isinstance(source, Path) else parse(source, file)
    beside = [source.parent / SHARED_FOLDER] if isinstance(source, Path) else []
    reading = _Reading([*shared, *beside, bundled.folder() / "pipelines" / SHARED_FOLDER], problems=list(tree.problems))
    if tree.problems and tree.value is None:
        raise TopologyInvalid(tree.file, tree.problems)
    checked = check(tree, _FRAME, tree.value, ())
    reading.problems += checked.problems
    _read_entries(reading, tree)
    stages = _follow(reading.entries)
    known = frozenset(_bundled_policies() if policies is None else policies)
    reading.problems += broken_rules(Material(tree, stages, known, reading.whole and checked.model is not None))
    if reading.problems or checked.model is None:
        raise TopologyInvalid(tree.file, reading.problems)
    return Topology(**checked.model.model_dump(exclude={"stages"}), stages=tuple(entry.stage for entry in stages))


@cache
def _bundled_policies() -> frozenset[str]:
    return frozenset(load_policies(bundled.folder() / "policies.yaml").names)


def _read_entries(reading: _Reading, tree: Source) -> None:
    raw = tree.value.get("stages") if isinstance(tree.value, dict) else None
    for place, value in enumerate(raw[:MAX_STAGES] if isinstance(raw, list) else ()):
        where: Where = ("stages", place)
        if len(reading.entries) > MAX_STAGES:
            reading.problems.append(tree.problem(where, "too-many", f"a pipeline has {MAX_STAGES} stages at most"))
            reading.whole = False
            return
        if isinstance(value, dict) and "use" in value:
            _read_use(reading, tree, where, value)
        elif (entry := _read_stage(reading, tree, where, value)) is not None:
            reading.entries.append(entry)


def _read_use(reading: _Reading, tree: Source, where: Where, value: Any) -> None:
    checked = check(tree, _SHARED, value, where)
    reading.problems += checked.problems
    reading.whole &= checked.model is not None
    if checked.model is not None:
        _append_shared(reading, tree, where, checked.model)


def _read_stage(reading: _Reading, tree: Source, where: Where, value: Any) -> Entry | None:
    checked = check(tree, _STAGE, value, where)
    reading.problems += checked.problems
    stage = checked.model
    if stage is None and isinstance(value, dict):
        # What is right about the entry still serves the other rules, so that one load finds as many problems as it can.
        wrong = error_keys(_STAGE, value)
        stage = check(tree, _STAGE, {key: part for key, part in value.items() if key not in wrong}, where).model
        reading.whole &= "depends_on" not in wrong
    reading.whole &= stage is not None
    return Entry(stage, tree, where) if stage is not None else None


def _append_shared(reading: _Reading, tree: Source, where: Where, use: SharedSequence) -> None:
    """Append the shared sequence's stages; those without dependencies follow `use.depends_on`, else the stage before."""
    paths = [folder / f"{use.use}.yaml" for folder in reading.shared]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        known = {found.stem for folder in reading.shared for found in folder.glob("*.yaml")}
        message = f"there is no shared sequence called {use.use!r}"
        reading.problems.append(tree.problem((*where, "use"), "unknown-shared", message, near(use.use, known)))
        reading.whole = False
        return
    inner = read(path)
    reading.problems += inner.problems
    checked = check(inner, _SEQUENCE, inner.value, ())
    values = checked.model
    reading.problems += [] if inner.problems else checked.problems
    reading.whole &= values is not None
    previous = (reading.entries[-1].stage.name,) if reading.entries else ()
    before = use.depends_on or previous
    for place, value in enumerate((values or ())[:MAX_STAGES]):
        entry = _read_stage(reading, inner, (place,), value)
        if entry is not None:
            needs = entry.stage.depends_on or before
            reading.entries.append(Entry(entry.stage.model_copy(update={"depends_on": needs}), inner, (place,)))


def _follow(entries: Sequence[Entry]) -> list[Entry]:
    """Write out what the file implies: a gate without dependencies follows the stage before it."""
    result: list[Entry] = []
    for entry in entries:
        if entry.stage.is_gate and not entry.stage.depends_on and result:
            stage = entry.stage.model_copy(update={"depends_on": (result[-1].stage.name,)})
            entry = Entry(stage, entry.tree, entry.where)
        result.append(entry)
    return result
