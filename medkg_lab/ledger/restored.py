"""A ledger made of a snapshot's events up to one of them, in a folder where none is yet."""

from pathlib import Path

import duckdb

from medkg_lab.errors import LabError
from medkg_lab.files import sync
from medkg_lab.ledger import files
from medkg_lab.ledger.archive import COLUMNS, Archive, relation
from medkg_lab.ledger.maintenance import EVENTS, FOLD
from medkg_lab.ledger.migrations import MIGRATIONS, migrate
from medkg_lab.ledger.opening import LEDGER, open_core

FORMAT = len(MIGRATIONS)
"""The version of the event file that this program writes."""
_MARK = "ledger.duckdb.hwm"


class SnapshotIncomplete(LabError):
    """The snapshot {path} cannot be used: {detail}. Bring back the ledger's archive, or use another backup."""


def trim(snapshot: Path, head: int) -> None:
    """Remove from `snapshot` what a ledger that ends at event `head` is not made of. Raises SnapshotIncomplete."""
    _check(snapshot, head)
    files.remove(snapshot / FOLD)


def build(folder: Path, snapshot: Path, head: int) -> None:
    """Make a ledger in `folder` of the events of `snapshot` up to `head`, and fold it to prove it.

    Raises SnapshotIncomplete and Unstartable; `folder` must be empty.
    """
    paths = _check(snapshot, head)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with duckdb.connect(str(folder / LEDGER)) as connection:
        migrate(connection, LEDGER)
        if head:
            sql = f"INSERT INTO event SELECT {COLUMNS} FROM {relation(paths)} WHERE seq <= {head} ORDER BY seq"
            connection.execute(sql).fetchall()
        connection.execute("CHECKPOINT").fetchall()
    (folder / _MARK).write_bytes(head.to_bytes(8, "little"))
    core = open_core(folder)
    core.close()
    for path in folder.iterdir():
        if path.is_file():
            sync(path)


def _check(snapshot: Path, head: int) -> list[Path]:
    """The files with the events from the first to `head`, each as it was written."""
    archive = Archive(snapshot / EVENTS)
    if head and not archive.covers(1, head):
        raise SnapshotIncomplete(path=snapshot, detail=f"it does not have all events from 1 to {head}")
    damaged = [part.path.name for part in archive.parts() if not files.is_sound(part.path)]
    if damaged:
        raise SnapshotIncomplete(path=snapshot, detail=f"{', '.join(damaged)} is damaged")
    return [part.path for part in archive.parts()]
