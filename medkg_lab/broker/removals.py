"""What somebody deleted from the lab's topics: written by the embedded broker, shown by `medkg-lab status --why`."""

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path

from medkg_lab.files import replace_private

_log = logging.getLogger("medkg_lab.broker")
REMOVALS = "removals.json"
"""The file's name in the broker's data folder."""
_KEPT = 100


@dataclass(frozen=True)
class Removal:
    """Records that were deleted by request, at seconds since 1970: those of a whole topic when `partition` is None."""

    at: float
    topic: str
    partition: int | None
    records: int
    account: str


def removals(path: Path) -> list[Removal]:
    """What was deleted, oldest first; nothing when the file cannot be read, since it only explains."""
    try:
        return [Removal(**entry) for entry in json.loads(path.read_text())]
    except (OSError, ValueError, TypeError):
        return []


class Removals:
    """The file at `path`, of which this process is the only writer; the latest are kept."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def note(self, removal: Removal) -> None:
        """Keep `removal`. What cannot be written is logged: the deletion itself has happened."""
        _log.warning("%s deleted %d records of %s", removal.account, removal.records, removal.topic)
        kept = [*removals(self._path), removal][-_KEPT:]
        try:
            replace_private(self._path, json.dumps([asdict(one) for one in kept]))
        except OSError as error:
            _log.error("%s could not be written: %s", self._path, error)
