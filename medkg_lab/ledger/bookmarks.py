"""Where the lab's own readers of topics and of the log stand, in words of their own: one small JSON object for each.

A reader replaces its bookmark only if it still is the one that it knows, so that neither a second reader nor a ledger that lost
its newest bookmarks makes it skip anything.
"""

from collections.abc import Mapping
from pathlib import Path

import orjson

from medkg_lab.files import replace_private
from medkg_lab.ledger.errors import BookmarkMoved

FILE = "bookmarks.json"

Bookmark = Mapping[str, object]
"""A JSON object whose form is its reader's own."""


class Bookmarks:
    """A small file, replaced as a whole. Losing it is harmless: a reader without a bookmark begins anew."""

    def __init__(self, path: Path | None) -> None:
        """Without a path they are never saved."""
        self._path = path
        self._known = {} if path is None else _load(path)
        self._saved = dict(self._known)

    def all(self) -> Mapping[str, Bookmark]:
        """All bookmarks by reader."""
        return dict(self._known)

    def replace(self, reader: str, previous: Bookmark | None, value: Bookmark) -> None:
        """Put `value` in the place of `previous`, once; on disk with the next `save`. Raises BookmarkMoved."""
        if self._known.get(reader) not in (previous, value):
            raise BookmarkMoved(reader=reader)
        self._known[reader] = value

    def save(self) -> None:
        """Write what changed, durably."""
        known = dict(self._known)
        if self._path is not None and known != self._saved:
            replace_private(self._path, orjson.dumps(known))
            self._saved = known


def _load(path: Path) -> dict[str, Bookmark]:
    try:
        values = orjson.loads(path.read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return {}
    return (
        {str(name): value for name, value in values.items() if isinstance(value, dict)}
        if isinstance(values, dict)
        else {}
    )
