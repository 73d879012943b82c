"""Converting the PDFs that jobs wait for, one at a time, for as long as the process runs.

The ledger says which there are. It is asked when a message comes, and from time to time without one, so that no job waits for
ever because its message was lost or went to somebody else. One thread polls and another converts: a conversion may take longer
than the broker lets a silent member live.
"""

import logging
import threading
from collections.abc import Callable

from medkg_lab.errors import LabError, PartAway
from medkg_lab.ledger.errors import GateNotWaiting, IllegalTransition, UnknownJob
from medkg_lab.logs import fields
from medkg_lab.pdf.errors import ConversionStopped, MineruUnreachable
from medkg_lab.pdf.request_consumer import RequestConsumer
from medkg_lab.pdf.waiting import waiting_jobs
from medkg_lab.pdf.worker import Worker

log = logging.getLogger(__name__)

SWEEP_S = 10.0
"""Seconds after which the ledger is asked without a message."""
RETRY_INTERVAL_S = 1.0
"""Seconds to wait before a peer that did not answer is asked again."""
_LOOK_S = 0.2
_FAREWELL_S = 2.0
"""Seconds that ending may wait for a peer that does not answer; what it did not hear of is done after the next start."""

Stopping = Callable[[float], bool]


class Loop:
    """Polls in one thread and converts in another; the job that waits longest is served first."""

    def __init__(self, wakeups: RequestConsumer, worker: Worker, stopping: Stopping, sweep_s: float = SWEEP_S) -> None:
        self._wakeups = wakeups
        self._worker = worker
        self._stopping = stopping
        self._sweep_s = sweep_s
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._failure: BaseException | None = None

    def run(self) -> None:
        """Convert until `stopping(0)`, then close the consumer.

        Raises ConsumeFailed, and what a thread died of, which only a bug can be.
        """
        threads = [self._thread(self._convert_all, "convert"), self._thread(self._poll_all, "poll")]
        while not self._stopping(_LOOK_S) and all(thread.is_alive() for thread in threads):
            pass
        self._ending.set()
        self._wake.set()
        for thread in threads:
            thread.join(_FAREWELL_S)
        if self._failure is not None:
            raise self._failure

    def _thread(self, work: Callable[[], None], name: str) -> threading.Thread:
        def guarded() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - a thread that ends by a bug must end the process, not leave it idle
                self._failure = error

        thread = threading.Thread(target=guarded, name=name, daemon=True)
        thread.start()
        return thread

    def _ends(self, seconds: float = 0) -> bool:
        return self._ending.wait(seconds) if seconds else self._ending.is_set()

    def _poll_all(self) -> None:
        try:
            while not self._ends():
                self._wakeups.poll(self._wake.set)
        finally:
            self._wakeups.close()

    def _convert_all(self) -> None:
        while not self._ends():
            # Cleared before the ledger is asked: what comes from here on is asked for again.
            self._wake.clear()
            for job_id in self._waiting():
                if self._ends() or not self._finish(job_id):
                    return
            self._wake.wait(self._sweep_s)
            # However many messages come, the ledger is not asked all the time.
            self._ends(_LOOK_S)

    def _waiting(self) -> list[str]:
        try:
            return waiting_jobs(self._worker.ledger)
        except LabError as error:
            log.warning("the PDFs have to wait: %s", error, extra=fields(event="pdfs.wait"))
            self._ends(RETRY_INTERVAL_S)
            self._wake.set()
            return []

    def _finish(self, job_id: str) -> bool:
        """Convert until the ledger has acknowledged it; False when the process ends before that.

        What is away is waited for, since the other PDFs would find it away too. A job that fails in another way is left for the
        next look at the ledger, so that it holds up nobody.
        """
        while True:
            try:
                outcome = self._worker.handle(job_id, self._ends)
                log.info("job %s: %s", job_id, outcome, extra=fields(event="pdf.converted", job=job_id))
                return True
            except (GateNotWaiting, IllegalTransition, UnknownJob) as error:
                log.info(
                    "the job moved on without its PDF: %s", error, extra=fields(event="pdf.not_needed", job=job_id)
                )
                return True
            except ConversionStopped:
                return False
            except (PartAway, MineruUnreachable) as error:
                log.warning("the PDF of job %s waits: %s", job_id, error, extra=fields(event="pdf.waits", job=job_id))
                if self._ends(RETRY_INTERVAL_S):
                    return False
            except LabError as error:
                log.error(
                    "the PDF of job %s is tried again later: %s",
                    job_id,
                    error,
                    extra=fields(event="pdf.failed", job=job_id),
                )
                return True
