"""The engine's loop: claim, run, again; and how it ends within the seconds that a stop allows."""

import gc
import logging
import os
import threading
import time
from collections.abc import Callable
from functools import partial

from medkg_lab.engine.batch_prefetcher import BatchPrefetcher
from medkg_lab.engine.batch_run import BatchRun, EngineContext
from medkg_lab.engine.errors import BatchLost, BatchSurrendered
from medkg_lab.engine.handback import Handback
from medkg_lab.engine.ledger_listener import BACKLOG
from medkg_lab.errors import LabError, PartAway
from medkg_lab.ledger.answers import ClaimedBatch
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.ledger.errors import BatchNotOwned, DiskFull, EmissionLost
from medkg_lab.logs import fields
from medkg_lab.stages.contracts import Lane

logger = logging.getLogger(__name__)

LEAD_S = 0.015
"""How long before the predicted end of a batch the next is asked for: what the ledger needs to commit a claim."""
WAIT_S = 1.0
"""How long a claim waits for a job: the ledger answers at once when one comes."""
RETRY_INTERVAL_S = 1.0
DISK_RETRY_INTERVAL_S = 5.0
HURRY_S = 1.5
"""After a stop, a batch has this long to end by itself before it is given back at the next stage."""
STOP_TIMEOUT_S = 2.5
"""After a stop, a stage that still runs is left behind with its batch given back, before the supervisor kills the process."""
IDLE_STOP_TIMEOUT_S = 1.5
"""After a stop, a claim that the ledger does not answer is left behind."""


class Stop:
    """When the engine was asked to stop, if it was."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._since = 0.0

    def set(self) -> None:
        """Ask for it."""
        self._since = time.monotonic()
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Wait up to `seconds`; whether the engine was asked to stop."""
        return self._event.wait(seconds)

    def is_set(self) -> bool:
        """Whether the engine was asked to stop."""
        return self._event.is_set()

    def hurry(self) -> bool:
        """Whether a batch should be given back rather than ended."""
        return self._event.is_set() and time.monotonic() - self._since > HURRY_S


class Worker:
    """Claims batches of one lane and runs them, in the thread that calls `loop`."""

    def __init__(
        self, bench: EngineContext, name: str, lane: Lane, lease_seconds: float, stop: Stop, handback: Handback
    ) -> None:
        self._bench = bench
        self._handback = handback
        self._name = name
        self._lane = lane
        self._lease_seconds = lease_seconds
        self._stop = stop
        self._last_used: list[str] = []
        self._cold = True
        self._unsettled: list[str] = []
        self._loading: list[str] = []
        self._ahead = BatchPrefetcher(bench.ledger.surrender, lease_seconds / 2)
        self.broken: BaseException | None = None

    def loop(self) -> None:
        """Run batches until asked to stop; what ends the loop otherwise is in `broken`."""
        try:
            self._loop()
        except BaseException as error:  # noqa: BLE001 - end of the thread: the process ends with this error
            self.broken = error

    def _loop(self) -> None:
        # What is loaded by now stays: the collector need not look at it after every batch.
        gc.collect()
        gc.freeze()
        while not self._stop.is_set():
            try:
                self._handback.return_batches(self._bench.ledger)
                self._once()
            except PartAway as error:
                logger.warning("waiting for another process of the lab: %s", error, extra=fields(event="engine.waits"))
                self._stop.wait(RETRY_INTERVAL_S)
            except LabError as error:
                logger.error("%s", error, extra=fields(event="engine.refused"))
                self._stop.wait(RETRY_INTERVAL_S)
        if (batch := self._ahead.pop()) is not None:
            self._return(batch.batch_id)
        self._wait_for_acknowledgements()

    def _once(self) -> None:
        batch = self._ahead.pop()
        if batch is None and self._models_load():
            self._stop.wait(RETRY_INTERVAL_S)
            return
        if batch is None:
            batch = self._claim(0.0 if self._cold else WAIT_S, self._bench.definitions.refresh())
            self._wait_for_acknowledgements()
        if batch is None:
            self._cold = self._cold and self._bench.stage_factory.warm_up(self._bench.definitions.profile, self._lane)
            return
        self._bench.lease.begin(batch.batch_id)
        try:
            self._run(batch)
        finally:
            self._bench.lease.end()

    def _models_load(self) -> bool:
        """Whether servers that the lane's stages may need are loading: jobs stay queued, because taken now they would fail."""
        names = list(self._bench.loading()) if self._lane is Lane.COMPUTE else []
        if names and names != self._loading:
            logger.info(
                "jobs stay queued while these servers are loading: %s",
                ", ".join(names),
                extra=fields(event="servers.loading"),
            )
        self._loading = names
        return bool(names)

    def _claim(self, wait_seconds: float, stamps: dict[str, str]) -> ClaimedBatch | None:
        limit = self._bench.sizing.limit(self._last_used)
        lanes = [self._lane.value]
        return self._bench.ledger.claim(self._name, lanes, limit, self._lease_seconds, wait_seconds, stamps)

    def _prefetch(self, batch: ClaimedBatch, here: float, after: float) -> None:
        """Ask for the next batch shortly before this one ends, if that will be in the stage that begins now.

        `here` is how many seconds it is thought to take, `after` how many those after it.
        Only while there is a backlog, and never from a batch with a document that was in a lost one: should that one end this
        engine, whatever waits here would be lost with it.
        """
        jobs = batch.jobs
        if after > LEAD_S or len(jobs) < BACKLOG or any(job.execution > 1 for job in jobs):
            return
        if self._stop.is_set():
            return
        stamps = self._bench.definitions.refresh()
        self._ahead.start(max(0.0, here + after - LEAD_S), lambda: self._claim(0.0, stamps))

    def _run(self, batch: ClaimedBatch) -> None:
        batch_id = batch.batch_id
        try:
            run = BatchRun(self._bench, batch, partial(self._prefetch, batch))
            run.run()
            self._last_used = run.used
            self._unsettled.append(batch_id)
        except (BatchLost, BatchNotOwned) as error:
            logger.warning("batch %s was lost: %s", batch_id, error, extra=fields(event="batch.lost", batch=batch_id))
        except BatchSurrendered as error:
            logger.info("%s", error, extra=fields(event="batch.surrendered", batch=batch_id))
            self._stop.wait(RETRY_INTERVAL_S)
        except OSError as error:
            self._return_batch(batch_id, error)
        except (PartAway, EmissionLost, DiskFull) as error:
            logger.warning(
                "batch %s is given back as soon as that can be: %s",
                batch_id,
                error,
                extra=fields(event="batch.owed", batch=batch_id),
            )
            self._handback.owe(batch_id)
        except Exception:
            # The engine's own fault: the batch runs out and comes back in halves, so that a document that brings it about is
            # found and set aside instead of ending every engine that takes it.
            logger.exception("batch %s broke off", batch_id, extra=fields(event="batch.broken", batch=batch_id))

    def _wait_for_acknowledgements(self) -> None:
        """Wait until the ledger has all of the last batches. Called after a claim, so that the two take one commit."""
        while self._unsettled:
            batch_id = self._unsettled[0]
            try:
                self._bench.ledger.drain(batch_id)
            except BatchNotOwned as error:
                logger.warning(
                    "batch %s was lost at its end: %s",
                    batch_id,
                    error,
                    extra=fields(event="batch.lost", batch=batch_id),
                )
            except (EmissionLost, DiskFull) as error:
                logger.warning(
                    "batch %s is given back as soon as that can be: %s",
                    batch_id,
                    error,
                    extra=fields(event="batch.owed", batch=batch_id),
                )
                self._handback.owe(batch_id)
            except OSError as error:
                self._return_batch(batch_id, error)
            self._unsettled.remove(batch_id)

    def leave(self, ledger: LedgerClient) -> None:
        """Give back whatever the engine still holds, as it ends in the middle of it; what the ledger cannot be told of now is
        left to the next engine. From any thread."""
        current = self._bench.lease.batch
        for batch_id in [*self._unsettled, *([current] if current is not None else [])]:
            self._handback.owe(batch_id)
            logger.warning(
                "batch %s is given back in the middle of its work",
                batch_id,
                extra=fields(event="batch.returned", batch=batch_id),
            )
        try:
            self._handback.return_batches(ledger)
        except LabError as error:
            logger.warning(
                "what this engine holds is left for the next one to give back: %s",
                error,
                extra=fields(event="batches.left"),
            )

    def _return_batch(self, batch_id: str, error: OSError) -> None:
        """Outputs cannot be kept, as when the disk is full: nothing is wrong with the documents."""
        logger.error(
            "batch %s is given back, its outputs cannot be kept: %s",
            batch_id,
            error,
            extra=fields(event="batch.returned", batch=batch_id),
        )
        self._return(batch_id)
        self._stop.wait(DISK_RETRY_INTERVAL_S)

    def _return(self, batch_id: str) -> None:
        """Give a batch back, later if the ledger is away."""
        self._handback.owe(batch_id)
        try:
            self._handback.return_batches(self._bench.ledger)
        except (PartAway, DiskFull) as error:
            logger.warning(
                "batch %s is given back later: %s", batch_id, error, extra=fields(event="batch.owed", batch=batch_id)
            )


def stop_in_time(
    thread: threading.Thread, bench: EngineContext, worker: Worker, ledger: Callable[[], LedgerClient]
) -> None:
    """Wait for the loop to end; past the time that a stop allows, give its batch back and end the process."""
    thread.join(IDLE_STOP_TIMEOUT_S)
    if thread.is_alive() and bench.lease.batch is not None:
        thread.join(STOP_TIMEOUT_S - IDLE_STOP_TIMEOUT_S)
    if not thread.is_alive():
        return
    worker.leave(ledger())
    logging.shutdown()
    os._exit(0)
