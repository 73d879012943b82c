"""What is asked of a search: the query with its options, and how both are read before anything is looked up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field

from medkg_lab.knowledge import query as language
from medkg_lab.knowledge.analysis import atoms
from medkg_lab.knowledge.encoders import Matrix
from medkg_lab.knowledge.errors import QueryInvalid
from medkg_lab.knowledge.facts import BadValue, Fact, identifier
from medkg_lab.knowledge.query import Condition, Kind, Or, Term
from medkg_lab.knowledge.units import Unit, units
from medkg_lab.models.documents import Frozen
from medkg_lab.stages.contracts import SparseVectors

MAX_LIMIT = 200
MAX_WORDS = 256
"""Words of a query that rank; what follows is not looked for."""
_SHORTEST_PMID = 6


class Filters(Frozen):
    """Conditions on documents, each met by any of its values; a `year` is such as 2020, 2018-2021 or >=2018."""

    year: str | None = None
    phase: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    country: tuple[str, ...] = ()
    has_results: bool | None = None
    section: tuple[str, ...] = ()
    relation: tuple[str, ...] = ()

    def conditions(self) -> list[Condition]:
        """What has to be met. Raises QueryInvalid for a value that a field cannot have."""
        found = [Or(tuple(Term(text, Kind.PHRASE, "section") for text in self.section))] if self.section else []
        results = () if self.has_results is None else ("yes" if self.has_results else "no",)
        years = () if self.year is None else (self.year,)
        for field, values in (
            ("year", years),
            ("results", results),
            *((name, getattr(self, name)) for name in ("phase", "status", "country", "relation")),
        ):
            if values:
                found.append(Or(tuple(_fact(field, value) for value in values)))
        return list(found)


def _fact(field: str, value: str) -> Fact:
    try:
        return Fact.read(field, value)
    except BadValue as error:
        raise QueryInvalid(position=1, detail=f"{error}, as the filter says") from None


class Question(Frozen):
    """What is asked: at most `per_document` of a document's passages are among the hits; without it, three as long as there are
    other documents, then the rest.

    A query that `is_plain` is text without operators. Without `fusion`, `weights` or `reranker` those of the settings hold; a
    retriever that `weights` does not name counts 1, and `reranker` "none" is none.
    """

    query: str
    is_plain: bool = False
    limit: int = Field(default=10, ge=1, le=MAX_LIMIT)
    tenant: str = "default"
    sources: tuple[str, ...] | None = None
    filters: Filters = Filters()
    per_document: int | None = Field(default=None, ge=1)
    fusion: Literal["calibrated", "rrf", "weighted"] | None = None
    weights: dict[str, float] | None = None
    reranker: str | None = None
    explain: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """A question as it was read, before anything was looked up.

    `plain` are the words that rank, `meaning` is the text whose vector is searched, if any; `identifier` is what the whole query
    is, as `scheme:value`, if it is one.
    """

    query: language.Query
    conditions: tuple[Condition, ...]
    plain: str
    meaning: str
    identifier: str | None

    @classmethod
    def of(cls, question: Question) -> Self:
        """Read a question. Raises QueryBlank, QueryTooLong and QueryInvalid."""
        parsed = language.read_plain(question.query) if question.is_plain else language.read(question.query)
        conditions = list(question.filters.conditions())
        if parsed.condition is not None:
            conditions.insert(0, parsed.condition)
        if question.sources is not None and conditions:
            conditions.append(Or(tuple(Fact("source", source) for source in question.sources)))
        texts = [term.text for term in parsed.terms if term.kind is not Kind.PREFIX and term.field != "section"]
        # A query of plain words alone goes to the model as it was written.
        meaning = " ".join([parsed.plain, *texts]) if parsed.condition is not None else question.query
        # A short number is one, not a PubMed id.
        is_number = parsed.plain.isdecimal() and len(parsed.plain) < _SHORTEST_PMID
        found = None if is_number or parsed.terms else identifier(parsed.plain)
        return cls(parsed, tuple(conditions), parsed.plain, meaning.strip(), found)

    def units(self, stop_words: bool) -> list[Unit]:
        """What ranks, of the first MAX_WORDS words; an identifier as a whole."""
        if self.identifier is not None:
            return [Unit(tuple(atoms(self.identifier.partition(":")[2])))]
        return units(self.plain, MAX_WORDS, stop_words)


@dataclass(frozen=True, slots=True)
class RetrieverQuery:
    """What the retrievers look for: units and terms by words, vectors where there are any; `legs` says which is on, or why not.

    `read_as` are words that the index does not know, with those that were taken for them; `is_known` says that it knows any.
    """

    units: Sequence[Unit]
    terms: Sequence[Term]
    vector: Matrix | None
    sparse: SparseVectors | None
    legs: dict[str, str]
    read_as: Mapping[str, str]
    is_known: bool = True
