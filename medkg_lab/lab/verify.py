"""The completeness proof: what the ledger says happened, the work queue, the events topic and Dagster's run history say too.

The comparison is pure; `collect` reads the sides.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from medkg_lab.broker.client import read_all
from medkg_lab.broker.engine import kind
from medkg_lab.broker.listing import topic_listing
from medkg_lab.broker.reading import lowest
from medkg_lab.broker.topics import EVENTS, Topics, chosen_topics
from medkg_lab.errors import LabError
from medkg_lab.events.cloudevents import cloud_id, is_published, read_id
from medkg_lab.lab import removed, requests
from medkg_lab.lab.facade import Lab
from medkg_lab.lab.requests import Compared
from medkg_lab.models.events import (
    BatchExpired,
    Event,
    EventData,
    GateFailed,
    GateOpened,
    GateRejected,
    GateWaiting,
    JobCancelled,
    JobClaimed,
    JobCompleted,
    JobDead,
    JobFailed,
    MakesJobs,
    StageCompleted,
    StageFailed,
    StageSkipped,
    StageStarted,
)
from medkg_lab.orchestration.runs import RecordedRun, visible_run_id

MAX_LISTED = 200
CATCH_UP_TIMEOUT_S = 60.0
OUTCOMES: Mapping[type, str] = {StageCompleted: "completed", StageFailed: "failed", StageSkipped: "skipped"}
DAGSTER_STATES = {"completed": "SUCCESS", "failed": "FAILURE", "skipped": "SKIPPED", "lost": "FAILURE"}
GATE_STATES: Mapping[type, str] = {
    GateWaiting: "IN_PROGRESS",
    GateOpened: "SUCCESS",
    GateFailed: "FAILURE",
    GateRejected: "FAILURE",
}
Lost = BatchExpired | JobCancelled | JobDead
RUN_STATUS: Mapping[type, str] = {
    JobCompleted: "SUCCESS",
    GateOpened: "SUCCESS",
    JobFailed: "FAILURE",
    GateFailed: "FAILURE",
    BatchExpired: "FAILURE",
    JobDead: "FAILURE",
    JobCancelled: "CANCELED",
    GateRejected: "CANCELED",
}
"""The status that an event gives to the run it falls into; one that waits at its gate has not ended."""

Run = tuple[str, int, int]
"""Job id, half and execution."""
Difference = Mapping[str, object]
"""`what` differs, in words, and where: names with values, other ones for each kind of difference."""


class ViewsBehind(LabError):
    """The view {view} is {lag} events behind the ledger and does not catch up. `medkg-lab status` shows if its process runs."""


class IntakeBehind(LabError):
    """{unread} requests on the work queue are still to be read, and it does not go on. `medkg-lab logs bridge` shows why."""


@dataclass(frozen=True, order=True)
class Execution:
    """One stage of one job, in one execution of one half of its pipeline."""

    job_id: str
    half: int
    execution: int
    stage: str

    @property
    def run(self) -> Run:
        """The run that it belongs to."""
        return self.job_id, self.half, self.execution


@dataclass
class Side:
    """What the ledger says.

    `executions` has the outcomes of every stage execution, `gates` the state that the marker of a gate must have in Dagster, and
    `runs` the status that the run of (job, half, execution) must have; an unfinished one is STARTED. `old_ids` and `old_runs` are
    the CloudEvents and Dagster runs from below the low-water mark: they may be there or not. All events of the jobs in `begun`
    are known, from the first one on.
    """

    executions: dict[Execution, list[str]] = field(default_factory=dict)
    gates: dict[Execution, str] = field(default_factory=dict)
    runs: dict[Run, str] = field(default_factory=dict)
    cloud_ids: set[str] = field(default_factory=set)
    jobs: set[str] = field(default_factory=set)
    begun: set[str] = field(default_factory=set)
    old_ids: set[str] = field(default_factory=set)
    old_runs: set[str] = field(default_factory=set)


def fold(events: Iterable[Event], mark: int = 0) -> Side:
    """Read the ledger's events into what the other sides must show of all that began above the low-water mark `mark`."""
    folding = _Fold(mark)
    for event in events:
        jobs = event.jobs
        if is_published(event.data):
            ids = folding.side.cloud_ids if event.seq > mark else folding.side.old_ids
            ids.update(cloud_id(event.id, job_id) for job_id in jobs)
        folding.side.jobs.update(jobs)
        if isinstance(event.data, MakesJobs):
            folding.side.begun.update(jobs)
        folding.apply(event)
    return folding.side


class _Fold:
    """The ledger's side while it is read: which run each job is in, its last gate, and which stage has not ended."""

    def __init__(self, mark: int) -> None:
        self.side = Side()
        self._mark = mark
        self._run: dict[str, Run] = {}
        self._stage: dict[str, str] = {}
        self._gate: dict[str, Execution] = {}

    def apply(self, event: Event) -> None:
        """Take in what `event` says of its jobs."""
        data = event.data
        if isinstance(data, JobClaimed):
            for job in data.entries:
                self._claimed(job.job_id, data.half, job.execution, event.seq)
            return
        for job_id in data.jobs:
            if job_id in self._run:
                self._in_run(data, event.stage, job_id)

    def _claimed(self, job_id: str, half: int, execution: int, seq: int) -> None:
        run = job_id, half, execution
        if visible_run_id(*run) in self.side.old_runs:
            return
        if seq > self._mark:
            self._run[job_id] = run
            self.side.runs[run] = "STARTED"
        else:
            self.side.old_runs.add(visible_run_id(*run))

    def _in_run(self, data: EventData, stage: str | None, job_id: str) -> None:
        run, kind = self._run[job_id], type(data)
        if isinstance(data, StageStarted):
            self._stage[job_id] = data.stage
            self.side.executions.setdefault(Execution(*run, data.stage), [])
        elif kind in OUTCOMES and stage:
            self._stage.pop(job_id, None)
            self.side.executions.setdefault(Execution(*run, stage), []).append(OUTCOMES[kind])
        elif isinstance(data, Lost):
            self._lose(run, job_id)
        if kind in GATE_STATES and stage:
            self.side.gates[Execution(*run, stage)] = GATE_STATES[kind]
            self._gate[job_id] = Execution(*run, stage)
        elif isinstance(data, JobCancelled) and (gate := self._gate.pop(job_id, None)):
            self.side.gates[gate] = self.side.gates[gate].replace("IN_PROGRESS", "FAILURE")
        status = RUN_STATUS.get(kind)
        if status and self.side.runs[run] == "STARTED":
            self.side.runs[run] = status

    def _lose(self, run: Run, job_id: str) -> None:
        if stage := self._stage.pop(job_id, None):
            self.side.executions[Execution(*run, stage)].append("lost")


def compare(ledger: Side, topic: Counter[str], runs: Mapping[str, RecordedRun]) -> list[Difference]:
    """Every difference between the three sides, as plain records; empty when they agree."""
    return [
        *_outcome_differences(ledger),
        *({"what": "CloudEvent missing on the topic", "id": one} for one in sorted(ledger.cloud_ids - set(topic))),
        *(
            {"what": "CloudEvent unknown to the ledger", "id": one}
            for one in sorted(set(topic) - ledger.cloud_ids - ledger.old_ids)
        ),
        *_run_differences(ledger, runs),
    ]


def _outcome_differences(ledger: Side) -> Iterator[Difference]:
    for execution, outcomes in sorted(ledger.executions.items()):
        if len(outcomes) > 1:
            yield {"what": "stage execution with several outcomes", **_named(execution), "outcomes": outcomes}
        elif not outcomes and ledger.runs[execution.run] != "STARTED":
            yield {"what": "stage execution without an outcome", **_named(execution)}


def _run_differences(ledger: Side, runs: Mapping[str, RecordedRun]) -> Iterator[Difference]:
    steps: dict[Run, dict[str, str]] = {run: {} for run in ledger.runs}
    for execution, outcomes in ledger.executions.items():
        steps[execution.run][execution.stage] = DAGSTER_STATES[outcomes[0]] if outcomes else "IN_PROGRESS"
    for execution, state in ledger.gates.items():
        steps[execution.run][execution.stage] = state
    expected = {visible_run_id(*run): run for run in ledger.runs}
    for run_id, run in sorted(expected.items()):
        named = {"job_id": run[0], "half": run[1], "execution": run[2], "run_id": run_id}
        if run_id in runs:
            yield from _step_differences(named, ledger.runs[run], steps[run], runs[run_id])
        else:
            yield {"what": "Dagster run missing", **named}
    for run_id in sorted(set(runs) - set(expected) - ledger.old_runs):
        yield {"what": "Dagster run unknown to the ledger", "run_id": run_id, "job_id": runs[run_id].job_id}


def _step_differences(
    named: Difference, status: str, steps: Mapping[str, str], run: RecordedRun
) -> Iterator[Difference]:
    if run.status != status:
        yield {"what": "Dagster run has another status", **named, "ledger": status, "dagster": run.status}
    for stage in sorted(set(steps) | set(run.steps)):
        ours, theirs = steps.get(stage), run.steps.get(stage)
        if ours != theirs:
            yield {"what": "Dagster step has another state", **named, "stage": stage, "ledger": ours, "dagster": theirs}


def _named(execution: Execution) -> Difference:
    return {
        "job_id": execution.job_id,
        "half": execution.half,
        "execution": execution.execution,
        "stage": execution.stage,
    }


@dataclass(frozen=True)
class QueueCounts:
    """How many requests the work queue holds, how many were set aside, are still to be read, and do not fit."""

    requests: int
    dead: int
    waiting: int
    differences: int

    @classmethod
    def of(cls, compared: Compared) -> "QueueCounts":
        """The counts of a comparison."""
        return cls(compared.requests, compared.dead, compared.waiting, len(compared.differences))


@dataclass(frozen=True)
class TopicCounts:
    """How many CloudEvents are on the events topic, and how many of them more than once."""

    distinct: int
    redelivered: int


@dataclass(frozen=True)
class Proof:
    """What was compared, and where the sides differ: the first MAX_LISTED, each with what differs and where."""

    ok: bool
    requests: QueueCounts | None
    jobs: int
    stage_executions: int
    cloudevents: TopicCounts
    dagster_runs: int
    low_water: Mapping[str, int]
    differences: list[Difference]
    differences_in_all: int


def verify(lab: Lab) -> Proof:
    """Read all sides of a running lab and compare them. Raises IntakeBehind, ViewsBehind."""
    _wait_for_views(lab)
    present = {one.topic for one in topic_listing(lab.bootstrap)}
    topics = Topics(lab.settings.broker.topic_prefix)
    queue = _compare_requests(lab) if {topics.requests, topics.deadletter} <= present else None
    records = list(read_all(lab.bootstrap, topics.events)) if topics.events in present else []
    named = ((one.partition, read_id(one.headers, one.value)) for one in records)
    published = [(partition, name) for partition, name in named if name is not None]
    lows = lowest(lab.bootstrap, topics.events) if topics.events in present else {}
    low_waters = lab.ledger.low_waters()
    forgotten = low_waters["ledger"]
    events = list(_ledger_events(lab, forgotten))
    of_topic = topic_mark(events, published, {partition for partition, low in lows.items() if low > 0})
    marks = {**low_waters, "topic": of_topic}
    ledger = fold(events, max(marks.values()))
    topic = Counter(one for _, one in published)
    runs = {run.run_id: run for run in lab.dagster_runs()}
    if forgotten:
        topic = Counter(without_leading(published, ledger.cloud_ids | ledger.old_ids))
        runs = of_known(ledger, runs)
    size = max(removed.sizes(records).values(), default=0)
    found = [
        *_nothing_to_prove(topics.events, events, published),
        *(queue.differences if queue else ()),
        *_removed(lab, events, {one for _, one in published}, forgotten, of_topic, size),
        *compare(ledger, topic, runs),
    ]
    return Proof(
        ok=not found,
        requests=None if queue is None else QueueCounts.of(queue),
        jobs=len(ledger.jobs),
        stage_executions=len(ledger.executions),
        cloudevents=TopicCounts(len(topic), sum(topic.values()) - len(topic)),
        dagster_runs=len(runs),
        low_water=marks,
        differences=found[:MAX_LISTED],
        differences_in_all=len(found),
    )


def _compare_requests(lab: Lab) -> requests.Compared:
    return requests.compare(Topics(lab.settings.broker.topic_prefix).requests, *requests.collect(lab))


def _nothing_to_prove(topic: str, events: Sequence[Event], published: Sequence[object]) -> Iterator[Difference]:
    """A topic without a single CloudEvent proves nothing, however well the rest agrees."""
    happened = sum(is_published(event.data) for event in events)
    if happened and not published:
        yield {"what": "nothing to prove", "topic": topic, "events_in_ledger": happened}


def _removed(
    lab: Lab, events: Sequence[Event], present: set[str], forgotten: int, of_topic: int, size: int
) -> Iterator[Difference]:
    """The lab's topics that are gone, and what somebody deleted from the others."""
    if not kind(lab.settings.broker.engine).runs_here:
        # Nobody here knows the retention of a cluster that others run.
        yield from removed.differences(lab, float("inf"))
        return
    now, since = time.time(), removed.chosen_at(lab)
    spec = next(one for one in chosen_topics(lab.settings) if one.name.endswith(EVENTS))
    if gone := removed.removed_events(events, present, of_topic, now, spec, size, since):
        yield {"what": "CloudEvents deleted before their time", "topic": spec.name, "events": gone}
    is_whole = bool(events) and not forgotten and not since
    yield from removed.differences(lab, now - events[0].ts if is_whole else float("inf"))


def _wait_for_views(lab: Lab) -> None:
    """Wait until the intake has read the work queue, and then until the views have seen what followed."""
    until = time.monotonic() + CATCH_UP_TIMEOUT_S
    while unread := requests.unread(lab):
        if time.monotonic() > until:
            raise IntakeBehind(unread=unread)
        time.sleep(0.1)
    head = lab.ledger.counts().head
    for view in ("outbox", "recorder"):
        while (position := int(lab.ledger.positions().get(view, 0))) < head:
            if time.monotonic() > until:
                raise ViewsBehind(view=view, lag=head - position)
            time.sleep(0.1)


def of_known(ledger: Side, runs: Mapping[str, RecordedRun]) -> dict[str, RecordedRun]:
    """The runs of which the ledger can still say something: others are of events that are forgotten, whatever came later."""
    known = {visible_run_id(*run) for run in ledger.runs}
    return {run_id: run for run_id, run in runs.items() if run_id in known or run.job_id in ledger.begun}


def topic_mark(events: Sequence[Event], published: Iterable[tuple[int, str]], emptied: set[int]) -> int:
    """The topic's low-water mark: the last event from before the oldest records of the partitions that retention has `emptied`.

    `published` is (partition, CloudEvent id) in the order of each partition.
    """
    firsts: dict[int, str] = {}
    for partition, one in published:
        firsts.setdefault(partition, one)
    wanted = {one for partition, one in firsts.items() if partition in emptied}
    ids = ((event.seq, {cloud_id(event.id, job_id) for job_id in event.jobs}) for event in events)
    found = [seq for seq, made in ids if not wanted.isdisjoint(made)]
    if emptied - firsts.keys():
        found.append(max((event.seq for event in events), default=0) + 1)
    return max(found, default=1) - 1


def without_leading(published: Iterable[tuple[int, str]], known: set[str]) -> list[str]:
    """The CloudEvents on the topic without those that come before the first known one of their partition: they tell of events
    that are neither in the ledger nor in its archive any more."""
    reached: set[int] = set()
    kept = []
    for partition, one in published:
        if one in known:
            reached.add(partition)
        if partition in reached:
            kept.append(one)
    return kept


def _ledger_events(lab: Lab, after: int) -> Iterator[Event]:
    while events := lab.ledger.events(after=after, limit=5000, wait_s=0).events:
        yield from events
        after = events[-1].seq
