"""Making the views again from the events, and comparing them with what they were."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from medkg_lab.ledger import files, views
from medkg_lab.ledger.answers import to_json
from medkg_lab.ledger.opening import LEDGER, VIEWS, LedgerFiles
from medkg_lab.ledger.store import EventStore
from medkg_lab.ledger.views import Digests
from medkg_lab.logs import fields

log = logging.getLogger(__name__)

WANTED = "rebuild.wanted"
REPORT = "rebuild.json"
FRESH = "views.rebuilt.duckdb"


def rebuild_if_wanted(folder: Path) -> None:
    """Make the views again if someone asked for it before this start, and leave a report. Raises Unstartable."""
    wanted = folder / WANTED
    if wanted.exists():
        files.write_json(folder / REPORT, to_json(rebuild(folder)))
        wanted.unlink()


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildReport:
    """How views were made again: from how many events, in how many seconds, the rows of each table, and which tables had other
    rows before; None when there was nothing to compare with."""

    head: int
    seconds: float
    tables: Mapping[str, int]
    differing: tuple[str, ...] | None


def rebuild(folder: Path) -> RebuildReport:
    """Fold all events into fresh views and put them in the place of the old ones, while no ledger runs on `folder`.

    Raises Unstartable.
    """
    began = time.monotonic()
    before = _before(folder)
    views.remove(folder / FRESH)
    opened = LedgerFiles.open(folder, FRESH)
    core = opened.core()
    after, head = opened.views.digests(), opened.store.head
    core.close()
    views.remove(folder / VIEWS)
    (folder / FRESH).replace(folder / VIEWS)
    differing = None if before is None else tuple(name for name in after if after[name] != before.get(name))
    for name in differing or ():
        log.warning("table %s has other rows than before", name, extra=fields(event="views.differ"))
    rows = {name: count for name, (count, _) in after.items()}
    seconds = round(time.monotonic() - began, 3)
    return RebuildReport(head=head, seconds=seconds, tables=rows, differing=differing)


def _before(folder: Path) -> Digests | None:
    """What the old views hold, once they have seen all events; None when they cannot be used."""
    if not (folder / VIEWS).exists():
        return None
    store = EventStore(folder / LEDGER)
    head = store.head
    store.close()
    return views.digests_at(folder / VIEWS, head)
