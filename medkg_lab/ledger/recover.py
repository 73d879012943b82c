"""Bringing a damaged ledger back: what is sound of it, the rest from the archive, snapshots and the topic of raw events."""

import contextlib
import itertools
import logging
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb
import orjson

from medkg_lab.files import replace_private, sync
from medkg_lab.ledger import bookmarks, files, log_source, positions, snapshots, views
from medkg_lab.ledger.archive import COLUMNS, Archive, quoted, relation
from medkg_lab.ledger.errors import NothingToRecover, RecoveryFailed
from medkg_lab.ledger.log_source import EventTopic
from medkg_lab.ledger.maintenance import EVENTS, FOLD, MANIFEST, SNAPSHOTS
from medkg_lab.ledger.migrations import migrate
from medkg_lab.ledger.opening import FOLDS, LEDGER, VIEWS, open_core
from medkg_lab.ledger.recovery import Range, Source, beyond, plan
from medkg_lab.ledger.store import lock


# What can still be read of a damaged event file. Nothing here changes a file that it is given.
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


log = logging.getLogger(__name__)

MARK = "ledger.duckdb.hwm"
POSITIONS = "positions.json"
_OWN = (LEDGER, f"{LEDGER}.wal", MARK)
_ISLANDS = """
SELECT min(seq), max(seq) FROM (SELECT seq, seq - row_number() OVER (ORDER BY seq) AS island
FROM (SELECT DISTINCT seq FROM {relation})) GROUP BY island ORDER BY 1
"""


@dataclass(slots=True)
class _Work:
    """A recovery on its way: a fresh ledger in a folder of its own, and what there is to fill it from."""

    folder: Path
    connection: duckdb.DuckDBPyConnection
    sources: list[Source] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SourcePart:
    """Events of one source, by the numbers of the first and the last."""

    source: str
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryReport:
    """What a recovery came to: `head` is the last event that is back, `promised` the last that was acknowledged.

    `lost` is the range of events that nothing has, None when all are back; `unusable` are events behind those. `kept` is the
    folder with the old files, None while nothing was `installed`.
    """

    installed: bool
    head: int
    promised: int
    lost: tuple[int, int] | None
    taken: tuple[SourcePart, ...]
    unusable: tuple[SourcePart, ...]
    problems: Mapping[str, str]
    kept: str | None


def recover(
    folder: Path, topic: EventTopic | None, snapshots: Sequence[Path] = (), accept_loss: bool = False
) -> RecoveryReport:
    """Put a sound ledger in the place of a damaged one, while no ledger runs on `folder`.

    Of `topic` only what the lab signed counts, up to the last event that was acknowledged. `snapshots` are looked through besides
    those in `folder`. The old files are kept beside it. When acknowledged events are missing nothing is changed unless
    `accept_loss`. Raises LedgerInUse,
    NothingToRecover, RecoveryFailed.
    """
    handle = lock(folder / LEDGER)
    part = folder / "recovery.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700)
    try:
        promised = _promised(folder / MARK)
        fresh = part / "ledger"
        fresh.mkdir()
        with duckdb.connect(str(fresh / LEDGER)) as connection:
            migrate(connection, LEDGER)
            work = _Work(fresh, connection)
            _gather(work, folder, part, [*sorted((folder / SNAPSHOTS).glob("*"), reverse=True), *snapshots])
            if topic is not None:
                _add_topic(work, part, topic, promised)
            report = _fill(work, folder, promised)
        _prove(fresh, folder, report.head)
        installed = report.lost is None or accept_loss
        kept = _install(fresh, folder, report.head) if installed else None
        return replace(report, installed=installed, kept=kept)
    finally:
        shutil.rmtree(part, ignore_errors=True)
        handle.close()


def _promised(path: Path) -> int:
    return int.from_bytes(path.read_bytes()[:8], "little") if path.exists() else 0


def _gather(work: _Work, folder: Path, part: Path, snapshots: Sequence[Path]) -> None:
    """Find what has events: first what is left of the ledger itself."""
    found = salvage(folder / LEDGER, part)
    if found is None:
        work.problems["ledger"] = "nothing of it can be read"
    else:
        copy, last = found
        work.connection.execute(f"ATTACH {quoted(copy)} AS sound (READ_ONLY)").fetchall()
        _add(work, "ledger", f"(SELECT * FROM sound.event WHERE seq <= {last})")
    _add_archive(work, "archive", Archive(folder / "archive"))
    for snapshot in snapshots:
        if (snapshot / MANIFEST).exists():
            _add_archive(work, f"snapshot {snapshot.name}", Archive(snapshot / EVENTS))
            _copy_reducer_state(snapshot, folder / FOLDS)
        else:
            work.problems[f"snapshot {snapshot.name}"] = "it is not a snapshot"


def _add_archive(work: _Work, name: str, archive: Archive) -> None:
    parts = archive.parts()
    sound = [each.path for each in parts if files.is_sound(each.path)]
    if len(sound) < len(parts):
        work.problems[name] = f"{len(parts) - len(sound)} of its {len(parts)} files are damaged"
    if read := relation(sound):
        _add(work, name, read)


def _add_topic(work: _Work, part: Path, topic: EventTopic, promised: int) -> None:
    remarks = log_source.stage(work.connection, part / "topic.duckdb", topic, promised)
    if remarks:
        work.problems["topic"] = "; ".join(remarks)
    _add(work, "topic", log_source.RELATION)


def _add(work: _Work, name: str, read: str) -> None:
    """Take a source in, unless it is of another ledger."""
    for other in work.sources:
        sql = f"SELECT count(*) FROM {read} mine JOIN {other.relation} theirs USING (seq) WHERE mine.id <> theirs.id"
        row = work.connection.execute(sql).fetchone()
        if row and row[0]:
            work.problems[name] = f"{row[0]} of its events are not those of {other.name}: it is of another ledger"
            return
    found: list[Range] = [(a, b) for a, b in work.connection.execute(_ISLANDS.format(relation=read)).fetchall()]
    work.sources.append(Source(name, read, tuple(found)))


def _fill(work: _Work, folder: Path, promised: int) -> RecoveryReport:
    """Write the events from all sources, in order, and say what came from where. Raises NothingToRecover."""
    taken = next((found for start in _starts(work, folder) if (found := plan(work.sources, start))), None)
    if taken is None:
        raise NothingToRecover(path=folder, problems=work.problems)
    for each in taken:
        sql = (
            f"SELECT {COLUMNS} FROM {each.source.relation} WHERE seq BETWEEN {each.first} AND {each.last} ORDER BY seq"
        )
        work.connection.execute(f"INSERT INTO event {sql}").fetchall()
    head = taken[-1].last
    last = max([promised, *(last for source in work.sources for _, last in source.ranges)])
    return RecoveryReport(
        installed=False,
        head=head,
        promised=promised,
        lost=None if head >= last else (head + 1, last),
        taken=tuple(SourcePart(each.source.name, each.first, each.last) for each in taken),
        unusable=tuple(SourcePart(each.source.name, each.first, each.last) for each in beyond(work.sources, head)),
        problems=work.problems,
        kept=None,
    )


def _starts(work: _Work, folder: Path) -> list[int]:
    """Where the ledger may begin: where it did if what was pruned is still there, at the first event, or behind a fold."""
    own = [first for source in work.sources if source.name == "ledger" for first, _ in source.ranges[:1]]
    reached = sorted((seq + 1 for seq in snapshots.found(folder / FOLDS)), reverse=True)
    archive = Archive(folder / "archive")
    return [*(first for first in own if archive.covers(1, first - 1) or first in reached), 1, *reached]


def _copy_reducer_state(snapshot: Path, target: Path) -> None:
    """Bring the fold of a snapshot to the ledger's own, where there is none as new."""
    fold = snapshot / FOLD
    seq = int(orjson.loads((snapshot / MANIFEST).read_bytes())["fold"])
    path = target / f"fold-{seq:012d}.duckdb"
    if fold.exists() and not path.exists():
        target.mkdir(mode=0o700, exist_ok=True)
        part = target / "fold.part"
        shutil.copyfile(fold, part)
        files.publish(part, path)


def _prove(fresh: Path, folder: Path, head: int) -> None:
    """Open the recovered ledger and fold it. Raises RecoveryFailed."""
    (fresh / MARK).write_bytes(head.to_bytes(8, "little"))
    Archive(fresh / "archive").adopt(Archive(folder / "archive"))
    (fresh / FOLDS).symlink_to(folder / FOLDS)
    try:
        core = open_core(fresh)
    except Exception as error:
        # Whatever it stumbles over: the old files stay as they are.
        raise RecoveryFailed(path=folder, detail=f"{type(error).__name__}: {error}") from error
    core.close()


def _install(fresh: Path, folder: Path, head: int) -> str:
    """Put the recovered files in place; where the old ones are kept."""
    kept = _new_folder(folder, f"damaged-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
    for name in _OWN:
        if (folder / name).exists():
            shutil.copyfile(folder / name, kept / name)
    # The intake reads the work queue again, which makes no job twice, and the outbox begins a new epoch.
    (folder / bookmarks.FILE).unlink(missing_ok=True)
    for name in (LEDGER, VIEWS):
        sync(fresh / name)
        views.remove(folder / name)
        (fresh / name).replace(folder / name)
    replace_private(folder / MARK, head.to_bytes(8, "little"))
    _cap_positions(folder / POSITIONS, head)
    sync(folder)
    return str(kept)


def _new_folder(parent: Path, name: str) -> Path:
    """A folder called `name`, or with a number behind it when there is one already."""
    for number in itertools.count(1):
        path = parent / (name if number == 1 else f"{name}-{number}")
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
            return path
    raise AssertionError("numbers do not end")


def _cap_positions(path: Path, head: int) -> None:
    """No reader may wait for events that will be others."""
    if path.exists():
        files.write_json(path, {view: min(seq, head) for view, seq in positions.load(path).items()})
