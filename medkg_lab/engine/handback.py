"""Batches that an engine could not give back because the ledger was away: given back as soon as it answers.

They are kept in a file as well, so that an engine that ends meanwhile leaves them to the next one of its name: nothing counts
against their documents then, and nobody waits for their leases to run out.
"""

import contextlib
import json
import logging
from pathlib import Path

from medkg_lab.errors import PartAway
from medkg_lab.files import replace_private
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.ledger.errors import DiskFull, LedgerError
from medkg_lab.logs import fields

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

    def return_batches(self, ledger: LedgerClient) -> None:
        """Give back what is owed. Raises PeerUnreachable and DiskFull; what the ledger has taken back itself is forgotten.

        From several threads at once: one that waits for the ledger must not hold up another that ends the process.
        """
        while owed := self._owed[:1]:
            batch_id = owed[0]
            try:
                ledger.surrender(batch_id, None)
                logger.info(
                    "batch %s is given back, now that the ledger answers",
                    batch_id,
                    extra=fields(event="batch.returned", batch=batch_id),
                )
            except (PartAway, DiskFull):
                raise
            except LedgerError as error:
                logger.info(
                    "batch %s needs not be given back: %s",
                    batch_id,
                    error,
                    extra=fields(event="batch.settled", batch=batch_id),
                )
            with contextlib.suppress(ValueError):
                self._owed.remove(batch_id)
            self._save()

    def _save(self) -> None:
        try:
            if self._owed:
                replace_private(self._path, json.dumps(self._owed))
            else:
                self._path.unlink(missing_ok=True)
        except OSError as error:
            logger.warning(
                "what is to be given back cannot be kept for the next engine: %s",
                error,
                extra=fields(event="handback.unsaved"),
            )


def _load(path: Path) -> list[str]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return []
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []
