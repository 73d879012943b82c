"""A ledger in a process of its own, for the tests that speak to it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from medkg_lab.ledger.answers import ClaimedBatch
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.locations import Locations, locate
from tests.told import specs
from tests.unit.ledger.worlds import completed, registrations, spec, started, waiting

READY_WITHIN = 60.0


class LedgerProcess:
    """`python -m medkg_lab.ledger` on a home of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.locations: Locations = locate(home)
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def folder(self) -> Path:
        """Where the ledger's files are."""
        return self.locations.data / "ledger"

    @property
    def errors(self) -> str:
        """What the process wrote to stderr."""
        return (self.home / "stderr").read_text()

    def spawn(self, *code: str) -> "subprocess.Popen[str]":
        """Start the process, or `python -c code` in its stead, without waiting."""
        self.home.mkdir(exist_ok=True)
        command = ["-c", code[0]] if code else ["-m", "medkg_lab.ledger"]
        with (self.home / "stderr").open("a") as errors:
            return subprocess.Popen(
                [sys.executable, *command, "--home", str(self.home)], stdout=subprocess.PIPE, stderr=errors, text=True
            )

    def start(self, *code: str) -> dict[str, Any]:
        """Start the process and wait until it is ready; its ready line."""
        self.process = self.spawn(*code)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the ledger did not start: {self.errors}"
        ready: dict[str, Any] = json.loads(line)
        return ready

    def client(self, deadline: float = 30.0) -> LedgerClient:
        """A client of it."""
        return LedgerClient(self.locations.socket("ledger"), deadline)

    def stop(self) -> int:
        """End it as the supervisor does; its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """End it without a chance to tidy up."""
        if self.process is not None and self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.wait()

    def wait(self) -> int:
        """Its exit code."""
        assert self.process is not None
        code = self.process.wait(READY_WITHIN)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code


def register(client: LedgerClient) -> None:
    """Make both pipelines known."""
    for each in registrations():
        client.register(**each)


def submit(client: LedgerClient, *jobs: str, pipeline: str = "plain", **changes: Any) -> None:
    """Submit jobs."""
    client.submit(specs([spec(job_id, pipeline, **changes) for job_id in jobs]))


def claim(client: LedgerClient, limit: int = 48, wait_s: float = 0.0, lease_s: float = 30.0) -> ClaimedBatch:
    """A batch; there must be one."""
    batch = client.claim("w", ["network", "compute"], limit, lease_s, wait_s)
    assert batch is not None
    return batch


def run(client: LedgerClient, batch: ClaimedBatch) -> list[str]:
    """Emit all stages of a batch; its jobs."""
    jobs = [job.job_id for job in batch.jobs]
    for stage in batch.stages:
        client.emit(batch.batch_id, [started(stage, jobs)])
        client.emit(batch.batch_id, [completed(stage, jobs)])
    return jobs


def to_gate(client: LedgerClient, *jobs: str) -> None:
    """Submit jobs and bring them to the gate."""
    submit(client, *jobs, pipeline="gated")
    batch = claim(client, limit=1000)
    client.record(batch.batch_id, [waiting(run(client, batch))])
