"""Following the log: a view is given the events behind its place, in order, and each of them once."""

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from medkg_lab import linux
from medkg_lab.errors import LabError
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.ledger.errors import EventsPruned
from medkg_lab.ledger.view_file import Place
from medkg_lab.logs import fields
from medkg_lab.models.events import Event

log = logging.getLogger(__name__)

PAGE = 1000
WAIT_S = 0.5
LINGER_S = 0.1
"""Seconds between two readings: under load one then stands for several commits."""
RETRY_INTERVAL_S = 1.0


class LogView(Protocol):
    """What is made of the log's events, with the place up to which it has been made."""

    @property
    def place(self) -> Place:
        """The last event that was taken in."""

    def apply(self, events: Sequence[Event]) -> None:
        """Take `events` in, all or none, and move the place behind them."""

    def begin_again(self, seq: int) -> None:
        """Forget everything and stand behind event `seq`."""

    def skip(self, seq: int) -> None:
        """Keep everything and stand behind event `seq`."""


def follow(ledger: LedgerClient, name: str, view: LogView, stopping: Callable[[float], bool]) -> None:
    """Feed `view` until `stopping(0)`; `stopping(seconds)` waits that long unless the end comes first.

    The ledger is told under `name` how far the view is.
    """
    linux.yield_to_others()
    resumed = False
    while not stopping(0):
        try:
            if not resumed:
                resume(ledger, name, view)
                resumed = True
            page = ledger.events(view.place.seq, PAGE, WAIT_S)
            if page.events:
                view.apply(page.events)
            # Also when nothing is new: a ledger that was killed may have lost what it was told.
            ledger.position(name, view.place.seq)
            resumed = page.head >= view.place.seq
            if page.events:
                stopping(LINGER_S)
        except LabError as error:
            log.warning("%s waits: %s", name, error, extra=fields(event=f"{name}.waits"))
            resumed = False
            stopping(RETRY_INTERVAL_S)


def resume(ledger: LedgerClient, name: str, view: LogView) -> None:
    """See that `view` belongs to this log, and let it begin again where it does not."""
    low, place = ledger.low_waters().get("ledger", 0), view.place
    if not _is_of(ledger, place):
        log.warning(
            "the ledger was restored or recovered: %s begins again", name, extra=fields(event=f"{name}.restarted")
        )
        view.begin_again(low)
    elif place.seq < low:
        if place.seq:
            log.error(
                "events %d to %d were removed before %s had read them",
                place.seq + 1,
                low,
                name,
                extra=fields(event=f"{name}.gap"),
            )
        view.skip(low)


def _is_of(ledger: LedgerClient, place: Place) -> bool:
    """Whether the event at `place` is the one that the log has there, as far as that can be seen."""
    if place.seq > ledger.counts().head:
        return False
    if not place.id:
        return True
    try:
        return [event.id for event in ledger.events(place.seq - 1, 1).events] == [place.id]
    except EventsPruned:
        return True
