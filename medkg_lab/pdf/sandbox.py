"""Running a converter where it can do no harm: own process group, own folder, and a deadline that reaches its children."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from medkg_lab import launch, linux

_KEPT_VARIABLES = ("LANG", "LC_ALL", "PATH", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH")
_POLL_INTERVAL_S = 0.1
"""Seconds between two looks at whether the process ended or should."""
_STDERR_BYTES = 4096


class TimedOut(Exception):
    """The process did not end in time and was killed."""


class Stopped(Exception):
    """The process was killed because its work is no longer wanted."""


@dataclass(frozen=True)
class Ended:
    """How a process ended: `status` as subprocess gives it (negative for a signal), and the last of what it wrote to stderr."""

    status: int
    stderr: str


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder that only this user can enter, removed with all in it at the end."""
    with tempfile.TemporaryDirectory(prefix="medkg-pdf-") as name:
        yield Path(name)


def run_module(
    module: str, arguments: list[str], folder: Path, timeout: float, stopping: Callable[[], bool] = lambda: False
) -> Ended:
    """Run `python -m module arguments` in `folder` and wait for its end.

    The whole process group is killed at the end, whatever the end was, so that no worker of the module survives. Raises
    TimedOut after `timeout` seconds and Stopped when `stopping()` becomes true.
    """
    command = launch.python(module, *arguments)
    stderr = folder / "stderr"
    with stderr.open("wb") as sink:
        child = subprocess.Popen(
            command,
            cwd=folder,
            env=_environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=sink,
            start_new_session=True,
        )
    try:
        status = _wait(child, time.monotonic() + timeout, stopping)
    finally:
        linux.kill_group(child.pid, signal.SIGKILL)
        child.wait()
    return Ended(status, _tail(stderr))


def _wait(child: subprocess.Popen[bytes], until: float, stopping: Callable[[], bool]) -> int:
    while True:
        try:
            return child.wait(_POLL_INTERVAL_S)
        except subprocess.TimeoutExpired:
            if stopping():
                raise Stopped from None
            if time.monotonic() > until:
                raise TimedOut from None


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    own = {"HOME": str(folder), "TMPDIR": str(folder), "DOCVORTEX_PDF_RENDER_THREADS": "1"}
    return launch.environment(kept | own)


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _STDERR_BYTES))
        return file.read().decode("utf-8", "replace")
