"""The supervisor's hands: starts, signals and watches the processes."""

import asyncio
import contextlib
import json
import logging
import os
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from medkg_lab import exit_codes, heartbeat, launch, linux
from medkg_lab.files import replace_private
from medkg_lab.locations import Locations
from medkg_lab.logs import fields
from medkg_lab.supervisor.decide import (
    BUSY_SHARE,
    HEALTHY_AFTER_S,
    SILENT_S,
    Action,
    Kill,
    Observed,
    Start,
    State,
    Terminate,
)
from medkg_lab.supervisor.forking import Running, Template, order_of
from medkg_lab.supervisor.log_pipes import LogPipes
from medkg_lab.supervisor.rotating_log import Bounds
from medkg_lab.supervisor.spec import ProcessSpec

log = logging.getLogger(__name__)

RECORD = "children.json"
"""Where in the state folder the running processes are written down."""
LEFTOVER_S = 5.0


@dataclass
class Child:
    """One process as the supervisor knows it."""

    spec: ProcessSpec
    seen: Observed = field(default_factory=Observed)
    pid: int | None = None
    starts: int = 0
    started_at: float = 0.0
    reason: str = ""
    failure: str = ""
    beats: bool = False
    heard: float = 0.0
    cpu_heard: float = 0.0

    def heard_from(self, awake: float) -> None:
        """It gave a sign of life, `awake` seconds into the supervisor's own running time."""
        self.heard = awake
        if self.pid is not None:
            self.cpu_heard = linux.cpu_seconds(self.pid)

    def observe(self, awake: float) -> None:
        """See how long it has been silent, and whether it computes all the same."""
        watched = self.beats and self.pid is not None and self.seen.state is State.READY
        silent = max(0.0, awake - self.heard) if watched else 0.0
        busy = False
        if silent >= SILENT_S and self.pid is not None:
            busy = linux.cpu_seconds(self.pid) - self.cpu_heard > BUSY_SHARE * silent
        self.seen = replace(self.seen, silent=silent, busy=busy)


class Children:
    """All processes of the lab. `changed` is called whenever one of them changes its state."""

    def __init__(
        self, locations: Locations, specs: Iterable[ProcessSpec], bounds: Bounds, changed: Callable[[], None]
    ) -> None:
        self._locations = locations
        self._changed = changed
        self._awake = AwakeTime()
        self._log_pipes = LogPipes(locations, bounds)
        self._environment = launch.environment() | {heartbeat.VARIABLE: "1"}
        self._template = Template(locations.home, self._environment)
        self._ended_groups: set[int] = set()
        self._record = locations.state / RECORD
        self._tasks: set[asyncio.Task[None]] = set()
        self.by_name = {spec.name: Child(spec) for spec in specs}

    async def act(self, action: Action) -> None:
        """Carry out one decision."""
        child = self.by_name[action.name]
        match action:
            case Start():
                await self._start(child)
            case Terminate() if child.pid is not None:
                self._set(child, State.STOPPING)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child.pid, signal.SIGTERM)
            case Kill() if child.pid is not None:
                if child.seen.state is State.READY:
                    child.failure = f"it had not answered for {child.seen.silent:.0f} s, and was ended"
                    log.warning(
                        "%s has not answered for %.0f s and is ended",
                        child.spec.name,
                        child.seen.silent,
                        extra=fields(event="process.hung"),
                    )
                child.seen = replace(child.seen, killed=True)
                linux.kill_group(child.pid, signal.SIGKILL)

    def observe(self) -> None:
        """Bring what is known of each process up to date."""
        self._awake.advance()
        self._log_pipes.check()
        # What a process left behind, and was ended with it, is a child of this one.
        self._ended_groups = {pid for pid in self._ended_groups if not linux.bury_group(pid)}
        for child in self.by_name.values():
            child.observe(self._awake.seconds)

    def open_log(self, name: str) -> int:
        """The writing end of a pipe whose content becomes the log `name`."""
        return self._log_pipes.open(name)

    def close(self) -> None:
        """End what helped: the template, and the log writer once it has written everything."""
        self._template.close()
        self._log_pipes.close()

    async def _start(self, child: Child) -> None:
        child.starts += 1
        child.started_at = time.time()
        child.failure, child.beats = "", False
        self._set(child, State.STARTING)
        handle = self._log_pipes.open(child.spec.name)

        try:
            started = await self._process(child.spec, handle)
        except OSError as error:
            self._exited(child, exit_codes.NO_RESTART, f"cannot be started: {error}")
            return
        finally:
            os.close(handle)
        child.pid = started.pid
        self._write_record()
        task = asyncio.create_task(self._watch(child, started))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _process(self, spec: ProcessSpec, stderr: int) -> Running:
        """The process of `spec`, forked if it is one of the lab's own. Raises OSError."""
        order = order_of(spec.argv, spec.niceness)
        if order is not None:
            try:
                return await self._template.start(order, stderr)
            except (OSError, TimeoutError, ValueError) as error:
                log.warning("%s cannot be forked (%s) and loads by itself", spec.name, error)

        def prepare() -> None:
            linux.die_with_parent()
            os.nice(spec.niceness)

        return await asyncio.create_subprocess_exec(
            *spec.argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            preexec_fn=prepare,
            process_group=0,
            cwd=self._locations.home,
            env=self._environment,
        )

    async def _watch(self, child: Child, process: Running) -> None:
        assert process.stdout is not None
        try:
            while line := await process.stdout.readline():
                child.beats = child.beats or line == heartbeat.LINE
                child.heard_from(self._awake.seconds)
                if line.startswith(b'{"ready"') and child.seen.state is State.STARTING:
                    child.reason = ""
                    self._set(child, State.READY)
                elif line.startswith(b'{"failed"'):
                    child.failure = _failure(line)
        except ValueError:
            log.warning("%s printed an endless line", child.spec.name)
        code = await process.wait()
        linux.kill_group(process.pid, signal.SIGKILL)
        self._ended_groups.add(process.pid)
        await self._log_pipes.flushed(child.spec.name)
        self._exited(child, code, child.failure or _last_line(self._locations.log(child.spec.name)))

    def _exited(self, child: Child, code: int, reason: str) -> None:
        asked = child.seen.state is State.STOPPING
        healthy = time.monotonic() - child.seen.since >= HEALTHY_AFTER_S
        child.pid = None
        if code == exit_codes.NO_RESTART:
            child.reason = reason
            self._set(child, State.GIVEN_UP)
        else:
            failures = 0 if asked else 1 if healthy else child.seen.failures + 1
            child.reason = "" if asked else f"ended with {_describe(code)}{': ' * bool(reason)}{reason}"
            child.seen = Observed(State.EXITED, time.monotonic(), failures)
            self._changed()
        self._write_record()
        log.info("%s ended with %s", child.spec.name, _describe(code), extra=fields(event="process.ended"))

    def _set(self, child: Child, state: State) -> None:
        child.seen = Observed(state, time.monotonic(), child.seen.failures)
        self._changed()

    def _write_record(self) -> None:
        boot = linux.boot_id()
        running = {
            name: (child.pid, linux.start_time(child.pid), boot)
            for name, child in self.by_name.items()
            if child.pid is not None
        }
        with contextlib.suppress(OSError):  # without room on the disk: what it is for is a crash of this process
            replace_private(self._record, json.dumps(running))


def clear_leftovers(locations: Locations) -> None:
    """End what a crash of an earlier supervisor left running; a pid that now belongs to another process is left alone."""
    for name, pid in _left(locations.state / RECORD):
        log.warning("ending %s (pid %s), left by an earlier supervisor", name, pid)
        linux.kill_group(pid, signal.SIGKILL)
        until = time.monotonic() + LEFTOVER_S
        while linux.start_time(pid) is not None and time.monotonic() < until:
            time.sleep(0.01)  # what it listens on is free only then


def _left(record: Path) -> list[tuple[str, int]]:
    try:
        entries = [
            (str(name), int(pid), started, boot)
            for name, (pid, started, boot) in json.loads(record.read_text()).items()
        ]
    except (OSError, ValueError, TypeError, AttributeError):
        return []  # there is none, or it is damaged
    return [(name, pid) for name, pid, started, boot in entries if linux.same_process(pid, started, boot)]


class AwakeTime:
    """Seconds during which the supervisor itself ran: neither a suspended machine nor a stopped supervisor adds any.

    A process is silent while nobody could hear it, and that must not count against it.
    """

    LONGEST_STEP_S = 1.0

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()
        self.seconds = 0.0

    def advance(self) -> None:
        """Count the time since the last call, as far as it can have been spent running."""
        now = self._clock()
        self.seconds += min(self.LONGEST_STEP_S, max(0.0, now - self._last))
        self._last = now


def _failure(line: bytes) -> str:
    try:
        return str(json.loads(line)["failed"]["message"])
    except (ValueError, KeyError, TypeError):
        return ""


def _describe(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _last_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4096))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return lines[-1].strip() if lines else ""
