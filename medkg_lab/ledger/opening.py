"""The ledger's files in a folder, opened and made to agree: events and views in DuckDB, and the folds to begin at."""

import logging
from pathlib import Path
from typing import Self

from medkg_lab.ledger import snapshots
from medkg_lab.ledger.core import KEPT_FINISHED, Core
from medkg_lab.ledger.errors import LedgerPruned
from medkg_lab.ledger.store import EventStore
from medkg_lab.ledger.views import Views
from medkg_lab.logs import fields

log = logging.getLogger(__name__)

LEDGER = "ledger.duckdb"
VIEWS = "views.duckdb"
FOLDS = "folds"


class LedgerFiles:
    """The files of one ledger, open: `store` has the events, `views` what follows from them."""

    def __init__(self, folder: Path, store: EventStore, views: Views) -> None:
        self.folder = folder
        self.store = store
        self.views = views

    @classmethod
    def open(cls, folder: Path, views: str = VIEWS) -> Self:
        """Open or create the ledger in `folder`. Raises Unstartable."""
        store = EventStore(folder / LEDGER)
        found = cls(folder, store, Views(folder / views, store.archive.folder))
        if not store.reaches(min(found.views.seq, store.head)):
            found._begin_at_fold()
        return found

    def _begin_at_fold(self) -> None:
        """Take the views from a fold snapshot, because the events that they were made from are gone. Raises LedgerPruned."""
        fold = snapshots.newest(self.folder / FOLDS, self.store.low)
        if fold is not None:
            log.warning("the views are taken from %s", fold, extra=fields(event="views.restored"))
            self.views.replace(fold)
        if not self.store.reaches(self.views.seq):
            raise LedgerPruned(low=self.store.low, path=self.folder)

    def core(self, kept_finished: int = KEPT_FINISHED) -> Core:
        """The ledger over these files, which it closes with itself."""
        return Core(self.store, self.views, self.folder, kept_finished)


def open_core(folder: Path, kept_finished: int = KEPT_FINISHED) -> Core:
    """Open or create the ledger in `folder` and bring its memory back. Raises Unstartable."""
    return LedgerFiles.open(folder).core(kept_finished)
