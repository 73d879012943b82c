"""The recorder: a reader of the ledger that keeps Dagster's run store as a view of it.

It runs in a thread of dagsterd. Its position stands in Dagster's own event log file, so the view can lag, crash, or be removed
with its files and made anew.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dagster import DagsterInstance

from medkg_lab import linux
from medkg_lab.errors import LabError
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.orchestration import templates
from medkg_lab.orchestration.live import Live
from medkg_lab.orchestration.projection import Projection
from medkg_lab.orchestration.templates import HalfTemplates
from medkg_lab.orchestration.writer import Writer
from medkg_lab.topology.versions import from_json

logger = logging.getLogger(__name__)

VIEW = "recorder"
READ_EVENTS = 2000
"""Events in one reading at most; each is some 50 rows when a batch is full."""
GATHER_SECONDS = 0.1
"""Pause between readings: one transaction for many events is what keeps the recorder cheap."""
WAIT_SECONDS = 1.0
PAUSE_AFTER_ERROR = 2.0


class UnknownVersion(LabError):
    """The ledger has no definition of pipeline {name!r} in version {version}, so its runs cannot be shown. `medkg-lab ledger
    rebuild` brings definitions back from the log."""


class Recorder:
    """Reads events and writes runs; `step` does one reading, `run` goes on until told to stop."""

    def __init__(self, instance: DagsterInstance, folder: Path, client: LedgerClient) -> None:
        self._instance = instance
        self._client = client
        self._writer = Writer(folder)
        self._known: dict[tuple[str, str], Sequence[HalfTemplates]] = {}
        self._load()
        self.lag_seconds = 0.0
        self.error: str | None = None

    def _load(self) -> None:
        self.position = self._writer.position()
        self._live = Live(self._writer.memory())
        self._projection = Projection(self._live, self.halves, self._writer.has_run)

    def halves(self, name: str, version: str) -> Sequence[HalfTemplates]:
        """The templates of a pipeline in the version that the ledger keeps. Raises UnknownVersion."""
        if (name, version) not in self._known:
            found = self._client.definitions("topology", name=name, version=version)
            if not found:
                raise UnknownVersion(name=name, version=version)
            self._known[name, version] = templates.build(self._instance, from_json(found[0]["content"]))
        return self._known[name, version]

    def step(self, wait_s: float = WAIT_SECONDS) -> int:
        """Read once, waiting up to `wait_s` seconds for something new; the number of events written."""
        events: list[dict[str, Any]] = self._client.events(self.position, READ_EVENTS, wait_s)["events"]
        if not events:
            self.lag_seconds = 0.0
            return 0
        try:
            rows = self._projection.apply(events)
            self._writer.write(rows, self._live.changes(), events[-1]["seq"])
        except BaseException:
            self._load()
            raise
        self.position = events[-1]["seq"]
        self.lag_seconds = time.time() - events[0]["ts"]
        for run_id in rows.cancel:
            self._cancel(run_id)
        self._client.position(VIEW, self.position)
        return len(events)

    def _cancel(self, run_id: str) -> None:
        run = self._instance.get_run_by_id(run_id)
        if run is not None and not run.is_finished:
            self._instance.report_run_canceled(run, message="All its jobs were cancelled before an engine took them.")

    def run(self, stopping: Callable[[float], bool]) -> None:
        """Go on until `stopping(seconds)`, which waits that long, says so; a failure is logged and tried again."""
        linux.yield_to_others()
        while not stopping(0):
            try:
                self.step()
                self.error = None
                pause = GATHER_SECONDS
            except LabError as error:
                self.error, pause = str(error), PAUSE_AFTER_ERROR
                logger.warning("recording waits at event %d: %s", self.position, error)
            except Exception as error:
                # Boundary of the thread: the pages stay up, and the failure shows in the process's health.
                self.error, pause = str(error), PAUSE_AFTER_ERROR
                logger.exception("recording waits at event %d", self.position)
            stopping(pause)

    def start(self, stopping: Callable[[float], bool]) -> threading.Thread:
        """Run in a thread."""
        thread = threading.Thread(target=self.run, args=(stopping,), name="recorder", daemon=True)
        thread.start()
        return thread
