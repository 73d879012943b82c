"""How well the lab's own search finds what a person said it should: queries with the documents that answer them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from medkg_lab import exit_codes
from medkg_lab.errors import LabError
from medkg_lab.files import read_text
from medkg_lab.models.identity import plain
from medkg_lab.sdk.lab import Lab

DEPTH = 10
FIRST = 5


class JudgementsUnreadable(LabError):
    """{path} cannot be used: {detail}. Write a query a line, a tab, and the documents that answer it with blanks between them,
    such as `dengue serotypes<tab>pmc:PMC4630907`."""

    exit_code: ClassVar[int] = exit_codes.USAGE


@dataclass(frozen=True)
class Judged:
    """A query, and the documents of which any answers it, by id or by the source's key alone."""

    query: str
    expected: tuple[str, ...]


@dataclass(frozen=True)
class QueryResult:
    """A judged query as the search answers it: the rank of the first document that was expected, None beyond `DEPTH`."""

    query: str
    expected: tuple[str, ...]
    rank: int | None
    first: str


@dataclass(frozen=True)
class Quality:
    """The judged queries, the share that has an expected document at rank 1 and among the first `FIRST`, and the mean reciprocal
    rank (0 beyond `DEPTH`)."""

    asked: tuple[QueryResult, ...]

    @property
    def success_at_1(self) -> float:
        """The share with an expected document first."""
        return self._share(1)

    @property
    def success_at_5(self) -> float:
        """The share with an expected document among the first five."""
        return self._share(FIRST)

    @property
    def reciprocal_rank(self) -> float:
        """The mean of 1 / rank (Voorhees, TREC-8 1999)."""
        return sum(1 / one.rank for one in self.asked if one.rank) / len(self.asked)

    def _share(self, depth: int) -> float:
        return sum(one.rank is not None and one.rank <= depth for one in self.asked) / len(self.asked)


def read_judged(path: Path) -> tuple[Judged, ...]:
    """The judged queries of a file; empty lines and those that begin with # are passed over. Raises JudgementsUnreadable."""
    try:
        lines = read_text(path).splitlines()
    except (OSError, ValueError) as error:
        raise JudgementsUnreadable(path=path, detail=str(error)) from None
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        query, _, expected = line.partition("\t")
        if not query.strip() or not expected.split():
            raise JudgementsUnreadable(path=path, detail=f"line {number} has no query, or no document behind a tab")
        found.append(Judged(query.strip(), tuple(expected.split())))
    if not found:
        raise JudgementsUnreadable(path=path, detail="it has no query")
    return tuple(found)


def measure(lab: Lab, judged: Sequence[Judged]) -> Quality:
    """Ask the lab every query, as a person would. Raises what a search raises."""
    return Quality(tuple(_result_of(lab, one) for one in judged))


def _result_of(lab: Lab, one: Judged) -> QueryResult:
    hits = lab.search(one.query, DEPTH, per_document=1).hits
    found = [plain(hit.doc_id) for hit in hits]
    fitting = (rank for rank, doc_id in enumerate(found, 1) if {doc_id, doc_id.partition(":")[2]} & {*one.expected})
    return QueryResult(one.query, one.expected, next(fitting, None), found[0] if found else "")
