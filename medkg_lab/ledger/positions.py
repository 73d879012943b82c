"""How far each reader of the log has come, as the readers tell it."""

import os
from collections.abc import Mapping
from pathlib import Path

import orjson


class Positions:
    """A small file, replaced as a whole. Losing it is harmless: every reader tells its position again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = _load(path)
        self._saved = dict(self._known)

    def set(self, view: str, seq: int) -> None:
        """Note how far `view` is; on disk with the next `save`."""
        self._known[view] = seq

    def all(self) -> Mapping[str, int]:
        """All positions by view."""
        return dict(self._known)

    def save(self) -> None:
        """Write what changed, durably."""
        if self._known == self._saved:
            return
        known = dict(self._known)
        fresh = self._path.with_suffix(".new")
        with fresh.open("wb") as handle:
            handle.write(orjson.dumps(known))
            handle.flush()
            os.fdatasync(handle.fileno())
        fresh.replace(self._path)
        self._saved = known


def _load(path: Path) -> dict[str, int]:
    try:
        values = orjson.loads(path.read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return {}
    return {str(view): int(seq) for view, seq in values.items()} if isinstance(values, dict) else {}
