"""Running an incident piece by piece: breakpoints, a look at what goes in and comes out, and changes on the way.

Commands come from anything that gives lines, a person's keyboard or a file, and what is to be seen goes to `show`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from medkg_lab.errors import LabError
from medkg_lab.files import TEXT_BYTES, read_regular
from medkg_lab.repro import versions
from medkg_lab.repro.overrides import ReplayOverrides
from medkg_lab.repro.replay import Replay
from medkg_lab.repro.runs import Run, Step
from medkg_lab.repro.workbench import Workbench
from medkg_lab.stages.kinds import INPUT_KINDS, KINDS

HELP = """next                       go on to the next stage
continue                   go on to the next breakpoint
break before|after STAGE   stop there from now on
input [JOB]                what the stage is about to get
output [JOB]               what the stage gave
set KIND FILE [JOB]        let the job have this value, as JSON
topology VERSION|FILE      go on with another topology
events [N]                 what happened in the incident until this moment
quit                       end here"""
_MAX_CHARACTERS = 4000


class Quit(Exception):
    """The person has seen enough."""


@dataclass
class Stepper:
    """One run under a person's eyes: it stops before anything runs, and at `stops`, which are such as `before chunk`."""

    bench: Workbench
    lines: Iterator[str]
    show: Callable[[str], None]
    stops: set[str] = field(default_factory=set)
    _each: bool = True
    _stage: str = ""
    _jobs: list[str] = field(default_factory=list)
    _last: list[Step] = field(default_factory=list)

    def run(self, choices: ReplayOverrides) -> Run:
        """Run to the end, or until the person quits; the run is kept either way. Raises UnknownReplayStage."""
        self._replay = Replay(self.bench.incident, choices, self.bench.shelf.next_name(), self._before)
        self._replay.definitions.require(*(stop.split()[1] for stop in sorted(self.stops)))
        try:
            for step in self._replay.steps():
                self._after(step)
        except Quit:
            self.show("stopped here")
        self.bench.shelf.save(self._replay.run)
        return self._replay.run

    def _before(self, stage: str, jobs: list[str]) -> None:
        self._stage, self._jobs, self._last = stage, jobs, []
        if self._each or f"before {stage}" in self.stops:
            self._stop(f"before {stage} of {len(jobs)} jobs")

    def _after(self, step: Step) -> None:
        self._last.append(step)
        done = len(self._last) >= len(self._jobs)
        if done and f"after {step.stage}" in self.stops:
            self._stage = step.stage
            self._stop(f"after {step.stage} of {len(self._last)} jobs")

    def _stop(self, where: str) -> None:
        self._each = False
        self.show(f"{where}, at {self._replay.clock.now():.3f}")
        for line in self.lines:
            try:
                if self._command(line.split()):
                    return
            except (LabError, OSError, ValueError, KeyError) as error:
                self.show(str(error))
        raise Quit

    def _command(self, words: list[str]) -> bool:
        """Do one command; whether the run goes on."""
        match words:
            case ["next" | "n"]:
                self._each = True
                return True
            case ["continue" | "c"]:
                return True
            case ["break" | "b", "before" | "after" as when, stage]:
                self._replay.definitions.require(stage)
                self.stops.add(f"{when} {stage}")
            case ["input" | "i", *job]:
                self._show_input(self._job(job))
            case ["output" | "o", *job]:
                self._show_output(self._job(job))
            case ["set", kind, path, *job]:
                self._replay.put(self._job(job), kind, KINDS[kind].decode(read_regular(Path(path), TEXT_BYTES)))
            case ["topology", named]:
                self._replay.definitions.choose(versions.topology(self.bench.incident, named))
            case ["events", *count]:
                self._show_events(int(count[0]) if count else 10)
            case ["quit" | "q"]:
                raise Quit
            case []:
                pass
            case _:
                self.show(HELP)
        return False

    def _job(self, named: list[str]) -> str:
        wanted = named[0] if named else ""
        for job in self._jobs:
            if job.startswith(wanted):
                return job
        raise KeyError(f"no job {wanted!r} is in this batch; its jobs are {', '.join(self._jobs)}")

    def _show_input(self, job: str) -> None:
        for kind in INPUT_KINDS[self._replay.stage_type(self._stage)] or ("submission",):
            value = self._replay.value(job, kind)
            self.show(f"{kind}: {_value_text(kind, value)}")

    def _show_output(self, job: str) -> None:
        step = next((one for one in self._last if one.job == job), None)
        if step is None:
            self.show("the stage has not run yet")
        elif step.kind is None:
            self.show(f"{step.status}: {step.reason}")
        else:
            self.show(f"{step.kind}: {_value_text(step.kind, self._replay.value(job, step.kind))}")

    def _show_events(self, count: int) -> None:
        now = self._replay.clock.now()
        for event in [one for one in self.bench.incident.events if one.ts <= now][-count:]:
            self.show(f"{event.ts:.3f} {event.type} {event.stage or ''} {', '.join(event.jobs)}".rstrip())


def _value_text(kind: str, value: Any) -> str:
    if value is None:
        return "none"
    if kind == "embeddings":
        return f"{len(value.chunk_ids)} vectors of {value.dimension} by {value.model}"
    data = KINDS[kind].encode(value) if kind in KINDS else orjson.dumps(value.model_dump(mode="json"))
    return data.decode()[:_MAX_CHARACTERS]
