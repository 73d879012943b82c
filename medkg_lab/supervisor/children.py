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

from medkg_lab import exit_codes, linux
from medkg_lab.locations import Locations
from medkg_lab.supervisor.decide import HEALTHY_AFTER, Action, Kill, Observed, Start, State, Terminate
from medkg_lab.supervisor.spec import ProcessSpec

log = logging.getLogger(__name__)

LOG_BYTES = 16 * 1024 * 1024
"""Size at which a process's log is put aside when the process starts again; one older log is kept."""


@dataclass
class Child:
    """One process as the supervisor knows it."""

    spec: ProcessSpec
    seen: Observed = field(default_factory=Observed)
    pid: int | None = None
    starts: int = 0
    started_at: float = 0.0
    reason: str = ""


class Children:
    """All processes of the lab. `changed` is called whenever one of them changes its state."""

    def __init__(self, locations: Locations, specs: Iterable[ProcessSpec], changed: Callable[[], None]) -> None:
        self._locations = locations
        self._changed = changed
        self._record = locations.state / "children.json"
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
                child.seen = replace(child.seen, killed=True)
                linux.kill_group(child.pid, signal.SIGKILL)

    def clear_leftovers(self) -> None:
        """End what a crash of an earlier supervisor left running; a pid that now belongs to another process is left alone."""
        try:
            left = json.loads(self._record.read_text())
        except (FileNotFoundError, ValueError):
            return
        for name, (pid, started, boot) in left.items():
            if linux.same_process(pid, started, boot):
                log.warning("ending %s (pid %s), left by an earlier supervisor", name, pid)
                linux.kill_group(pid, signal.SIGKILL)

    async def _start(self, child: Child) -> None:
        path = self._locations.log(child.spec.name)
        _put_aside(path)
        child.starts += 1
        child.started_at = time.time()
        self._set(child, State.STARTING)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

        def prepare() -> None:
            linux.die_with_parent()
            os.nice(child.spec.niceness)

        try:
            started = await asyncio.create_subprocess_exec(
                *child.spec.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=handle,
                preexec_fn=prepare,
                process_group=0,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
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

    async def _watch(self, child: Child, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        try:
            while line := await process.stdout.readline():
                if line.startswith(b'{"ready"') and child.seen.state is State.STARTING:
                    child.reason = ""
                    self._set(child, State.READY)
        except ValueError:
            log.warning("%s printed an endless line", child.spec.name)
        code = await process.wait()
        linux.kill_group(process.pid, signal.SIGKILL)
        self._exited(child, code, _last_line(self._locations.log(child.spec.name)))

    def _exited(self, child: Child, code: int, reason: str) -> None:
        asked = child.seen.state is State.STOPPING
        healthy = time.monotonic() - child.seen.since >= HEALTHY_AFTER
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
        log.info("%s ended with %s", child.spec.name, _describe(code))

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
        self._record.write_text(json.dumps(running))


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


def _put_aside(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size > LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
