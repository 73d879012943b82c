"""Two runs side by side: the first divergence, then the rest by stage."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

from medkg_lab.repro.compare import ABSENT, MOST, differences
from medkg_lab.repro.incident import Incident
from medkg_lab.repro.manifest import Tolerance
from medkg_lab.repro.runs import RECORDED, Run, Step
from medkg_lab.stages.kinds import KINDS
from medkg_lab.topology.graph import order

UNKNOWN = "unknown"
"""What stands in a step for something that whoever recorded it did not tell."""
Load = Callable[[str], bytes]
_NUMBER = re.compile(r"\d+(\.\d+)?")
_LONGEST = 200
_BEFORE = 30
"""Characters that are shown before the first difference of two long texts."""


@dataclass(frozen=True)
class Divergence:
    """Where two runs differ: stage, document, passage and field, both values, and where each comes from."""

    stage: str
    doc_id: str
    job: str
    item: str
    field: str
    a: Any
    b: Any
    a_from: str
    b_from: str

    def __str__(self) -> str:
        where = " → ".join(part for part in (self.stage, self.doc_id, self.item, self.field) if part)
        a, b = excerpts(self.a, self.b)
        return f"{where}\n  {self.a_from}: {a}\n  {self.b_from}: {b}"


@dataclass(frozen=True)
class Report:
    """All divergences, the first one first; `compared` steps were looked at, `marked` of them answered from the recording."""

    a: str
    b: str
    compared: int
    marked: int
    divergences: list[Divergence] = field(default_factory=list)
    causes: list[str] = field(default_factory=list)

    @property
    def first(self) -> Divergence | None:
        """The first divergence in the order of the stages."""
        return self.divergences[0] if self.divergences else None

    def by_stage(self) -> dict[str, list[Divergence]]:
        """The divergences by stage, in order."""
        found: dict[str, list[Divergence]] = {}
        for one in self.divergences:
            found.setdefault(one.stage, []).append(one)
        return found

    def to_json(self) -> Mapping[str, object]:
        """The report as JSON values."""
        listed = [asdict(one) for one in self.divergences]
        head = {"a": self.a, "b": self.b, "compared": self.compared, "answered_from_recording": self.marked}
        return {
            "ok": not listed,
            **head,
            "first": listed[0] if listed else None,
            "causes": self.causes,
            "divergences": listed,
        }


def compare(
    a: Run, b: Run, load: Load, tolerance: Tolerance, changed: frozenset[str] = frozenset()
) -> list[Divergence]:
    """Where `b` differs from `a`, unsorted. `changed` are passages whose vectors say nothing, as redaction changed their text."""
    mine, others = a.by_key(), b.by_key()
    found: list[Divergence] = []
    for key in dict.fromkeys([*mine, *others]):
        found += _step(mine.get(key), others.get(key), (a.id, b.id), load, tolerance, changed)
    return found


def _step(
    a: Step | None,
    b: Step | None,
    runs: tuple[str, str],
    load: Load,
    tolerance: Tolerance,
    changed: frozenset[str],
) -> Iterator[Divergence]:
    known = a or b
    assert known is not None, "a key belongs to a step of one of the runs"
    if a is not None and b is not None and b.how == "recorded" and a.ref == b.ref and a.status == b.status:
        return

    def found(item: str, field_name: str, one: Any, other: Any) -> Divergence:
        origins = (origin(a, runs[0]), origin(b, runs[1]))
        return Divergence(known.stage, known.doc_id, known.job, item, field_name, one, other, *origins)

    if a is None or b is None:
        yield found("", "step", a.status if a else ABSENT, b.status if b else ABSENT)
        return
    yield from (found("", name, one, other) for name, one, other in _heads(a, b))
    if a.kind != b.kind or not a.ref or not b.ref or a.ref == b.ref:
        return
    kind = KINDS[str(a.kind)]
    for one in islice(differences(kind.decode(load(a.ref)), kind.decode(load(b.ref)), tolerance), MOST):
        if not (one.field == "vector" and one.item in changed):
            yield found(one.item, one.field, one.a, one.b)


def _heads(a: Step, b: Step) -> Iterator[tuple[str, Any, Any]]:
    """What differs beside the values: how it ended, why, after how many tries, and further facts."""
    if a.status != b.status:
        yield "status", _outcome(a), _outcome(b)
    for name in ("error", "failure_kind", "kind") if a.status == b.status else ():
        if getattr(a, name) != getattr(b, name) and UNKNOWN not in (getattr(a, name), getattr(b, name)):
            yield name, getattr(a, name), getattr(b, name)
    if not (a.ref and b.ref) and a.status == b.status and None not in (a.count, b.count) and a.count != b.count:
        yield "count", a.count, b.count
    known = UNKNOWN not in (a.reason, b.reason)
    if known and a.status == b.status and _NUMBER.sub("#", a.reason or "") != _NUMBER.sub("#", b.reason or ""):
        yield "reason", a.reason, b.reason
    tries = [[one["kind"] for one in step.tries] for step in (a, b)]
    if tries[0] != tries[1] and a.facts == {}:
        yield "tries", tries[0], tries[1]
    for name in dict.fromkeys([*a.facts, *b.facts]):
        if a.facts.get(name, ABSENT) != b.facts.get(name, ABSENT):
            yield name, a.facts.get(name, ABSENT), b.facts.get(name, ABSENT)


def _outcome(step: Step) -> str:
    return f"{step.status}: {step.reason}" if step.reason else step.status


def origin(step: Step | None, run: str) -> str:
    """Where a step's value comes from, for a person."""
    if step is None:
        return _named(run)
    made_with = [f"{name} {value}" for name, value in step.made_with.items()]
    marked = "answered from the recording" if step.how == "recorded" and run != RECORDED else None
    parts = [step.implementation, *made_with, marked]
    excerpts = ", ".join(part for part in parts if part)
    return f"{_named(run)} ({excerpts})" if excerpts else _named(run)


def _named(run: str) -> str:
    return run if not run.isdigit() else f"run {run}"


def ranks(incident: Incident, further: Sequence[Any] = ()) -> dict[str, int]:
    """The place of every stage, of all pipelines of the incident together."""
    found: dict[str, int] = {}
    topologies = [incident.topology(one.name, one.version) for one in incident.versions("topology")]
    for topology in [*topologies, *further]:
        for place, name in enumerate(order(topology)):
            found[name] = max(found.get(name, 0), place)
    return found


def report(incident: Incident, a: Run, b: Run, load: Load) -> Report:
    """The report on `b` against `a`."""
    redacted = incident.manifest.redacted
    changed = frozenset(redacted.changed_chunks) if redacted else frozenset()
    found = compare(a, b, load, incident.manifest.tolerance, changed)
    places = ranks(incident)
    last = min((places[until] for run in (a, b) if (until := run.choices.get("until")) in places), default=len(places))
    found = [one for one in found if not (one.field == "step" and places.get(one.stage, 0) > last)]
    jobs = {job.job_id: number for number, job in enumerate(incident.manifest.jobs)}
    found.sort(key=lambda one: (places.get(one.stage, len(places)), jobs.get(one.job, len(jobs))))
    marked = sum(step.how == "recorded" for step in b.steps)
    return Report(a.id, b.id, len(b.steps), marked, found, causes(a, b))


def causes(a: Run, b: Run) -> list[str]:
    """What was different about the two runs themselves."""
    found = [f"{name}: {value} (chosen for {_named(b.id)})" for name, value in b.choices.items()]
    for pipeline in sorted(a.versions.keys() & b.versions.keys()):
        if a.versions[pipeline] != b.versions[pipeline]:
            found.append(f"{pipeline}: {a.versions[pipeline]} → {b.versions[pipeline]}")
    mine = {(step.job, step.stage): step for step in a.steps}
    for name in ("implementation", "device", "made_with"):
        pairs = {
            f"{name.replace('_', ' ')} of {step.stage}: {getattr(old, name)} → {getattr(step, name)}"
            for step in b.steps
            if (old := mine.get((step.job, step.stage))) is not None
            and getattr(old, name)
            and getattr(step, name)
            and getattr(old, name) != getattr(step, name)
        }
        found += sorted(pairs)
    return found


def excerpts(a: Any, b: Any) -> tuple[str, str]:
    """Two values for a person: cut to what can be read, from shortly before the place where they begin to differ."""
    one, other = (" ".join(str(value).split()) for value in (a, b))
    pairs = enumerate(zip(one, other, strict=False))
    shared = next((place for place, (x, y) in pairs if x != y), min(len(one), len(other)))
    start = shared - _BEFORE if shared > 2 * _BEFORE else 0
    return _cut(one, start), _cut(other, start)


def _cut(text: str, start: int) -> str:
    shown = ("…" if start else "") + text[start : start + _LONGEST]
    return shown + "…" if len(text) > start + _LONGEST else shown
