"""Whether the events of an archive can have happened like this: nothing twice, nothing missing, nobody unknown. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from medkg_lab.ledger.events import MAKES_JOBS, EventType

_OF_STAGES = frozenset(one for one in EventType if one.value.startswith("stage."))
_ENDS_STAGE = frozenset({EventType.STAGE_COMPLETED, EventType.STAGE_FAILED})
_AFTER_GATE = frozenset(
    {EventType.GATE_OPENED, EventType.GATE_REJECTED, EventType.GATE_FAILED, EventType.GATE_RELEASED}
)
_HASH = re.compile(r"[0-9a-f]{64}")


class OutOfOrder(ValueError):
    """The events cannot have happened like this."""


@dataclass
class _Log:
    """What the events so far have told."""

    jobs: set[str] = field(default_factory=set)
    batches: dict[str, tuple[set[str], set[str]]] = field(default_factory=dict)
    started: set[tuple[str, str]] = field(default_factory=set)
    at_gate: set[str] = field(default_factory=set)
    pipelines: set[tuple[str, str]] = field(default_factory=set)


def check_order(
    events: Sequence[Mapping[str, Any]], jobs: Iterable[str], topologies: Iterable[tuple[str, str]], whole: bool = True
) -> None:
    """Raises OutOfOrder unless these events of `jobs`, on the `topologies` by name and version, can be run again in order.

    A log that is not `whole` may leave out that a stage began, as other systems do.
    """
    log, known, seen, reached = _Log(), set(jobs), set(), 0
    for event in events:
        where = f"event {event['seq']} ({event['type']})"
        if event["seq"] <= reached:
            raise OutOfOrder(f"{where} comes after event {reached}")
        if event["id"] in seen:
            raise OutOfOrder(f"{where} has an id that an event before it has")
        reached = event["seq"]
        seen.add(event["id"])
        _check(log, event, where, known, whole)
    if silent := sorted(known - log.jobs):
        raise OutOfOrder(f"nothing tells how job {silent[0]} began")
    if absent := sorted(log.pipelines - set(topologies)):
        raise OutOfOrder(f"pipeline {absent[0][0]} {absent[0][1]} is not in the archive")


def _check(log: _Log, event: Mapping[str, Any], where: str, known: set[str], whole: bool) -> None:
    kind, named, data = EventType(event["type"]), event["jobs"], event["data"]
    if len(set(named)) != len(named):
        raise OutOfOrder(f"{where} names a job twice")
    if strange := [job for job in named if job not in known]:
        raise OutOfOrder(f"{where} is about job {strange[0]}, which is none of the incident's")
    if kind in MAKES_JOBS:
        _begin(log, named, data, where)
        return
    if early := [job for job in named if job not in log.jobs]:
        raise OutOfOrder(f"{where} is about job {early[0]} before it was submitted")
    if kind is EventType.JOB_CLAIMED:
        log.batches[str(event["batch"])] = set(named), set(data["stages"])
        log.pipelines.add((data["pipeline"], data["pipeline_version"]))
    elif kind in _OF_STAGES:
        _check_stage(log, event, where, whole)
    elif kind is EventType.GATE_WAITING:
        log.at_gate.update(named)
    elif kind in _AFTER_GATE and (away := [job for job in named if job not in log.at_gate]):
        raise OutOfOrder(f"{where} is about job {away[0]}, which had come to no gate")


def _begin(log: _Log, named: Sequence[str], data: Mapping[str, Any], where: str) -> None:
    specs = data["specs"] if "specs" in data else [entry["spec"] for entry in data["entries"]]
    if [spec["job_id"] for spec in specs] != list(named):
        raise OutOfOrder(f"{where} has the specs of other jobs than it names")
    if again := [job for job in named if job in log.jobs]:
        raise OutOfOrder(f"{where} submits job {again[0]} again")
    log.jobs.update(named)


def _check_stage(log: _Log, event: Mapping[str, Any], where: str, whole: bool) -> None:
    batch, stage = str(event["batch"]), str(event["stage"])
    jobs, stages = log.batches.get(batch, (set(), set()))
    if not set(event["jobs"]) <= jobs:
        raise OutOfOrder(f"{where} is about a batch whose claim is not there")
    if stage not in stages:
        raise OutOfOrder(f"{where} runs stage {stage}, which is not in its batch")
    if event["type"] == EventType.STAGE_STARTED:
        log.started.add((batch, stage))
    elif whole and event["type"] in _ENDS_STAGE and (batch, stage) not in log.started:
        raise OutOfOrder(f"{where} ends stage {stage}, which had not begun")


def check_members(wanted: Iterable[str], members: Iterable[str], missing: Iterable[str]) -> None:
    """Raises OutOfOrder when an artifact that is needed is neither a member nor said to be missing."""
    there = set(members) | {found for one in missing for found in _HASH.findall(one)}
    if absent := next((one for one in wanted if one not in there), None):
        raise OutOfOrder(f"the events name the artifact {absent}, which is not there")
