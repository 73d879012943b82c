"""One running Redpanda: started, waited for, watched, ended."""

import http.client
import json
import re
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from medkg_lab import linux
from medkg_lab.broker import probe
from medkg_lab.broker.errors import BrokerUnreachable
from medkg_lab.broker.redpanda.config import Plan
from medkg_lab.broker.redpanda.errors import (
    RedpandaEnded,
    RedpandaFolderInUse,
    RedpandaNoAio,
    RedpandaNoMemory,
    RedpandaNotReady,
    RedpandaOldData,
    RedpandaPortTaken,
    RedpandaUnloadable,
)
from medkg_lab.broker.redpanda.installation import Installation
from medkg_lab.errors import LabError
from medkg_lab.process import Stopping

# Why Redpanda did not start, from what it wrote to its log.
_SIGNS: tuple[tuple[str, type[LabError]], ...] = (
    (r"could not setup async i/o|aio-max-nr|io_setup", RedpandaNoAio),
    (r"address already in use", RedpandaPortTaken),
    (r"insufficient (physical )?memory|cannot allocate memory|bad_alloc|not enough memory", RedpandaNoMemory),
    (
        r"incompatible downgrade|incompatible logical version|core count is not allowed|change in number of cores"
        r"|upgrade from .* is not supported",
        RedpandaOldData,
    ),
    (r"(lock|locked).*pid|pid.*(lock|locked)|already running", RedpandaFolderInUse),
    (r"error while loading shared libraries|exec format error|no such file or directory: .*ld", RedpandaUnloadable),
)


def explain(lines: Sequence[str], code: int, folder: Path, ports: Path, program: Path) -> LabError:
    """The error that stands for a Redpanda that ended with `code` after writing `lines`."""
    for pattern, error in _SIGNS:
        for line in lines:
            if re.search(pattern, line, re.IGNORECASE):
                return error(line=line.strip(), folder=folder, ports=ports, program=program)
    return RedpandaEnded(code=code, line=last_words(lines))


def last_words(lines: Sequence[str]) -> str:
    """The last line that says something."""
    return next((line.strip() for line in reversed(lines) if line.strip()), "nothing")


_KEPT_LINES = 400
_POLL_INTERVAL_S = 0.2
_END_TIMEOUT_S = 4.0


class RedpandaProcess:
    """Redpanda by `plan`; what it writes goes on to stderr, and its last lines are kept to explain its end."""

    def __init__(self, plan: Plan, installation: Installation, ports_file: Path) -> None:
        self._plan = plan
        self._installation = installation
        self._ports_file = ports_file
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        plan.write()
        self._process = subprocess.Popen(
            plan.command(installation),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=installation.environment(),
            preexec_fn=linux.die_with_parent,
        )
        self._reader = threading.Thread(target=self._read, daemon=True, name="redpanda-log")
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None, "it was asked for"
        for line in self._process.stdout:
            self._lines.append(line)
            sys.stderr.write(line)
        sys.stderr.flush()

    def wait_ready(self, seconds: float, stopping: Stopping) -> None:
        """Return when it serves, or when `stopping` says so.

        Raises the error that explains its end, or RedpandaNotReady after `seconds`.
        """
        until = time.monotonic() + seconds
        while not self._is_ready():
            if self._process.poll() is not None:
                self.raise_end()
            if time.monotonic() > until:
                raise RedpandaNotReady(seconds=seconds, line=last_words([*self._lines]))
            if stopping(_POLL_INTERVAL_S):
                return

    def _is_ready(self) -> bool:
        """Whether both its readiness endpoint and a Metadata request say so."""
        connection = http.client.HTTPConnection("127.0.0.1", self._plan.admin, timeout=2)
        try:
            connection.request("GET", "/v1/status/ready")
            if json.loads(connection.getresponse().read(4096)).get("status") != "ready":
                return False
            probe.metadata(f"127.0.0.1:{self._plan.kafka}")
        except (OSError, ValueError, AttributeError, http.client.HTTPException, BrokerUnreachable):
            return False  # it is still on its way; what it says meanwhile is in its log
        finally:
            connection.close()
        return True

    def answers(self) -> bool:
        """Whether it answers a Metadata request."""
        try:
            probe.metadata(f"127.0.0.1:{self._plan.kafka}")
        except (OSError, ValueError, BrokerUnreachable):
            return False
        return True

    def watch(self, stopping: Stopping) -> None:
        """Return when `stopping` says so. Raises the error that explains its end when that comes first."""
        while not stopping(_POLL_INTERVAL_S):
            if self._process.poll() is not None:
                self.raise_end()

    def raise_end(self) -> None:
        """Say why it ended."""
        self._reader.join(_END_TIMEOUT_S)
        code = self._process.wait()
        raise explain([*self._lines], code, self._plan.folder, self._ports_file, self._installation.program)

    def end(self) -> None:
        """Have it finish; it keeps what it acknowledged also when it is killed."""
        self._process.terminate()
        try:
            self._process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
