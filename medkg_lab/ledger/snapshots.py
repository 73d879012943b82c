"""Fold snapshots: copies of the view file, from which memory and views are brought back when the events before are gone."""

import re
from pathlib import Path

import duckdb

from medkg_lab.ledger import files
from medkg_lab.ledger.views import Views

KEPT = 2
_NAME = re.compile(r"fold-(\d{12})\.duckdb\Z")


def copy_views(views: Views, folder: Path) -> tuple[int, Path]:
    """Copy the views while they are in use; the number of the last event in them, and the copy. Raises duckdb.Error, OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = folder / "fold.part"
    for path in (part, part.with_name(part.name + ".wal")):
        path.unlink(missing_ok=True)
    seq = views.copy_to(part)
    with duckdb.connect(str(part)) as connection:
        connection.execute("CHECKPOINT").fetchall()
    path = folder / f"fold-{seq:012d}.duckdb"
    files.publish(part, path)
    for older in sorted(found(folder))[:-KEPT]:
        files.remove(found(folder)[older])
    return seq, path


def found(folder: Path) -> dict[int, Path]:
    """The fold snapshots by the number of their last event."""
    matches = ((_NAME.match(path.name), path) for path in folder.glob("fold-*.duckdb"))
    return {int(match[1]): path for match, path in matches if match}


def newest(folder: Path, at_least: int) -> Path | None:
    """The newest sound fold snapshot that reaches an event."""
    usable = sorted((seq, path) for seq, path in found(folder).items() if seq >= at_least)
    return next((path for _, path in reversed(usable) if files.is_sound(path)), None)
