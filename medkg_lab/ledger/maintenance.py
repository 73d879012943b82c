"""The ops that look after the ledger's files: snapshots, pruning, low-water marks, and making the views again."""

import asyncio
import logging
import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import duckdb

from medkg_lab import rpc
from medkg_lab.files import sync
from medkg_lab.ledger import files, snapshots
from medkg_lab.ledger.answers import KEPT_EVENTS, ArchiveDropped, EventsFile, PruneReport, SnapshotMade, to_json
from medkg_lab.ledger.archive import Archive
from medkg_lab.ledger.commands.command import Args
from medkg_lab.ledger.errors import SnapshotFailed
from medkg_lab.ledger.opening import FOLDS, LedgerFiles
from medkg_lab.ledger.positions import Positions
from medkg_lab.ledger.rebuild import WANTED
from medkg_lab.ledger.writer_bridge import WriterBridge
from medkg_lab.logs import fields

log = logging.getLogger(__name__)
T = TypeVar("T")

EVENTS = "events"
FOLD = "fold.duckdb"
MANIFEST = "manifest.json"
SNAPSHOTS = "snapshots"
OWN_MARK = "ledger"


class Maintenance:
    """Looks after the files of one ledger, one thing at a time, beside the writer."""

    def __init__(self, opened: LedgerFiles, bridge: WriterBridge, positions: Positions) -> None:
        self._files = opened
        self._bridge = bridge
        self._positions = positions
        self._reader = opened.store.reader()
        self._thread = ThreadPoolExecutor(1, "keeping")

    def close(self) -> None:
        """Wait for what is being done."""
        self._thread.shutdown(cancel_futures=True)

    def handlers(self) -> Mapping[str, rpc.Handler]:
        """The ops by name."""
        return {
            "snapshot": self.snapshot,
            "prune": self.prune,
            "drop_archive": self.drop_archive,
            "low_water": self.low_water,
            "low_waters": self.low_waters,
            "rebuild": self.rebuild,
        }

    async def _do(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def snapshot(self, args: rpc.Arguments) -> SnapshotMade:
        """A consistent copy of all events and of the views, in a folder of its own, while everything goes on."""
        wanted = Args("snapshot", args).maybe_text("path")
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        name = f"{stamp}-{self._bridge.commit_status.head:012d}"
        path = Path(wanted) if wanted else self._files.folder / SNAPSHOTS / name
        if not path.is_absolute() or path.exists():
            raise SnapshotFailed(path=path, detail="it must be an absolute path where nothing is yet")
        await self._bridge.do()
        return await self._do(lambda: self._snapshot(path))

    def _snapshot(self, path: Path) -> SnapshotMade:
        part = path.with_name(path.name + ".part")
        try:
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(mode=0o700, parents=True)
            seq, fold = snapshots.copy_views(self._files.views, self._files.folder / FOLDS)
            shutil.copyfile(fold, part / FOLD)
            shutil.copyfile(files.checksum_file(fold), files.checksum_file(part / FOLD))
            events = Archive(part / EVENTS)
            events.adopt(self._files.store.archive)
            head = self._reader.export(events)
            parts = tuple(
                EventsFile(file=f"{EVENTS}/{each.path.name}", first=each.first, last=each.last)
                for each in events.parts()
            )
            made = SnapshotMade(path=str(path), made_at=time.time(), head=head, fold=seq, events=parts)
            manifest = {name: value for name, value in to_json(made).items() if name != "path"}
            files.write_json(part / MANIFEST, manifest)
            sync(part)
            part.rename(path)
            sync(path.parent)
        except (OSError, duckdb.Error) as error:
            shutil.rmtree(part, ignore_errors=True)
            raise SnapshotFailed(path=path, detail=str(error).splitlines()[0]) from error
        return made

    async def prune(self, args: rpc.Arguments) -> PruneReport:
        """Move events that every view has seen to the archive, behind a fold snapshot; the newest `keep` stay."""
        keep = int(Args("prune", {"keep": KEPT_EVENTS, **args}).number("keep", 1, 2**62))
        await self._bridge.do()
        head, low = self._bridge.commit_status.head, self._files.store.low
        views = {**self._positions.readers(), "tables": self._bridge.commit_status.projected}
        upto = min(head - keep, *views.values())
        if upto <= low:
            return PruneReport(pruned=0, low=low, head=head, views=views, fold=None)
        fold = await self._do(lambda: self._archive(low, upto))
        await self._bridge.do(read_state=lambda _: self._files.store.prune(upto))
        now = self._files.store.low
        log.info("events up to %d were pruned", now, extra=fields(event="events.pruned"))
        return PruneReport(pruned=now - low, low=now, head=head, views=views, fold=fold)

    def _archive(self, low: int, upto: int) -> str:
        _, fold = snapshots.copy_views(self._files.views, self._files.folder / FOLDS)
        first = max(low, self._files.store.archive.last) + 1
        if first <= upto:
            self._reader.archive(first, upto)
        return str(fold)

    async def drop_archive(self, args: rpc.Arguments) -> ArchiveDropped:
        """Remove archived events up to a number for ever, behind a fold snapshot: the views can be made without them."""
        upto = min(int(Args("drop_archive", args).number("upto", 0, 2**62)), self._files.store.low)
        return ArchiveDropped(files=await self._do(lambda: self._drop(upto)), low=self._files.store.forgotten)

    def _drop(self, upto: int) -> int:
        archive, folds = self._files.store.archive, self._files.folder / FOLDS
        if not any(part.last <= upto for part in archive.parts()):
            return 0
        if snapshots.newest(folds, self._files.store.low) is None:
            snapshots.copy_views(self._files.views, folds)
        count = archive.drop(upto)
        log.info("archived events up to %d were removed", upto, extra=fields(event="archive.dropped"))
        return count

    async def low_water(self, args: rpc.Arguments) -> None:
        """A view tells up to which event it has forgotten."""
        read = Args("low_water", args)
        self._positions.forget(read.text("view"), int(read.number("seq", 0, 2**62)))

    async def low_waters(self, args: rpc.Arguments) -> dict[str, int]:
        """Up to which event each view has forgotten, and the ledger itself: 0 as long as its archive has all."""
        return {**self._positions.forgotten(), OWN_MARK: self._files.store.forgotten}

    async def rebuild(self, args: rpc.Arguments) -> None:
        """End, so that the next start drops the views and makes them again from the events."""
        (self._files.folder / WANTED).touch()
        log.info("the views will be made again: restarting", extra=fields(event="views.discarded"))
        asyncio.get_running_loop().call_later(0.1, self._bridge.stop)
