"""Batches that an engine could not give back because the ledger was away: given back as soon as it answers.

They are kept in a file as well, so that an engine that ends meanwhile leaves them to the next one of its name: nothing counts
against their documents then, and nobody waits for their leases to run out.
"""

import json
import logging
from pathlib import Path

from medkg_lab.errors import PartAway
from medkg_lab.files import replace_private
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.ledger.errors import LedgerError

logger = logging.getLogger(__name__)


class Handback:
    """The batches that are owed to the ledger; `path` is where they are kept."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._owed = _load(path)

    def __bool__(self) -> bool:
        return bool(self._owed)

    def owe(self, batch_id: str) -> None:
        """Note a batch that is to be given back."""
        if batch_id not in self._owed:
            self._owed.append(batch_id)
            self._save()

    def give(self, ledger: LedgerClient) -> None:
        """Give back what is owed. Raises PeerUnreachable; what the ledger has taken back itself is forgotten."""
        while self._owed:
            try:
                ledger.surrender(self._owed[0], None)
                logger.info("batch %s is given back, now that the ledger answers", self._owed[0])
            except PartAway:
                raise
            except LedgerError as error:
                logger.info("batch %s needs not be given back: %s", self._owed[0], error)
            del self._owed[0]
            self._save()

    def _save(self) -> None:
        try:
            if self._owed:
                replace_private(self._path, json.dumps(self._owed))
            else:
                self._path.unlink(missing_ok=True)
        except OSError as error:
            logger.warning("what is to be given back cannot be kept for the next engine: %s", error)


def _load(path: Path) -> list[str]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return []
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []
