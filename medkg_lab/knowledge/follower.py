"""Following the ledger: reading its events in order and handing their effects to the store."""

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from medkg_lab import rpc
from medkg_lab.knowledge.effects import Effect, effects
from medkg_lab.knowledge.errors import LedgerRewound
from medkg_lab.ledger.client import EventPage
from medkg_lab.logs import fields

_LOG = logging.getLogger(__name__)
VIEW = "knowledge"
_PAGE = 1000
_WAIT_S = 0.5
_RETRY_INTERVAL_S = 0.25
_LINGER_S = 0.05
"""After a page, so long is waited for more: under load one page then stands for several commits."""
_SAVE_EVERY = 500
"""Events without an effect are not worth a write each: the position is saved with effects, and after this many events."""


class EventSource(Protocol):
    """What is needed of the ledger's client."""

    def events(self, after: int, limit: int, wait_s: float) -> EventPage: ...

    def position(self, view: str, seq: int) -> Any: ...


class Follower:
    """Reads events after `position`; `apply` gets their effects and the sequence number they reach up to.

    `reached` is told how far the store has come. Neither is called again before it returned.
    """

    def __init__(
        self,
        source: EventSource,
        position: int,
        apply: Callable[[Sequence[Effect], int], None],
        reached: Callable[[int], None],
        folder: Path,
    ) -> None:
        self.position = position
        self.state = "starting"
        self._saved = position
        self._source = source
        self._apply = apply
        self._reached = reached
        self._folder = folder
        self._stop = threading.Event()

    def run(self) -> None:
        """Follow until `stop`. Raises LedgerRewound, and whatever `apply` raises."""
        while not self._stop.is_set():
            try:
                self._step()
                self.state = "following"
            except (rpc.PeerUnreachable, rpc.RemoteFailure) as error:
                if self.state != "waiting for the ledger":
                    _LOG.info("waiting for the ledger: %s", error, extra=fields(event="follower.waits"))
                self.state = "waiting for the ledger"
                self._stop.wait(_RETRY_INTERVAL_S)
        if self.position > self._saved:
            self._apply([], self.position)

    def stop(self) -> None:
        """Let `run` end after the page it is at."""
        self._stop.set()

    def _step(self) -> None:
        page = self._source.events(after=self.position, limit=_PAGE, wait_s=_WAIT_S)
        if page.head < self.position:
            raise LedgerRewound(head=page.head, position=self.position, path=self._folder)
        if page.events:
            self._apply_page(effects(page.events), page.events[-1].seq)
        # Also when nothing is new: a ledger that was killed may have lost what it was told.
        self._source.position(VIEW, self._saved)
        if page.events:
            self._stop.wait(_LINGER_S)

    def _apply_page(self, found: Sequence[Effect], seq: int) -> None:
        if found or seq - self._saved >= _SAVE_EVERY:
            self._apply(found, seq)
            self._saved = seq
        self.position = seq
        self._reached(seq)
