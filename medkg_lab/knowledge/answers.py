"""What a search answers, as it is made and as it travels; importing it loads nothing heavy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

Mark = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a passage comes from; `spans` are ranges of characters in blocks of its document."""

    doc_id: str
    source: str
    job_id: str
    section: Sequence[str]
    page: int | None
    spans: Sequence[Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class SameWork:
    """Another document here that is the same work: `what` is `preprint`, `article`, `version N` or `copy`."""

    doc_id: str
    what: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a hit has its score: what each retriever adds, `factor` times their sum, and in which fields each word stands."""

    parts: Mapping[str, float | None]
    factor: float
    words: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found. `score` is from 0 to 1; `ranks` and `scores` are by retriever, None where it did not find it.

    `marks` are the ranges of `snippet` that match. `matched` is `identifier`, `author` or `journal` where the document is what
    was asked for itself. `notes` say what a reader must know of the document, such as that it was retracted.
    """

    doc_id: str
    chunk_id: str
    title: str
    section: Sequence[str]
    page: int | None
    text: str
    snippet: str
    marks: Sequence[Mark]
    provenance: Provenance
    score: float
    ranks: Mapping[str, int | None]
    scores: Mapping[str, float | None]
    matched: str | None = None
    notes: Sequence[str] = ()
    same_work: Sequence[SameWork] = ()
    explanation: Explanation | None = None

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The hit as it travelled."""
        explanation = value.get("explanation")
        given = {
            **value,
            "marks": [(start, end) for start, end in value["marks"]],
            "provenance": Provenance(**value["provenance"]),
            "same_work": [SameWork(**one) for one in value["same_work"]],
            "explanation": None if explanation is None else Explanation(**explanation),
        }
        return cls(**given)


@dataclass(frozen=True, slots=True)
class How:
    """How a query was read, and how the retrievers were put together.

    `words` are the index's terms by word; `skipped` are words without meaning of their own; `read_as` are unknown words and the
    known ones that were taken for them.
    """

    words: Mapping[str, str]
    skipped: Sequence[str]
    read_as: Mapping[str, str]
    condition: str | None
    fusion: str
    weights: Mapping[str, float]
    rrf_k: int | None
    boosts: Mapping[str, float]
    reranker: str | None
    floor: float
    only: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """Hits, best first; `legs` says of each retriever whether it took part, or why not; `notes` are about the query."""

    query: str
    hits: Sequence[Hit]
    legs: Mapping[str, str]
    ms: float
    notes: Sequence[str] = field(default=())
    how: How | None = None

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The answer as it travelled."""
        how = value.get("how")
        hits = [Hit.from_json(hit) for hit in value["hits"]]
        return cls(**{**value, "hits": hits, "how": None if how is None else How(**how)})
