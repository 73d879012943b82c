"""What a person may name when submitting: a path, an id that tells its source, or a query."""

from dataclasses import dataclass
from pathlib import Path

from medkg_lab import exit_codes
from medkg_lab.errors import LabError
from medkg_lab.models.identifiers import Scheme, parse
from medkg_lab.sources.idconv import IdConverter

_SOURCES = {Scheme.NCT: "clinicaltrials", Scheme.PMC: "pmc"}
_SCHEMES = {
    "clinicaltrials": Scheme.NCT,
    "pmc": Scheme.PMC,
    "pmc-fulltext": Scheme.PMC,
    "unpaywall": Scheme.DOI,
    "pubmed": Scheme.PMID,
}
"""What the keys of a source are, where they are identifiers."""


class UnknownTarget(LabError):
    """{target!r} is neither a file nor an id that tells its source (NCT…, PMC…, a DOI, a PubMed id, or the address of one).
    Check the path, or name the source of an id or query with `--source`."""

    exit_code = exit_codes.USAGE


@dataclass(frozen=True)
class Remote:
    """A document by its id at a source, or a query there."""

    source: str
    key: str = ""
    query: str | None = None


def resolve(target: str, source: str | None, is_query: bool) -> Path | Remote:
    """Find out what `target` means. Raises UnknownTarget."""
    found = parse(target)
    if source is None and not is_query:
        path = Path(target).expanduser()
        # An empty word, as an unset variable of a shell leaves it, would name the current folder.
        if target and path.exists():
            return path
        if found is None:
            raise UnknownTarget(target=target)
        if found.scheme in _SOURCES:
            return Remote(_SOURCES[found.scheme], found.value)
        return Remote(IdConverter.name, query=str(found))
    chosen = source or "clinicaltrials"
    if is_query:
        return Remote(chosen, query=target)
    named = found is not None and found.scheme is _SCHEMES.get(chosen)
    return Remote(chosen, key=found.value if found is not None and named else target)
