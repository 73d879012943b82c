"""Starting, asking and stopping a lab's supervisor."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from medkg_lab import linux
from medkg_lab.errors import LabNotRunning
from medkg_lab.locations import Locations
from medkg_lab.rpc import Client, PeerUnreachable
from medkg_lab.supervisor.errors import LabNotReady, SupervisorFailed

START_DEADLINE = 20.0
READY_DEADLINE = 120.0


class SupervisorClient:
    """The supervisor of the lab at `locations`, running or not."""

    def __init__(self, locations: Locations) -> None:
        self._locations = locations
        self._rpc = Client(locations.socket("labd"), deadline=10)

    def is_running(self) -> bool:
        """Whether a supervisor answers."""
        try:
            self._rpc.call("status", deadline=5)
        except PeerUnreachable:
            return False
        return True

    def status(self) -> dict[str, Any]:
        """The state of every process. Raises LabNotRunning."""
        return self._ask("status")

    def restart(self, name: str) -> dict[str, Any]:
        """Restart one process. Raises LabNotRunning, UnknownProcess."""
        return self._ask("restart", name=name)

    def down(self) -> None:
        """Stop every process, and the supervisor. Raises LabNotRunning."""
        pid = self.status()["pid"]
        # It may end between stopping the last process and answering.
        with contextlib.suppress(LabNotRunning):
            self._ask("down", deadline=30.0)
        self._wait(lambda: not _alive(pid), 10, "the supervisor did not end")

    def up(self, die_with_parent: bool = False) -> None:
        """Start the supervisor unless it runs; returns when it answers. Raises SupervisorFailed."""
        if self.is_running():
            return
        self._locations.create()
        argv = [sys.executable, "-m", "medkg_lab.supervisor", *self._locations.arguments()]
        path = self._locations.log("labd")
        with path.open("ab") as log:
            os.chmod(path, 0o600)
            child = subprocess.Popen(
                [*argv, *(["--die-with-parent"] if die_with_parent else [])],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

        def answered() -> bool:
            if child.poll() is not None and not self.is_running():
                raise SupervisorFailed(detail=f"it ended with exit code {child.returncode}", log=path)
            return self.is_running()

        self._wait(answered, START_DEADLINE, f"no answer after {START_DEADLINE:.0f} s")

    def wait_ready(self, seconds: float = READY_DEADLINE, seen: Callable[[dict[str, Any]], None] | None = None) -> None:
        """Wait until every process is ready; `seen` is given each status on the way. Raises LabNotReady.

        A server that loads a model is not waited for, nor what waits for it: that may take minutes.
        """
        until = time.monotonic() + seconds
        while True:
            status = self.status()
            if seen is not None:
                seen(status)
            waiting = [one for one in status["processes"] if one["state"] != "ready" and not one["slow"]]
            if not waiting:
                return
            if time.monotonic() > until or all(one["state"] == "given_up" for one in waiting):
                listed = "; ".join(f"{one['name']} ({one['state']}: {one['reason']})" for one in waiting)
                raise LabNotReady(seconds=round(seconds), processes=listed)
            time.sleep(0.1)

    def wait_restarted(self, name: str, starts: int, seconds: float = 60.0) -> None:
        """Wait until a process that had been started `starts` times was started again and is ready. Raises LabNotReady."""
        until = time.monotonic() + seconds
        while True:
            found = next(one for one in self.status()["processes"] if one["name"] == name)
            if found["restarts"] >= starts and found["state"] == "ready":
                return
            if time.monotonic() > until or (found["restarts"] >= starts and found["state"] == "given_up"):
                raise LabNotReady(seconds=round(seconds), processes=f"{name} ({found['state']}: {found['reason']})")
            time.sleep(0.1)

    def _ask(self, op: str, deadline: float | None = None, **args: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = self._rpc.call(op, deadline=deadline, **args)
        except PeerUnreachable:
            raise LabNotRunning(home=self._locations.home) from None
        return answer

    def _wait(self, condition: Callable[[], bool], seconds: float, detail: str) -> None:
        until = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > until:
                raise SupervisorFailed(detail=detail, log=self._locations.log("labd"))
            time.sleep(0.05)


def _alive(pid: int) -> bool:
    return linux.start_time(pid) is not None
