"""Starting, asking and stopping a lab's supervisor."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from medkg_lab import exit_codes, folders, heartbeat, launch, linux, running
from medkg_lab.errors import LabError, LabNotRunning
from medkg_lab.failures import Failure
from medkg_lab.locations import Locations
from medkg_lab.rpc import Client, PeerUnreachable
from medkg_lab.running import Running
from medkg_lab.supervisor.answers import LabStatus, Restarting
from medkg_lab.supervisor.errors import AnotherVersion, LabNotReady, LabOfAnotherUser, LabSilent, SupervisorFailed
from medkg_lab.supervisor.readiness import STARTS_S, Readiness

ANSWER_S = 5.0
"""Seconds in which a supervisor answers; it does nothing that takes long."""
START_S = 30.0
"""Seconds in which one that has just been started answers, unless it is still computing."""
END_S = 30.0
_POLL_INTERVAL_S = 0.1
T = TypeVar("T")


class SupervisorClient:
    """The supervisor of the lab at `locations`, running or not."""

    def __init__(self, locations: Locations) -> None:
        self._locations = locations
        self._client: Client | None = None

    def process(self) -> Running | None:
        """The process that runs the lab, whether it answers or not; None when there is none."""
        return running.read(self._locations.state)

    def is_running(self) -> bool:
        """Whether a supervisor answers. Raises LabSilent when there is one that does not."""
        try:
            self.status()
        except LabNotRunning:
            return False
        return True

    def status(self) -> LabStatus:
        """The state of every process. Raises LabNotRunning, LabSilent, LabOfAnotherUser."""
        return self._request(LabStatus, "status")

    def restart(self, name: str) -> Restarting:
        """Restart one process. Raises LabNotRunning, LabSilent, LabOfAnotherUser, UnknownProcess."""
        return self._request(Restarting, "restart", name=name)

    def down(self) -> None:
        """Stop every process, and the supervisor: by a signal where it does not answer.

        Raises LabNotRunning, LabOfAnotherUser, SupervisorFailed.
        """
        owner = self.process()
        try:
            pid = self.status().pid
            # It may end between stopping the last process and answering.
            with contextlib.suppress(LabNotRunning, LabSilent):
                self._request(dict, "down", deadline=END_S)
        except LabSilent:
            if owner is None:
                raise
            pid = owner.pid
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
                os.kill(pid, signal.SIGCONT)  # one that was stopped sees the first signal only then
        self._wait(
            lambda: linux.start_time(pid) is None,
            END_S,
            f"process {pid} did not end within {END_S:.0f} s; `kill -9 {pid}` ends it, and nothing that was acknowledged is lost",
        )

    def up(self, die_with_parent: bool = False, seconds: float = STARTS_S, log_format: str | None = None) -> None:
        """Start the supervisor unless it runs; returns when it answers.

        Raises SupervisorFailed, LabSilent, LabOfAnotherUser, and what the supervisor ended with.
        """
        if self._runs_or_starts(seconds):
            return
        self._locations.create()
        path = self._locations.log("labd")
        options = [
            *(["--die-with-parent"] if die_with_parent else []),
            *(["--log-format", log_format] if log_format else []),
        ]
        argv = launch.python("medkg_lab.supervisor", *self._locations.arguments(), *options)
        with path.open("ab") as log:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self._locations.home,
                env=launch.environment() | {heartbeat.VARIABLE: "1"},
                start_new_session=True,
            )
        assert child.stdout is not None, "it was asked for"
        with child.stdout:
            line = self._first_line(child, seconds)
        if not line.startswith(b'{"ready"') and not self._runs_or_starts(seconds):
            child.wait()
            raise _why_ended(line, path) or SupervisorFailed(
                detail=f"it ended with exit code {child.returncode}", log=path
            )

    def wait_ready(self, seconds: float = STARTS_S, seen: Callable[[LabStatus], None] | None = None) -> None:
        """Wait until every process is ready, while they get on; `seen` is given each status on the way.

        A server that loads a model is not waited for, nor what waits for it: that may take minutes. Raises LabNotReady once one
        cannot become ready, and LabStarting when none gets on any more or `seconds` are over.
        """
        readiness = Readiness(seconds)
        while True:
            status = self.status()
            if seen is not None:
                seen(status)
            if readiness.reached(status.processes, time.monotonic()):
                return
            time.sleep(_POLL_INTERVAL_S)

    def wait_restarted(self, name: str, starts: int, seconds: float = 60.0) -> None:
        """Wait until a process that had been started `starts` times was started again and is ready. Raises LabNotReady."""
        until = time.monotonic() + seconds
        while True:
            found = next(one for one in self.status().processes if one.name == name)
            if found.restarts >= starts and found.state == "ready":
                return
            if time.monotonic() > until or (found.restarts >= starts and found.state == "given_up"):
                raise LabNotReady(processes=f"{name} ({found.state}: {found.reason})")
            time.sleep(_POLL_INTERVAL_S)

    def _runs_or_starts(self, seconds: float) -> bool:
        """Whether a supervisor answers; one that has just been started by somebody else is waited for."""
        until = time.monotonic() + min(seconds, START_S)
        while True:
            try:
                return self.is_running()
            except LabSilent:
                owner = self.process()
                if owner is not None and (owner.is_frozen() or time.monotonic() > until):
                    raise
                time.sleep(_POLL_INTERVAL_S)

    def _first_line(self, child: "subprocess.Popen[bytes]", seconds: float) -> bytes:
        """What the new supervisor prints first; nothing when it ends without a word."""
        assert child.stdout is not None, "it was asked for"
        os.set_blocking(child.stdout.fileno(), False)
        found = b""
        quiet, used, until = time.monotonic(), 0.0, time.monotonic() + seconds
        while not found.endswith(b"\n"):
            ended = child.poll() is not None
            found += child.stdout.read() or b""
            if ended:
                break
            if (now := linux.cpu_seconds(child.pid)) > used:
                quiet, used = time.monotonic(), now
            if time.monotonic() > until or time.monotonic() - quiet > START_S:
                raise LabSilent(home=self._locations.home, pid=child.pid, detail="it is still starting, or hangs")
            time.sleep(0.02)
        return found

    def _request(self, kind: type[T], op: str, deadline: float = ANSWER_S, **args: Any) -> T:
        owner = self.process()
        if owner is not None and owner.is_frozen():
            raise self._frozen(owner)
        try:
            answer = self._rpc().call(op, deadline=deadline, **args)
        except PeerUnreachable as error:
            raise self._unreachable(str(error)) from None
        try:
            return msgspec.convert(answer, kind)
        except msgspec.ValidationError as error:
            raise AnotherVersion(home=self._locations.home, detail=str(error)) from None

    def _rpc(self) -> Client:
        """A client of the socket where the supervisor has it now."""
        path = self._locations.socket("labd")
        if self._client is None or self._client.path != path:
            self._client = Client(path)
        return self._client

    def _unreachable(self, detail: str) -> LabError:
        """What is wrong when the supervisor could not be asked."""
        if (owner := self.process()) is not None:
            if owner.is_frozen():
                return self._frozen(owner)
            return LabSilent(home=self._locations.home, pid=owner.pid, detail=f"{detail} `medkg-lab down` ends it")
        with contextlib.suppress(OSError):
            if (uid := self._locations.state.stat().st_uid) != os.getuid():
                return LabOfAnotherUser(home=self._locations.home, owner=folders.user_name(uid))
        return LabNotRunning(home=self._locations.home)

    def _frozen(self, owner: Running) -> LabSilent:
        detail = f"it was stopped by a signal or a debugger. `kill -CONT {owner.pid}` lets it go on, `medkg-lab down` ends it"
        return LabSilent(home=self._locations.home, pid=owner.pid, detail=detail)

    def _wait(self, condition: Callable[[], bool], seconds: float, detail: str) -> None:
        until = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > until:
                raise SupervisorFailed(detail=detail, log=self._locations.log("labd"))
            time.sleep(0.05)


def _why_ended(line: bytes, log: Path) -> LabError | None:
    """The error that a supervisor ended with, by the line that it printed; None when it printed none."""
    try:
        failure = Failure(**json.loads(line)["failed"])
    except (ValueError, KeyError, TypeError):
        return None
    revived = failure.revive()
    if revived is not None and revived.exit_code != exit_codes.NO_RESTART:
        return revived
    return SupervisorFailed(detail=failure.message, log=log)
