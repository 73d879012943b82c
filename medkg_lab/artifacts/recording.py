"""Where exchanges with the outside are kept: packs of their own, bounded by size and age, the oldest gone first."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from medkg_lab.artifacts.store import ArtifactStore
from medkg_lab.clocks import SteadyClock
from medkg_lab.settings import RecordingSettings

FOLDER = "exchanges"
_MIB = 1024 * 1024
_LARGEST_PACK = 16 * _MIB
_PACKS = 8
"""Into how many packs the allowed size is divided at least: what goes at once is a pack."""
_DAY_S = 86_400.0


@dataclass(frozen=True)
class Pack:
    """A pack as pruning sees it; `changed` is in seconds since the epoch, `current` says that somebody may write to it."""

    path: Path
    size: int
    changed: float
    current: bool


def doomed(packs: Iterable[Pack], most: int, oldest: float) -> list[Path]:
    """The packs to remove: those not changed since `oldest`, and the oldest of the others until `most` bytes are left. Pure."""
    by_age = sorted(packs, key=lambda pack: (pack.changed, pack.path.name))
    left = sum(pack.size for pack in by_age)
    gone = []
    for pack in by_age:
        if not pack.current and (pack.changed < oldest or left > most):
            gone.append(pack.path)
            left -= pack.size
    return gone


class Recording:
    """The exchanges of one process, which is named by `writer`; safe to share between threads."""

    def __init__(
        self, root: Path, writer: str, limits: RecordingSettings, now: Callable[[], float] | None = None
    ) -> None:
        self._most = limits.max_mib * _MIB
        self._age = limits.max_days * _DAY_S
        self._pack_bytes = min(_LARGEST_PACK, self._most // _PACKS)
        self._packs = root / FOLDER / "packs"
        self._now = now or SteadyClock(max((path.stat().st_mtime for path in self._packs.glob("*.pack")), default=None))
        self._writer = writer
        self._written = 0
        self.prune(opening=True)
        self._store = ArtifactStore(root / FOLDER, writer, self._pack_bytes)

    def store(self, data: bytes) -> str:
        """Keep `data` until `commit` makes it durable; its sha256."""
        self._written += len(data)
        return self._store.stage(data)

    def commit(self) -> None:
        """Make durable what was kept, and make room when a pack's worth was written."""
        self._store.commit()
        if self._written >= self._pack_bytes:
            self._written = 0
            self.prune()
            self._store.forget_missing()

    def close(self) -> None:
        """Make durable what was kept and let go of the files."""
        self._store.close()

    def prune(self, opening: bool = False) -> None:
        """Remove packs beyond the limits; the newest of each writer stays, but for this one's own while it is opened."""
        newest: dict[str, Path] = {}
        found = sorted(self._packs.glob("*.pack"))
        for path in found:
            newest[path.stem.rpartition("-")[0]] = path
        if opening:
            newest.pop(self._writer, None)
        packs = []
        for path in found:
            known = path.stat()
            packs.append(Pack(path, known.st_size, known.st_mtime, path in newest.values()))
        for path in doomed(packs, self._most, self._now() - self._age):
            path.unlink(missing_ok=True)
