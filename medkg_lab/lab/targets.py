"""What a person may name when submitting: a path, an id that tells its source, or a query."""

import re
from dataclasses import dataclass
from pathlib import Path

from medkg_lab import exit_codes
from medkg_lab.errors import LabError

_IDS = (
    (re.compile(r"^NCT\d{8}$", re.IGNORECASE), "clinicaltrials", str.upper),
    (re.compile(r"^PMC\d+$", re.IGNORECASE), "pmc", str.upper),
    (re.compile(r"^10\.\d{4,9}/\S+$"), "unpaywall", str),
)


class UnknownTarget(LabError):
    """{target!r} is neither a file nor an id that tells its source (NCT…, PMC…, a DOI). Check the path, or name the source
    of an id or query with `--source`."""

    exit_code = exit_codes.USAGE


@dataclass(frozen=True)
class Remote:
    """A document by its id at a source, or a query there."""

    source: str
    key: str = ""
    query: str | None = None


def resolve(target: str, source: str | None, is_query: bool) -> Path | Remote:
    """Find out what `target` means. Raises UnknownTarget."""
    if source is None and not is_query:
        path = Path(target).expanduser()
        # An empty word, as an unset variable of a shell leaves it, would name the current folder.
        if target and path.exists():
            return path
        for pattern, known, normalise in _IDS:
            if pattern.match(target):
                return Remote(known, normalise(target))
        raise UnknownTarget(target=target)
    chosen = source or "clinicaltrials"
    return Remote(chosen, query=target) if is_query else Remote(chosen, key=target)
