"""An imported incident for the screen: read from its home, run again in a thread of its own and held at breakpoints, looked into.

Everything here is called from threads: it reads files and runs stages. What is heavy is imported when it is first needed.
"""

import atexit
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Literal, cast
from weakref import WeakSet

import orjson

from medkg_lab.models.events import Event
from medkg_lab.repro.errors import NoIncident
from medkg_lab.repro.runs import RECORDED, Run, Step

if TYPE_CHECKING:
    from medkg_lab.repro.diff import Report
    from medkg_lab.repro.manifest import Manifest
    from medkg_lab.repro.workbench import Workbench
    from medkg_lab.stages.contracts import StageType

Order = Literal["step", "go", "leave"]
Where = Literal["not run", "starting", "running", "before", "after", "ended"]
REPORT_INTERVAL_S = 0.25
"""Seconds between two tellings of where a run is while nothing holds it."""
MAX_END_S = 30.0
"""Seconds that the program's end waits for a thread."""
MAX_LINES = 400
"""Lines of a value that are shown at most."""


@dataclass(frozen=True)
class ReplayState:
    """Where a run of the incident is: `now` is on its virtual clock, `steps` are those that ended, `report` compares them."""

    where: Where = "not run"
    run: str = ""
    stage: str = ""
    jobs: tuple[str, ...] = ()
    now: float = 0.0
    steps: tuple[Step, ...] = ()
    report: "Report | None" = None

    @property
    def is_held(self) -> bool:
        """Whether the run waits for a person."""
        return self.where in ("before", "after")

    @property
    def is_busy(self) -> bool:
        """Whether the run goes on by itself."""
        return self.where in ("starting", "running")


@dataclass(frozen=True)
class Opened:
    """An incident as it was recorded, and the newest run of it."""

    bench: "Workbench"
    manifest: "Manifest"
    recorded: Run
    submissions: Mapping[str, object]
    types: "Mapping[str, StageType]"
    events: Sequence[Event]
    newest: ReplayState


_in_native_code: "WeakSet[threading.Thread]" = WeakSet()
_ending = threading.Event()


@atexit.register
def _join() -> None:
    _ending.set()
    for thread in tuple(_in_native_code):
        thread.join(MAX_END_S)


def _end_after_this_thread() -> None:
    """Let the program end only after this thread: one that is cut off within native code, or while it frees it, aborts it.

    A thread that comes too late ends here.
    """
    if threading.current_thread() is not threading.main_thread():
        _in_native_code.add(threading.current_thread())
        if _ending.is_set():
            sys.exit()


def opened(home: Path) -> Opened | None:
    """The incident of this home; None where none was imported."""
    _end_after_this_thread()
    from medkg_lab.repro import history
    from medkg_lab.repro.workbench import Workbench

    try:
        bench = Workbench.at(home)
    except NoIncident:
        return None
    incident = bench.incident
    read = history.read(incident.events)
    topologies = [incident.topology(one.name, one.version) for one in incident.versions("topology")]
    return Opened(
        bench,
        incident.manifest,
        read.run,
        {job: orjson.loads(spec.submission) for job, spec in read.specs.items()},
        {stage.name: stage.type for topology in topologies for stage in topology.stages},
        incident.events,
        _newest(bench, read.end),
    )


def _newest(bench: "Workbench", end: float) -> ReplayState:
    if not bench.shelf.names():
        return ReplayState()
    run = bench.shelf.get(None)
    return ReplayState("ended", run.id, now=end, steps=tuple(run.steps), report=bench.compare(run.id))


class _Left(Exception):
    """The person has started again, or left the screen."""


class ReplayRun:
    """One run of the incident under a person's eyes: held before its first stage, then at `stops`, such as `before chunk`."""

    def __init__(
        self,
        bench: "Workbench",
        stops: set[str],
        tell: Callable[["ReplayRun", ReplayState], object],
        first: Order = "step",
        after: "ReplayRun | None" = None,
    ) -> None:
        """`tell` is called from the run's thread. The run begins when `after`, which holds the store, has ended."""
        self._bench = bench
        self._stops = stops
        self._tell = tell
        self._after = after
        self._each = first == "step"
        self._orders: SimpleQueue[Order] = SimpleQueue()
        self._left = threading.Event()
        self._ended = threading.Event()
        self._told = 0.0
        self._stage = ""
        self._jobs: tuple[str, ...] = ()
        self._done = 0

    def order(self, order: Order) -> None:
        """Let the run go on to the next stage or to the next breakpoint, or end here; never waits."""
        if order == "leave":
            self._left.set()
        self._orders.put(order)

    def play(self) -> ReplayState | None:
        """Run to the end and keep the run; None when it was left before. Raises LabError."""
        _end_after_this_thread()
        from medkg_lab.repro.overrides import ReplayOverrides
        from medkg_lab.repro.replay import Replay

        try:
            if self._after is not None:
                self._after._ended.wait()
            self._replay = Replay(self._bench.incident, ReplayOverrides(), self._bench.shelf.next_name(), self._before)
            with closing(cast("Generator[Step]", self._replay.steps())) as steps:
                for step in steps:
                    self._step_ended(step)
            run = self._replay.run
            self._bench.shelf.save(run)
            return ReplayState(
                "ended", run.id, now=self._now(), steps=tuple(run.steps), report=self._bench.compare(run.id)
            )
        except _Left:
            return None
        finally:
            self._ended.set()

    def _before(self, stage: str, jobs: list[str]) -> None:
        self._stage, self._jobs, self._done = stage, tuple(jobs), 0
        if self._left.is_set():
            raise _Left
        if self._each or f"before {stage}" in self._stops:
            self._pause_at("before")
        elif time.monotonic() - self._told > REPORT_INTERVAL_S:
            self._notify("running")

    def _step_ended(self, step: Step) -> None:
        if step.stage != self._stage:
            # A gate is a step of its own, which nothing announces.
            self._stage, self._jobs, self._done = step.stage, (step.job,), 0
        self._done += 1
        if self._done == len(self._jobs) and f"after {self._stage}" in self._stops:
            self._pause_at("after")

    def _pause_at(self, where: Where) -> None:
        self._each = False
        self._notify(where)
        order = self._orders.get()
        if order == "leave":
            raise _Left
        self._each = order == "step"
        self._notify("running")

    def _notify(self, where: Where) -> None:
        run = self._replay.run
        done = tuple(run.steps)
        report = self._so_far(run) if where in ("before", "after") else None
        self._tell(self, ReplayState(where, run.id, self._stage, self._jobs, self._now(), done, report))
        self._told = time.monotonic()

    def _now(self) -> float:
        return self._replay.clock.now()

    def _so_far(self, run: Run) -> "Report":
        """What has diverged by now: steps that are still to come are no divergence."""
        recorded, known = self._bench.find(RECORDED), run.by_key()
        recorded.steps = [step for step in recorded.steps if step.key in known]
        return self._bench.report(recorded, run)


@dataclass(frozen=True)
class StepData:
    """What a stage got and gave for a job, as lines to read."""

    taken: Sequence[str]
    given: Sequence[str]


def step_data(of: Opened, steps: Sequence[Step], key: tuple[str, str, int]) -> StepData:
    """Input and output of the step with `key` among `steps`; a step that is not there yet has its input alone."""
    _end_after_this_thread()
    from medkg_lab.stages.kinds import INPUT_KINDS

    job, stage, _ = key
    place = next((at for at, step in enumerate(steps) if step.key == key), len(steps))
    earlier = {step.kind: step for step in steps[:place] if step.job == job and step.ref}
    takes = INPUT_KINDS[of.types[stage]] if stage in of.types else ("payload",)
    store = of.bench.store()
    try:
        taken = [line for kind in takes for line in _value(kind, earlier.get(kind), store.get)]
        given = _input_lines(steps[place], store.get) if place < len(steps) else ["The stage has not run yet."]
    finally:
        store.close()
    return StepData(taken or ["submission:", *_pretty(of.submissions.get(job))], given)


def _input_lines(step: Step, load: Callable[[str], bytes]) -> list[str]:
    head = [f"{step.status}: {step.reason}"] if step.reason else []
    tries = [f"try {one['attempt']} failed: {one['kind']}, {one['reason']}" for one in step.tries]
    if step.kind is None:
        return tries + head or [step.status]
    return [*tries, *head, *_value(step.kind, step, load)]


def _value(kind: str, step: Step | None, load: Callable[[str], bytes]) -> list[str]:
    from medkg_lab.artifacts.store import ArtifactMissing
    from medkg_lab.stages.kinds import KINDS

    if step is None or step.ref is None:
        return [f"{kind}: none"]
    try:
        data = load(step.ref)
        if kind == "embeddings":
            value = KINDS[kind].decode(data)
            return [f"{kind}: {len(value.chunk_ids)} vectors of {value.dimension} by {value.model} on {value.device}"]
        return [f"{kind}:", *_pretty(orjson.loads(data))]
    except ArtifactMissing:
        return [f"{kind}: not in the archive"]
    except (KeyError, TypeError, ValueError) as error:
        return [f"{kind}: cannot be read: {error}"]


def _pretty(value: Any) -> list[str]:
    lines = orjson.dumps(value, option=orjson.OPT_INDENT_2).decode().splitlines()
    more = len(lines) - MAX_LINES
    return [*lines[:MAX_LINES], *([f"… and {more} lines more"] if more > 0 else [])]
