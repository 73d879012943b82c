"""The recorder: a reader of the ledger that keeps Dagster's run store as a view of it.

It runs in a thread of dagsterd. Its position stands in Dagster's own event log file, so the view can lag, crash, or be removed
with its files and recomputed.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from dagster import DagsterInstance

from medkg_lab import linux
from medkg_lab.errors import LabError
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.logs import fields
from medkg_lab.models.events import Event
from medkg_lab.orchestration import assets, templates
from medkg_lab.orchestration.live_runs import LiveRuns
from medkg_lab.orchestration.projection import Projection
from medkg_lab.orchestration.pruning import Pruner
from medkg_lab.orchestration.templates import PhaseTemplates
from medkg_lab.orchestration.writer import RunWriter
from medkg_lab.settings import DagsterSettings
from medkg_lab.topology.versions import from_json

logger = logging.getLogger(__name__)

VIEW = "recorder"
READ_EVENTS = 2000
"""Events in one reading at most; each is some 50 rows when a batch is full."""
LINGER_S = 0.1
"""Pause between readings: one transaction for many events is what keeps the recorder cheap."""
WAIT_S = 1.0
RETRY_AFTER_ERROR_S = 2.0
PRUNE_INTERVAL_S = 60.0
WINDOW_KEY = "assets"
"""Under which the recorder keeps what Dagster's asset pages have not been told yet."""
USUAL = DagsterSettings()


class UnknownVersion(LabError):
    """The ledger has no definition of pipeline {name!r} in version {version}, so its runs cannot be shown. `medkg-lab ledger
    rebuild` brings definitions back from the log."""


class Recorder:
    """Reads events and writes runs; `step` does one reading, `run` goes on until told to stop."""

    def __init__(
        self,
        instance: DagsterInstance,
        folder: Path,
        client: LedgerClient,
        keep: DagsterSettings = USUAL,
        now: Callable[[], float] = time.time,
        ages: Callable[[], float] | None = None,
    ) -> None:
        """`ages` is the clock that says what is too old to be kept, in place of `now`."""
        self._instance = instance
        self._now = now
        self._pruner = Pruner(folder, keep, self._in_use, lambda seq: client.low_water(VIEW, seq), ages or now)
        self._prune_at = now()
        self._client = client
        self._writer = RunWriter(folder)
        self._known: dict[tuple[str, str], Sequence[PhaseTemplates]] = {}
        self._load()
        self.lag_seconds = 0.0
        self.error: str | None = None

    def _load(self) -> None:
        self.position = self._writer.position()
        memory = dict(self._writer.memory())
        self._window = assets.from_json(memory.pop(WINDOW_KEY, None))
        self._live = LiveRuns(memory.items())
        self._projection = Projection(self._live, self.phase_templates, self._writer.has_run)

    def phase_templates(self, name: str, version: str) -> Sequence[PhaseTemplates]:
        """The templates of a pipeline in the version that the ledger keeps. Raises UnknownVersion."""
        if (name, version) not in self._known:
            found = self._client.definitions("topology", name=name, version=version)
            if not found:
                raise UnknownVersion(name=name, version=version)
            self._known[name, version] = templates.build(self._instance, from_json(found[0].content))
        return self._known[name, version]

    def step(self, wait_s: float = WAIT_S) -> int:
        """Read once, waiting up to `wait_s` seconds for something new; the number of events written."""
        events = self._client.events(self.position, READ_EVENTS, wait_s).events
        self._show_assets()
        self._prune()
        self._record(events)
        # Also when nothing is new: a ledger that was killed may have lost what it was told.
        self._client.position(VIEW, self.position)
        return len(events)

    def _record(self, events: Sequence[Event]) -> None:
        if not events:
            self.lag_seconds = 0.0
            return
        try:
            rows = self._projection.apply(events)
            self._window.add(events)
            memory = {**self._live.changes(), WINDOW_KEY: self._window.to_json()}
            self._writer.write(rows, memory, events[-1].seq)
        except BaseException:
            self._load()
            raise
        self.position = events[-1].seq
        self.lag_seconds = time.time() - events[0].ts
        for run_id in rows.cancel:
            self._cancel(run_id)

    def _show_assets(self) -> None:
        if self._window.is_over(self._now()):
            for materialization in self._window.materializations():
                self._instance.report_runless_asset_event(materialization)
            self._window = assets.MaterializationWindow()

    def _prune(self) -> None:
        """Once in a while, and then a few runs with each reading until there is nothing left to prune."""
        if self._now() >= self._prune_at and not self._pruner.prune():
            self._prune_at = self._now() + PRUNE_INTERVAL_S

    def _in_use(self, run_id: str) -> bool:
        return self._live.has_run(run_id)

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
                pause = LINGER_S
            except LabError as error:
                self.error, pause = str(error), RETRY_AFTER_ERROR_S
                logger.warning(
                    "recording waits at event %d: %s", self.position, error, extra=fields(event="recorder.waits")
                )
            except Exception as error:
                # Boundary of the thread: the pages stay up, and the failure shows in the process's health.
                self.error, pause = str(error), RETRY_AFTER_ERROR_S
                logger.exception("recording waits at event %d", self.position, extra=fields(event="recorder.waits"))
            stopping(pause)

    def start(self, stopping: Callable[[float], bool]) -> threading.Thread:
        """Run in a thread."""
        thread = threading.Thread(target=self.run, args=(stopping,), name="recorder", daemon=True)
        thread.start()
        return thread
