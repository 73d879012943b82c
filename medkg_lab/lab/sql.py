"""SELECTs on the ledger's tables as people ask them: what was asked before, and answers as CSV and JSON."""

import csv
import io
import json
from pathlib import Path
from typing import ClassVar

from medkg_lab import exit_codes
from medkg_lab.errors import LabError
from medkg_lab.files import read_text, replace_private, write_private
from medkg_lab.lab.facade import Lab
from medkg_lab.ledger.answers import Selected

DEFAULT_ROWS = 1000
EXPORTED_ROWS = 100_000
"""Rows that a file gets at most: so many the ledger answers at once."""
KEPT_STATEMENTS = 200
_HISTORY_BYTES = 4 * 1024 * 1024


class NotExported(LabError):
    """{path} was not written: {detail}. Name a new file that ends with .csv or .json, in a folder that you may write to."""

    exit_code: ClassVar[int] = exit_codes.USAGE


def select(lab: Lab, statement: str, limit: int = DEFAULT_ROWS) -> Selected:
    """The first `limit` rows of a SELECT. Raises QueryRefused, QueryFailed, QueryTooLarge and QueryTimeout."""
    return lab.ledger.query(statement, limit=limit)


def export(lab: Lab, statement: str, path: Path) -> int:
    """Write the rows of a SELECT to a new file, CSV or JSON by its ending, and say how many.

    Raises NotExported, and what `select` raises.
    """
    as_text = {".csv": csv_text, ".json": json_text}.get(path.suffix.lower())
    if as_text is None:
        raise NotExported(path=path, detail="the ending says neither CSV nor JSON")
    if path.exists():
        raise NotExported(path=path, detail="there is such a file already")
    if not path.parent.is_dir():
        raise NotExported(path=path, detail="there is no such folder")
    answer = select(lab, statement, EXPORTED_ROWS)
    try:
        write_private(path, as_text(answer))
    except OSError as error:
        raise NotExported(path=path, detail=error.strerror or str(error)) from None
    return len(answer.rows)


def csv_text(answer: Selected, line_end: str = "\r\n") -> str:
    """The rows as CSV with a head; lines end with CRLF, as RFC 4180 has it, unless told otherwise."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator=line_end)
    writer.writerow(answer.columns)
    writer.writerows(answer.rows)
    return out.getvalue()


def json_text(answer: Selected) -> str:
    """The rows as a JSON list of objects."""
    rows = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
    return json.dumps(rows, indent=1, ensure_ascii=False, default=str) + "\n"


class History:
    """The statements that were asked, the newest last, kept in a file that is its owner's alone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.statements: list[str] = _read(path)

    @classmethod
    def of(cls, lab: Lab) -> "History":
        """The history of a lab."""
        return cls(lab.locations.state / "sql-history.json")

    def add(self, statement: str) -> None:
        """Keep a statement; one that was asked before moves to the end. Raises OSError."""
        kept = [one for one in self.statements if one != statement]
        self.statements = [*kept, statement][-KEPT_STATEMENTS:]
        replace_private(self._path, json.dumps(self.statements, ensure_ascii=False))


def _read(path: Path) -> list[str]:
    """What the file holds; nothing where it is missing or is no list of texts."""
    try:
        found = json.loads(read_text(path, _HISTORY_BYTES))
    except (OSError, ValueError, RecursionError):
        return []
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []
