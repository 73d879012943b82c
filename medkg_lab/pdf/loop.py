"""Taking PDF requests from the topic, one at a time, while staying a member of the consumer group.

A conversion may take longer than the broker lets a silent member live, so one thread polls and another converts. An offset is
committed only when every request before it in its partition has been acknowledged by the ledger.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable

from medkg_lab.broker.client import Consumer, Record
from medkg_lab.broker.errors import CommitFailed
from medkg_lab.errors import LabError
from medkg_lab.ledger.errors import GateNotWaiting, IllegalTransition, UnknownJob
from medkg_lab.pdf.errors import ConversionStopped, NotAPdfRequest
from medkg_lab.pdf.requests import parse
from medkg_lab.pdf.worker import Worker

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.2
_AHEAD = 32
"""Requests held at most before polling slows down."""
_SIGN_OF_LIFE = 5.0
"""Seconds between polls while enough requests are held: the broker must see that the member lives."""
PAUSE = 1.0
"""Seconds to wait before a peer that did not answer is asked again."""

_FAREWELL = 2.0
"""Seconds that ending may wait for a peer that does not answer; a request that it did not hear of comes again."""

Stopping = Callable[[float], bool]


class Loop:
    """Polls in one thread and converts in another; requests are done in the order in which they came."""

    def __init__(self, consumer: Consumer, worker: Worker, stopping: Stopping) -> None:
        self._consumer = consumer
        self._worker = worker
        self._stopping = stopping
        self._todo: queue.SimpleQueue[Record | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Record] = queue.SimpleQueue()
        self._polled = 0.0
        self._ending = threading.Event()
        self._converted = threading.Event()
        self._failure: BaseException | None = None

    def run(self) -> None:
        """Take requests until `stopping(0)`, then close the consumer.

        Raises ConsumeFailed, and what a thread died of, which only a bug can be.
        """
        convert = self._thread(self._convert_all, "convert")
        poll = self._thread(self._poll_all, "poll")
        while not self._stopping(_POLL_SECONDS) and convert.is_alive() and poll.is_alive():
            pass
        self._ending.set()
        self._todo.put(None)
        for thread in (convert, poll):
            thread.join(_FAREWELL)
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
                self._poll()
                self._commit()
            self._converted.wait()
            self._commit()
        finally:
            self._consumer.close()

    def _poll(self) -> None:
        room = _AHEAD - self._todo.qsize()
        if room <= 0 and time.monotonic() - self._polled < _SIGN_OF_LIFE:
            self._ends(_POLL_SECONDS)
            return
        for record in self._consumer.poll(_POLL_SECONDS, max(1, room)):
            self._todo.put(record)
        self._polled = time.monotonic()

    def _commit(self) -> None:
        finished: list[Record] = []
        while not self._done.empty():
            finished.append(self._done.get())
        try:
            self._consumer.commit(finished)
        except CommitFailed as error:
            # The requests come again and end at once, because the ledger says that their jobs no longer wait.
            log.warning("%s", error)

    def _convert_all(self) -> None:
        try:
            while (record := self._todo.get()) is not None and not self._ends() and self._finish(record):
                self._done.put(record)
        finally:
            self._converted.set()

    def _finish(self, record: Record) -> bool:
        """Do the request until the ledger has acknowledged it; False when the process ends before that."""
        while True:
            try:
                request = parse(record.value or b"")
                outcome = self._worker.handle(request, self._ends)
                log.info("job %s: %s", request.job_id, outcome)
                return True
            except NotAPdfRequest as error:
                log.warning("%s/%s@%s: %s", record.topic, record.partition, record.offset, error)
                return True
            except (GateNotWaiting, IllegalTransition, UnknownJob) as error:
                log.info("the job moved on without its PDF: %s", error)
                return True
            except ConversionStopped:
                return False
            except LabError as error:
                log.warning("the request waits: %s", error)
                if self._ends(PAUSE):
                    return False
