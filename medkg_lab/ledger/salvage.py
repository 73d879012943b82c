"""What can still be read of a damaged event file. Nothing here changes a file that it is given."""

import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb

from medkg_lab.ledger.archive import COLUMNS


def salvage(path: Path, work: Path) -> tuple[Path, int] | None:
    """A copy in `work` that opens, with the longest part of the write-ahead log that does, and the last event that can be read.

    None when nothing opens.
    """
    if not path.is_file():
        return None
    copy = work / "sound.duckdb"
    shutil.copyfile(path, copy)
    log = path.with_name(path.name + ".wal")
    written = log.read_bytes() if log.is_file() else b""
    log_copy = copy.with_name(copy.name + ".wal")

    def opens(cut: int) -> bool:
        log_copy.unlink(missing_ok=True)
        if cut:
            log_copy.write_bytes(written[:cut])
        return _reads(copy, "SELECT count(seq) FROM event")

    cut = _largest(len(written), opens)
    if cut is None:
        return None
    opens(cut)
    with duckdb.connect(str(copy), read_only=True) as connection:
        row = connection.execute("SELECT coalesce(max(seq), 0) FROM event").fetchone()
    checked = f"SELECT bit_xor(hash({COLUMNS})) FROM event WHERE seq <="
    last = _largest(int(row[0]) if row else 0, lambda seq: _reads(copy, f"{checked} {seq}"))
    return (copy, last) if last else None


def _largest(most: int, good: Callable[[int], bool]) -> int | None:
    """The largest number up to `most` that is good, if those up to it are good and those beyond are not; None if 0 is not."""
    if good(most):
        return most
    if not good(0):
        return None
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if good(middle) else (low, middle)
    return low


def _reads(path: Path, sql: str) -> bool:
    """Whether a query succeeds; each in a connection of its own, because damage that is met ends one."""
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            connection.execute(sql).fetchall()
    except (duckdb.Error, RuntimeError):
        return False
    return True
