"""One server: started when its memory is free, ready when it answers, ended with its keeper."""

import contextlib
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from medkg_lab import launch, linux
from medkg_lab.errors import LabError
from medkg_lab.gpu.errors import GpuUnavailable
from medkg_lab.gpu.guard import judge
from medkg_lab.gpu.nvml import survey
from medkg_lab.logs import fields
from medkg_lab.process import CannotRun, Stopping
from medkg_lab.services.errors import ServerAddressTaken, ServerEnded, ServerNotReady, ServerUnstartable
from medkg_lab.services.loading import marked
from medkg_lab.sources.http_client import HttpxClient
from medkg_lab.stages.registry import GpuNeed
from medkg_lab.topology.profiles import Server

logger = logging.getLogger(__name__)

_POLL_INTERVAL_S = 0.2
_ANSWER_TIMEOUT_S = 5.0
_MAX_BYTES = 1024 * 1024
_END_TIMEOUT_S = 3.0
"""Less than the supervisor gives a process to end."""


def run_server(server: Server, state: Path, stopping: Stopping, ready: Callable[[], None]) -> None:
    """Run `server` until `stopping`; `ready` is called once it answers. While it loads, `state` shows that.

    Raises GpuUnavailable, CannotRun, ServerUnstartable, ServerAddressTaken, ServerEnded or ServerNotReady.
    """
    with contextlib.ExitStack() as stack:
        with marked(state, server.name):
            if server.gpu_memory_mib:
                _check_gpu(server)
            if not _unready(server.ready_url):
                raise ServerAddressTaken(name=server.name, url=server.ready_url)
            running = stack.enter_context(_running(server))
            _wait_ready(server, running, stopping)
        if stopping():
            return
        logger.info("%s answers at %s", server.name, server.ready_url, extra=fields(event="server.ready"))
        ready()
        while not stopping(_POLL_INTERVAL_S):
            if (code := running.poll()) is not None:
                raise ServerEnded(name=server.name, code=code, when="after it had been ready")


def _check_gpu(server: Server) -> None:
    """Raise GpuUnavailable when the memory is not free, which may change, and CannotRun when there is no GPU at all."""
    found = survey()
    try:
        judge(f"server {server.name}", GpuNeed(server.gpu_memory_mib), found)
    except GpuUnavailable as error:
        if found.devices:
            raise
        raise CannotRun(process=server.name, detail=str(error)) from None


@contextlib.contextmanager
def _running(server: Server) -> Iterator["subprocess.Popen[bytes]"]:
    """The server's process, which is ended at the end of the block, or by the system should this one die."""
    try:
        # What it prints goes into this process's log; it stays in the process group that the supervisor clears away.
        running = subprocess.Popen(
            server.command,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            env=_environment(),
            preexec_fn=linux.die_with_parent,
        )
    except OSError as error:
        raise ServerUnstartable(name=server.name, detail=f"{server.command[0]}: {error.strerror}") from None
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def _environment() -> dict[str, str]:
    """The server's environment. A script of the user's may import what lies beside it, unlike the lab's own processes."""
    return {name: value for name, value in launch.environment().items() if name != "PYTHONSAFEPATH"}


def _wait_ready(server: Server, running: "subprocess.Popen[bytes]", stopping: Stopping) -> None:
    until = time.monotonic() + server.ready_seconds
    detail = "it was not asked yet"
    while not stopping(_POLL_INTERVAL_S):
        if (code := running.poll()) is not None:
            raise ServerEnded(name=server.name, code=code, when="before it was ready")
        detail = _unready(server.ready_url)
        if not detail:
            return
        if time.monotonic() > until:
            seconds = f"{server.ready_seconds:g}"
            raise ServerNotReady(name=server.name, url=server.ready_url, seconds=seconds, detail=detail)


def _unready(url: str) -> str:
    """Why the server at `url` is not ready; empty when it answers 200."""
    try:
        with HttpxClient() as http:
            answer = http.request("GET", url, timeout=_ANSWER_TIMEOUT_S, max_bytes=_MAX_BYTES, endpoint=True)
    except LabError as error:
        return str(error)
    return "" if answer.status == 200 else f"it answers HTTP {answer.status}"
