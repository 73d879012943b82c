"""labd's control socket and its loop: observe, decide, act."""

import asyncio
import signal
import time
from collections.abc import Callable, Sequence

import psutil

from medkg_lab import linux, process, rpc
from medkg_lab.locations import Locations
from medkg_lab.settings import Settings
from medkg_lab.supervisor.answers import LabStatus, ProcessRow, Restarting
from medkg_lab.supervisor.children import Child, Children, clear_leftovers
from medkg_lab.supervisor.decide import BUSY_HUNG_S, HUNG_S, RUNNING, SILENT, SILENT_S, State, decide, missing
from medkg_lab.supervisor.errors import UnknownProcess
from medkg_lab.supervisor.rotating_log import Bounds
from medkg_lab.supervisor.schedule import schedules
from medkg_lab.supervisor.spec import ProcessSpec

TICK_S = 0.2
_MIB = 1024 * 1024


class Supervisor:
    """Keeps the lab's processes as they should be until it is told to stop."""

    def __init__(
        self, locations: Locations, settings: Settings, specs: tuple[ProcessSpec, ...], notes: Sequence[str] = ()
    ) -> None:
        """`notes` are sentences about this start that a person should read."""
        self._locations = locations
        self._settings = settings
        self._specs = specs
        self._woken = asyncio.Event()
        self._ended = asyncio.Event()
        kept = settings.retention
        self._children = Children(locations, specs, Bounds(kept.log_mib * _MIB, kept.log_files), self._woken.set)
        self._wanted = True
        self._restarting: set[str] = set()
        self._started = time.time()
        self._notes = tuple(notes)
        self._schedules = schedules(locations, settings, time.monotonic())

    async def run(self, ready: Callable[[], None] = lambda: process.announce("labd")) -> None:
        """Run the lab until `down` or SIGTERM; returns when every process has ended. `ready` is called once it answers."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        clear_leftovers(self._locations)
        handlers = {"status": self._status, "restart": self._restart, "down": self._down}
        server = await rpc.serve(self._locations.socket("labd"), handlers)
        ready()
        while self._wanted or self._any_running():
            await self._step()
            for each in self._schedules:
                if self._wanted:
                    each.step(time.monotonic())
                else:
                    await asyncio.to_thread(each.stop)
            try:
                async with asyncio.timeout(TICK_S):
                    await self._woken.wait()
            except TimeoutError:
                pass
            self._woken.clear()
        self._ended.set()
        await asyncio.sleep(0)  # the answer to `down` is written before the socket goes
        server.close()
        self._locations.socket("labd").unlink(missing_ok=True)

    def open_log(self, name: str) -> int:
        """The writing end of a pipe whose content becomes the log `name`."""
        return self._children.open_log(name)

    def close(self) -> None:
        """Wait until the logs are whole; whoever calls this has closed what `open_log` gave it."""
        self._children.close()

    async def _step(self) -> None:
        self._children.observe()
        observed = {name: child.seen for name, child in self._children.by_name.items()}
        restarting, self._restarting = frozenset(self._restarting), set()
        for action in decide(self._specs, observed, self._wanted, restarting, time.monotonic()):
            await self._children.act(action)

    def _any_running(self) -> bool:
        return any(child.seen.state in RUNNING for child in self._children.by_name.values())

    def _stop(self) -> None:
        self._wanted = False
        self._woken.set()

    async def _down(self, args: rpc.Arguments) -> dict[str, object]:
        self._stop()
        await self._ended.wait()
        return {"stopped": True}

    async def _restart(self, args: rpc.Arguments) -> Restarting:
        name = args["name"]
        if name not in self._children.by_name:
            raise UnknownProcess(name=name, known=", ".join(self._children.by_name))
        before = self._children.by_name[name].starts
        self._restarting.add(name)
        self._woken.set()
        return Restarting(name=name, starts=before)

    async def _status(self, args: rpc.Arguments) -> LabStatus:
        return LabStatus(
            home=str(self._locations.home),
            pid=psutil.Process().pid,
            since=self._started,
            stopping=not self._wanted,
            profile=self._settings.profile,
            notes=tuple(self._notes),
            processes=tuple(_describe(child, self._children) for child in self._children.by_name.values()),
        )


def _describe(child: Child, children: Children) -> ProcessRow:
    rss, cpu = _usage(child.pid)
    stopped = child.pid is not None and linux.process_state(child.pid) in ("T", "t")
    silence = _silence(child, stopped)
    return ProcessRow(
        name=child.spec.name,
        state=SILENT if silence else child.seen.state.value,
        pid=child.pid,
        restarts=max(0, child.starts - 1),
        failures=child.seen.failures,
        silent_seconds=round(child.seen.silent, 1),
        after=tuple(child.spec.after),
        rss_mb=rss,
        cpu_seconds=cpu,
        port=child.spec.port,
        reason=silence or child.reason or _waiting_for(child, children),
        since=child.started_at or None,
        slow=child.spec.slow or any(name in child.spec.after_outcome for name in _waited_for(child, children)),
    )


def _silence(child: Child, stopped: bool) -> str:
    """How long a process that should answer has not; empty when it does."""
    seen = child.seen
    if seen.state is not State.READY or not (stopped or seen.silent >= SILENT_S):
        return ""
    limit = BUSY_HUNG_S if seen.busy else HUNG_S
    why = f", because it was stopped: `kill -CONT {child.pid}` lets it go on" if stopped else ""
    return f"has not answered for {seen.silent:.0f} s{why}; it is restarted after {limit:.0f} s"


def _waiting_for(child: Child, children: Children) -> str:
    waits = _waited_for(child, children)
    return f"waits for {', '.join(waits)}" if waits else ""


def _waited_for(child: Child, children: Children) -> list[str]:
    if child.seen.state is not State.ABSENT:
        return []
    return missing(child.spec, {name: one.seen for name, one in children.by_name.items()})


def _usage(pid: int | None) -> tuple[float | None, float | None]:
    if pid is None:
        return None, None
    try:
        running = psutil.Process(pid)
        times = running.cpu_times()
        return round(running.memory_info().rss / 1e6, 1), round(times.user + times.system, 2)
    except psutil.Error:
        return None, None
