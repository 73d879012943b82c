"""Keeping a batch: a thread that renews its lease while a stage has not passed its deadline, and ends the engine once it has."""

import logging
import threading
import time
from collections.abc import Callable

from medkg_lab.errors import LabError
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.logs import fields

logger = logging.getLogger(__name__)

BEATS_PER_LEASE = 3
MARGIN_S = 2.0
"""Seconds that the ledger waits beyond a deadline, so that the engine can say by which document it was missed."""


class Lease:
    """The lease of the batch that the engine works on, one at a time.

    `lost` says that the batch is another's now; `cancelled` are its jobs that were cancelled. A stage that runs beyond
    `stage_seconds` no longer renews the lease: the ledger takes the batch back and counts that as a loss. Nothing can stop such a
    stage but the end of its process, so `overdue` is called with the batch and the job that the stage was at, where it takes them
    one by one: each of them has the whole deadline.
    """

    def __init__(
        self,
        ledger: LedgerClient,
        lease_seconds: float,
        stage_seconds: float,
        overdue: Callable[[str, str | None], None],
    ) -> None:
        self._ledger = ledger
        self._pause = lease_seconds / BEATS_PER_LEASE
        self._stage_seconds = stage_seconds
        self._overdue = overdue
        self._changed = threading.Condition()
        self._batch: str | None = None
        self._deadline: float | None = None
        self._job: str | None = None
        self._closed = False
        self.lost = False
        self.cancelled: frozenset[str] = frozenset()
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)
        self._thread.start()

    def begin(self, batch_id: str) -> None:
        """Renew this batch's lease from now on."""
        with self._changed:
            self._batch, self._job, self.lost, self.cancelled = batch_id, None, False, frozenset()
            self._deadline = time.monotonic() + self._stage_seconds
            self._changed.notify()

    def waiting(self) -> None:
        """The batch waits for its turn, which has no deadline."""
        with self._changed:
            self._deadline = None

    def stage(self, job_id: str | None = None) -> None:
        """A stage starts, for all jobs or this one: its deadline counts from now."""
        with self._changed:
            self._job = job_id
            self._deadline = time.monotonic() + self._stage_seconds

    def end(self) -> None:
        """The batch is done with."""
        with self._changed:
            self._batch = None
            self._changed.notify()

    @property
    def batch(self) -> str | None:
        """The batch that is held now."""
        return self._batch

    def close(self) -> None:
        """Stop the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(timeout=1)

    def _beat(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._batch is not None)
                batch, left = self._batch, self._left()
            if self._closed or batch is None:
                return
            if self._ended_within(batch, self._pause if left is None else min(self._pause, max(left, 0.0))):
                continue
            left = self._left()
            if left is None or left > 0:
                self._renew(batch, left)
            else:
                self._overdue(batch, self._job)

    def _left(self) -> float | None:
        """Seconds until the deadline, if there is one."""
        deadline = self._deadline
        return None if deadline is None else deadline - time.monotonic()

    def _ended_within(self, batch: str, seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._closed or self._batch != batch, seconds)

    def _renew(self, batch: str, left: float | None) -> None:
        try:
            answer = self._ledger.heartbeat(batch, None if left is None else left + MARGIN_S)
        except LabError as error:
            logger.warning(
                "the lease of batch %s could not be renewed: %s",
                batch,
                error,
                extra=fields(event="lease.unrenewed", batch=batch),
            )
            return
        with self._changed:
            if self._batch == batch:
                self.lost = not answer.owned
                self.cancelled = frozenset(answer.cancelled)
