"""The bundled vocabulary: common medical concepts, their MeSH ids and their other names."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from medkg_lab.stages.extract.folding import normalise, term_id

_FILE = "vocabulary.tsv"


@dataclass(frozen=True)
class Concept:
    """A concept as a node of the graph, and the terms that name it, the preferred one first."""

    node_id: str
    kind: str
    name: str
    terms: tuple[str, ...]


@cache
def bundled_concepts() -> tuple[Concept, ...]:
    """The concepts of `vocabulary.tsv` in file order."""
    text = files(__package__).joinpath(_FILE).read_text(encoding="utf-8")
    return tuple(read_concepts(text))


def read_concepts(text: str) -> Iterator[Concept]:
    """Read tab-separated lines of MeSH id (may be empty), kind, name and synonyms separated by semicolons; `#` is a comment."""
    for line in text.splitlines():
        if line and not line.startswith("#"):
            mesh, kind, name, synonyms = line.split("\t")
            others = (synonym.strip() for synonym in synonyms.split(";"))
            node_id = f"mesh:{mesh}" if mesh else term_id(name)
            yield Concept(node_id, kind, name, (name, *filter(None, others)))


@cache
def concepts_by_term() -> dict[str, Concept]:
    """The bundled concepts by normalised term; the first concept with a term keeps it."""
    found: dict[str, Concept] = {}
    for concept in bundled_concepts():
        for term in concept.terms:
            found.setdefault(normalise(term), concept)
    return found


@cache
def concepts_by_id() -> dict[str, Concept]:
    """The bundled concepts by node id."""
    return {concept.node_id: concept for concept in bundled_concepts()}
