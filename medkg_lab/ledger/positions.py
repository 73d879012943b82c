"""How far each reader of the log has come, and how far back it remembers, as the readers tell it."""

import time
from collections.abc import Collection, Mapping
from pathlib import Path

import orjson

from medkg_lab.files import replace_private

READERS = ("outbox", "recorder", "knowledge")
"""The readers that every lab has: until each has told its position, nothing may be pruned."""
OPTIONAL = ("metrics", "lineage")
"""Readers that the settings add."""
_MARK = "low:"


class Positions:
    """A small file, replaced as a whole. Losing it is harmless: every reader tells its position again."""

    def __init__(self, path: Path | None, more: Collection[str] = ()) -> None:
        """`more` are the optional readers that this lab has; of others that it had before nothing is known any more, so that
        they hold up no pruning. Without a path positions are never saved."""
        self._path = path
        self._expected = (*READERS, *more)
        gone = set(OPTIONAL) - set(more)
        loaded = {} if path is None else load(path)
        self._known = {view: seq for view, seq in loaded.items() if view not in gone}
        self._saved = dict(self._known)
        self._heard: dict[str, float] = {}

    def set(self, view: str, seq: int) -> None:
        """Note how far `view` is; on disk with the next `save`."""
        self._known[view] = seq
        self._heard[view] = time.monotonic()

    def heard_within(self, view: str, seconds: float) -> bool:
        """Whether `view` has told its position in the last `seconds`: it does so all the time while its process is whole."""
        return time.monotonic() - self._heard.get(view, -seconds) < seconds

    def all(self) -> Mapping[str, int]:
        """All positions by view."""
        return {view: seq for view, seq in self._known.items() if not view.startswith(_MARK)}

    def readers(self) -> Mapping[str, int]:
        """All positions, with 0 for those of the lab's own readers that have told none."""
        return {**dict.fromkeys(self._expected, 0), **self.all()}

    def forget(self, view: str, seq: int) -> None:
        """Note that `view` no longer has what came from the events up to `seq`."""
        self._known[_MARK + view] = seq

    def forgotten(self) -> Mapping[str, int]:
        """The last event that each view has forgotten."""
        return {view[len(_MARK) :]: seq for view, seq in self._known.items() if view.startswith(_MARK)}

    def save(self) -> None:
        """Write what changed, durably."""
        known = dict(self._known)
        if self._path is not None and known != self._saved:
            replace_private(self._path, orjson.dumps(known))
            self._saved = known


def load(path: Path) -> dict[str, int]:
    """The positions at `path`; none where there is no such file, or a damaged one, since they are told again."""
    try:
        return {str(view): int(seq) for view, seq in orjson.loads(path.read_bytes()).items()}
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return {}
