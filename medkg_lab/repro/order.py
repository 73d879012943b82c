"""Whether the events of an archive can have happened like this: nothing twice, nothing missing, nobody unknown. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from medkg_lab.models.events import (
    Event,
    GateFailed,
    GateOpened,
    GateRejected,
    GateReleased,
    GateWaiting,
    JobClaimed,
    MakesJobs,
    StageCompleted,
    StageEvent,
    StageFailed,
    StageStarted,
)

_AfterGate = GateOpened | GateRejected | GateFailed | GateReleased
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
    events: Sequence[Event], jobs: Iterable[str], topologies: Iterable[tuple[str, str]], whole: bool = True
) -> None:
    """Raises OutOfOrder unless these events of `jobs`, on the `topologies` by name and version, can be run again in order.

    A log that is not `whole` may leave out that a stage began, as other systems do.
    """
    log, known, seen, reached = _Log(), set(jobs), set(), 0
    for event in events:
        where = f"event {event.seq} ({event.type})"
        if event.seq <= reached:
            raise OutOfOrder(f"{where} comes after event {reached}")
        if event.id in seen:
            raise OutOfOrder(f"{where} has an id that an event before it has")
        reached = event.seq
        seen.add(event.id)
        _check(log, event, where, known, whole)
    if silent := sorted(known - log.jobs):
        raise OutOfOrder(f"nothing tells how job {silent[0]} began")
    if absent := sorted(log.pipelines - set(topologies)):
        raise OutOfOrder(f"pipeline {absent[0][0]} {absent[0][1]} is not in the archive")


def _check(log: _Log, event: Event, where: str, known: set[str], whole: bool) -> None:
    named, data = event.jobs, event.data
    if len(set(named)) != len(named):
        raise OutOfOrder(f"{where} names a job twice")
    if strange := [job for job in named if job not in known]:
        raise OutOfOrder(f"{where} is about job {strange[0]}, which is none of the incident's")
    if isinstance(data, MakesJobs):
        if again := [job for job in named if job in log.jobs]:
            raise OutOfOrder(f"{where} submits job {again[0]} again")
        log.jobs.update(named)
        return
    if early := [job for job in named if job not in log.jobs]:
        raise OutOfOrder(f"{where} is about job {early[0]} before it was submitted")
    if isinstance(data, JobClaimed):
        log.batches[data.batch] = set(named), set(data.stages)
        log.pipelines.add((data.pipeline, data.pipeline_version))
    elif isinstance(data, StageEvent):
        _check_stage(log, data, where, whole)
    elif isinstance(data, GateWaiting):
        log.at_gate.update(named)
    elif isinstance(data, _AfterGate) and (away := [job for job in named if job not in log.at_gate]):
        raise OutOfOrder(f"{where} is about job {away[0]}, which had come to no gate")


def _check_stage(log: _Log, data: StageEvent, where: str, whole: bool) -> None:
    batch, stage = data.batch or "", data.stage
    jobs, stages = log.batches.get(batch, (set(), set()))
    if not set(data.jobs) <= jobs:
        raise OutOfOrder(f"{where} is about a batch whose claim is not there")
    if stage not in stages:
        raise OutOfOrder(f"{where} runs stage {stage}, which is not in its batch")
    if isinstance(data, StageStarted):
        log.started.add((batch, stage))
    elif whole and isinstance(data, StageCompleted | StageFailed) and (batch, stage) not in log.started:
        raise OutOfOrder(f"{where} ends stage {stage}, which had not begun")


def check_members(wanted: Iterable[str], members: Iterable[str], missing: Iterable[str]) -> None:
    """Raises OutOfOrder when an artifact that is needed is neither a member nor said to be missing."""
    there = set(members) | {found for one in missing for found in _HASH.findall(one)}
    if absent := next((one for one in wanted if one not in there), None):
        raise OutOfOrder(f"the events name the artifact {absent}, which is not there")
