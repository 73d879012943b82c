"""Asking for the next batch shortly before this one ends, so that the stages need not wait for the ledger's disk in between."""

import logging
import threading
from collections.abc import Callable

from medkg_lab.errors import LabError
from medkg_lab.ledger.answers import ClaimedBatch
from medkg_lab.logs import fields

logger = logging.getLogger(__name__)


class BatchPrefetcher:
    """At most one question at a time, asked in a thread of its own.

    A batch that nobody takes within `keep_seconds` is handed to `give_back`: the stage before it takes longer than was thought,
    and nothing renews the lease of a batch that only waits.
    """

    def __init__(self, give_back: Callable[[str], object], keep_seconds: float) -> None:
        self._give_back = give_back
        self._keep_seconds = keep_seconds
        self._changed = threading.Condition()
        self._wanted: object | None = None
        self._asking = False
        self._batch: ClaimedBatch | None = None

    def start(self, delay: float, ask: Callable[[], ClaimedBatch | None]) -> None:
        """Call `ask` in `delay` seconds, unless `pop` comes first."""
        with self._changed:
            if self._wanted is not None:
                return
            self._wanted = question = object()
        threading.Thread(target=self._run, args=(question, delay, ask), name="ahead", daemon=True).start()

    def pop(self) -> ClaimedBatch | None:
        """The batch, if one was asked for and there was one; a question that is on its way is waited for."""
        with self._changed:
            self._wanted = None
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._asking)
            batch, self._batch = self._batch, None
            return batch

    def _run(self, question: object, delay: float, ask: Callable[[], ClaimedBatch | None]) -> None:
        with self._changed:
            if self._changed.wait_for(lambda: self._wanted is not question, delay):
                return
            self._asking = True
        batch = None
        try:
            batch = ask()
        except LabError as error:
            logger.warning("the next batch could not be asked for: %s", error, extra=fields(event="claim.failed"))
        finally:
            with self._changed:
                self._batch, self._asking = batch, False
                self._changed.notify_all()
        if batch is not None and not self._taken_in_time(batch):
            self._return(batch.batch_id)

    def _taken_in_time(self, batch: ClaimedBatch) -> bool:
        with self._changed:
            taken = self._changed.wait_for(lambda: self._batch is not batch, self._keep_seconds)
            if not taken:
                self._batch = None
            return taken

    def _return(self, batch_id: str) -> None:
        logger.info(
            "batch %s waits for too long and is given back",
            batch_id,
            extra=fields(event="batch.returned", batch=batch_id),
        )
        try:
            self._give_back(batch_id)
        except LabError as error:
            logger.warning(
                "batch %s could not be given back: %s",
                batch_id,
                error,
                extra=fields(event="batch.owed", batch=batch_id),
            )
