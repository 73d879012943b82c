"""What a pipeline must keep to besides its schema. Each rule is a function from the material to problems."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from medkg_lab.models.events import PDF_IR_READY
from medkg_lab.stages import registry
from medkg_lab.stages.contracts import StageType
from medkg_lab.stages.kinds import INPUT_KINDS, OUTPUT_KIND
from medkg_lab.topology import graph
from medkg_lab.topology.errors import MAX_PROBLEMS, Problem
from medkg_lab.topology.models import StageDefinition
from medkg_lab.topology.schema import near
from medkg_lab.yaml_source import Source, Where


@dataclass(frozen=True)
class Entry:
    """A stage and where it is written."""

    stage: StageDefinition
    tree: Source
    where: Where

    def has(self, key: str) -> bool:
        """Whether the key is written, rightly or not."""
        return (*self.where, key) in self.tree.places

    def problem(self, key: str | int, rule: str, message: str, suggestion: str = "") -> Problem:
        """A problem at one of the stage's keys, or at the stage where the key is not written."""
        return self.tree.problem((*self.where, key), rule, message, suggestion)


@dataclass(frozen=True)
class Material:
    """All that the rules look at; `whole` says that every stage could be read, so that the graph can be judged."""

    tree: Source
    entries: Sequence[Entry]
    policies: frozenset[str]
    whole: bool

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of all stages, those of unreadable entries too."""
        raw = self.tree.value.get("stages") if isinstance(self.tree.value, dict) else None
        written = {item.get("name") for item in raw if isinstance(item, dict)} if isinstance(raw, list) else set()
        return frozenset(
            {entry.stage.name for entry in self.entries} | {name for name in written if isinstance(name, str)}
        )

    @cached_property
    def graph(self) -> dict[str, tuple[str, ...]]:
        """The dependencies among the stages that could be read."""
        return graph.dependencies(entry.stage for entry in self.entries)

    @cached_property
    def before(self) -> dict[str, frozenset[str]]:
        """All ancestors of each stage; only for a sound graph."""
        return graph.ancestors(self.graph)

    def comparable(self, one: str, other: str) -> bool:
        """Whether the order of the two is fixed by dependencies."""
        return one in self.before[other] or other in self.before[one]


def broken_rules(material: Material) -> list[Problem]:
    """Every problem that the rules find; those about paths through the graph only once the graph itself is sound."""
    problems = [problem for rule in _LOCAL for problem in islice(rule(material), MAX_PROBLEMS)]
    sound = material.whole and not any(problem.rule in _UNSOUND for problem in problems)
    if sound and material.entries:
        problems += [problem for rule in _GLOBAL for problem in islice(rule(material), MAX_PROBLEMS)]
    return problems


def duplicate_names(material: Material) -> Iterator[Problem]:
    """Two stages of one name."""
    seen: set[str] = set()
    for entry in material.entries:
        if entry.stage.name in seen:
            message = f"there is another stage called {entry.stage.name!r}"
            yield entry.problem("name", "duplicate-name", message, "give it another name")
        seen.add(entry.stage.name)


def unknown_names(material: Material) -> Iterator[Problem]:
    """Dependencies, resume stages and policies that do not exist."""
    for entry in material.entries:
        stage = entry.stage
        for place, name in enumerate(stage.depends_on):
            if name not in material.names:
                where = (*entry.where, "depends_on", place)
                message = f"{stage.name!r} depends on {name!r}, which is not a stage"
                yield entry.tree.problem(where, "unknown-stage", message, near(name, material.names - {stage.name}))
        if stage.resume_stage and stage.resume_stage not in material.names:
            message = f"{stage.resume_stage!r} is not a stage"
            yield entry.problem("resume_stage", "unknown-stage", message, near(stage.resume_stage, material.names))
        if stage.policy not in material.policies:
            message = f"there is no policy called {stage.policy!r}"
            yield entry.problem("policy", "unknown-policy", message, near(stage.policy, material.policies))


def circles(material: Material) -> Iterator[Problem]:
    """Stages that depend on each other in a circle."""
    at = {entry.stage.name: entry for entry in material.entries}
    for circle in graph.cycles(material.graph):
        first = min(circle, key=list(at).index)
        message = f"these stages depend on each other in a circle: {' -> '.join(circle)}"
        yield at[first].problem("depends_on", "cycle", message, "remove one of these dependencies")


def gate_forms(material: Material) -> Iterator[Problem]:
    """Keys that only a gate, or only a stage, may have."""
    for entry in material.entries:
        stage = entry.stage
        if not stage.is_gate:
            if stage.resume_stage:
                message = f"{stage.name!r} is not a gate, so nothing resumes after it"
                yield entry.problem("resume_stage", "not-a-gate", message, "remove the key")
            continue
        if stage.condition is None and not entry.has("condition"):
            suggestion = "add condition: {ledger_field: ..., equals: ...}"
            yield entry.problem("name", "gate-condition", f"the gate {stage.name!r} has no condition", suggestion)
        if stage.implementation or stage.with_:
            key = "implementation" if stage.implementation else "with"
            yield entry.problem(key, "gate-executes", f"nothing executes at the gate {stage.name!r}", "remove the key")
        if not stage.depends_on:
            message = f"the gate {stage.name!r} follows no stage"
            yield entry.problem("name", "gate-first", message, "put it after the stage that it waits behind")


def implementations(material: Material) -> Iterator[Problem]:
    """Implementations that do not exist, do not load, do another stage type, or do not take the options."""
    for entry in material.entries:
        stage = entry.stage
        if stage.is_gate:
            continue
        if stage.implementation is None:
            if stage.with_:
                message = f"{stage.name!r} has options but names no implementation"
                yield entry.problem("with", "options", message, "add implementation: NAME")
            continue
        yield from implementation_problems(
            entry.tree, entry.where, stage.name, stage.type, stage.implementation, stage.with_
        )


def implementation_problems(
    tree: Source, where: Where, label: str, wanted: StageType, name: str, options: Mapping[str, object]
) -> Iterator[Problem]:
    """What is wrong with the choice at `where`: the implementation `name` with `options` for a stage of type `wanted`."""
    try:
        found = registry.find(name)
        if found.stage_type is not wanted:
            raise registry.WrongStageType(name=name, actual=found.stage_type, stage=label, expected=wanted)
        found.parse_options(options)
    except registry.UnknownImplementation:
        message = f"there is no implementation called {name!r}"
        yield tree.problem((*where, "implementation"), "unknown-implementation", message, near(name, registry.names()))
    except registry.BrokenImplementation as error:
        yield tree.problem((*where, "implementation"), "broken-implementation", str(error))
    except registry.WrongStageType as error:
        yield tree.problem((*where, "implementation"), "wrong-implementation", str(error))
    except registry.BadOptions as error:
        yield tree.problem((*where, "with"), "options", str(error))


def reachable(material: Material) -> Iterator[Problem]:
    """Stages that no ingest stage leads to."""
    roots = {entry.stage.name for entry in material.entries if entry.stage.type is StageType.INGEST}
    if not roots:
        message = "no stage ingests anything"
        yield material.entries[0].problem("type", "no-ingest", message, "begin with a stage of type IngestStage")
        return
    for entry in material.entries:
        name = entry.stage.name
        if name not in roots and not roots & material.before[name]:
            message = f"no ingest stage leads to {name!r}"
            yield entry.problem("name", "unreachable", message, "add depends_on")


def gate_places(material: Material) -> Iterator[Problem]:
    """Gates that resume before themselves, or with nothing to run after or between them."""
    stages = {entry.stage.name: entry for entry in material.entries}
    gates = [name for name in graph.sort(material.graph) if stages[name].stage.is_gate]
    part = graph.parts(material.graph, gates)
    filled = {part[name] for name in part if name not in gates}
    for index, name in enumerate(gates):
        entry, resume = stages[name], stages[name].stage.resume_stage
        if resume and name not in material.before[resume]:
            after = [other for other in material.graph if name in material.before[other] and other not in gates]
            message = f"{resume!r} does not come after the gate {name!r}"
            yield entry.problem("resume_stage", "resume-before-gate", message, near(resume, after))
        if index not in filled:
            message = f"no stage runs between the gate {name!r} and the gate {gates[index - 1]!r} before it"
            yield entry.problem("name", "gate-empty", message, "remove one of the two gates")
        if not any(name in material.before[other] for other in part if other not in gates):
            message = f"no stage comes after the gate {name!r}"
            yield entry.problem("name", "gate-last", message, "let a stage depend on it, or remove it")


def inputs(material: Material) -> Iterator[Problem]:
    """Stages that take a kind of value which nothing before them makes, or which two stages make in no fixed order."""
    givers = {entry.stage.name: kind for entry in material.entries if (kind := _output_of(entry.stage))}
    for entry in material.entries:
        name = entry.stage.name
        for kind in INPUT_KINDS.get(entry.stage.type, ()):
            if not any(givers.get(other) == kind for other in material.before[name]):
                types = [str(stage_type) for stage_type, made in OUTPUT_KIND.items() if made == kind]
                suggestion = f"let it depend on a stage of type {' or '.join(types)}"
                yield entry.problem("type", "missing-input", f"nothing before {name!r} makes its {kind}", suggestion)
        yield from _unordered(material, entry, givers)


def _output_of(stage: StageDefinition) -> str | None:
    if not stage.is_gate:
        return OUTPUT_KIND[stage.type]
    condition = stage.condition
    return "document" if condition and condition.ledger_field == PDF_IR_READY and condition.equals is True else None


def _unordered(material: Material, entry: Entry, givers: dict[str, str]) -> Iterable[Problem]:
    """A job keeps one value of each kind, so all who make or take a kind must have a fixed order once two make it."""
    name = entry.stage.name
    touches = {*INPUT_KINDS.get(entry.stage.type, ()), givers.get(name)}
    for kind in sorted(kind for kind in touches if kind and list(givers.values()).count(kind) > 1):
        rivals = [other for other, made in givers.items() if made == kind and other != name]
        if loose := [other for other in rivals if not material.comparable(name, other)]:
            message = f"{name!r} and {loose[0]!r} both deal with the {kind}, in no fixed order"
            yield entry.problem("depends_on", "ambiguous-input", message, "let one of the two depend on the other")


Rule = Callable[[Material], Iterable[Problem]]

_LOCAL: tuple[Rule, ...] = (duplicate_names, unknown_names, circles, gate_forms, implementations)
_GLOBAL: tuple[Rule, ...] = (reachable, gate_places, inputs)
_UNSOUND = {"duplicate-name", "unknown-stage", "cycle", "gate-first"}
