"""Vocabularies: medical concepts, their MeSH ids and other names. A small one is bundled, a larger one can be imported."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from medkg_lab.stages.extract.errors import VocabularyDamaged, VocabularyMissing
from medkg_lab.stages.extract.folding import normalise, term_id

_FILE = "vocabulary.tsv"
BUNDLED = "bundled"
CURRENT = "current"


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


class Vocabulary:
    """Concepts by id and by the terms that name them, merged by id; the first concept with an id or a term keeps it.

    A concept without an id gives way to a later one with an id that has its name. `version` is the content's: what an
    extraction was
    made with.
    """

    def __init__(self, concepts: Iterable[Concept], version: str) -> None:
        self.version = version
        self.by_id: dict[str, Concept] = {}
        self.by_term: dict[str, Concept] = {}
        self._terms: list[tuple[str, str]] = []
        given = list(concepts)
        identified = {normalise(term): one for one in reversed(given) if not _is_term(one) for term in one.terms}
        for concept in given:
            known = identified.get(normalise(concept.name), concept) if _is_term(concept) else concept
            known = self.by_id.setdefault(known.node_id, known)
            for term in concept.terms:
                self.by_term.setdefault(normalise(term), known)
                self._terms.append((term, known.node_id))

    def named(self, term: str) -> Concept | None:
        """The concept that `term` names."""
        return self.by_term.get(normalise(term))

    def terms(self) -> Iterator[tuple[str, str]]:
        """Every term, as the concepts spell it, with the id of the concept that it names."""
        return iter(self._terms)


def _is_term(concept: Concept) -> bool:
    return concept.node_id.startswith("term:")


_VERSION = re.compile("[0-9a-f]{12}")


@cache
def bundled() -> Vocabulary:
    """The vocabulary that comes with the lab."""
    return Vocabulary(bundled_concepts(), BUNDLED)


def load(folder: Path | None, version: str) -> Vocabulary:
    """The vocabulary of `version`: `bundled`, an imported one's version, or `current`, the one imported last if any.

    An imported vocabulary adds to the bundled one. Raises VocabularyMissing and VocabularyDamaged.
    """
    if version == CURRENT:
        pointer = folder / CURRENT if folder else None
        version = pointer.read_text().strip() if pointer and pointer.is_file() else BUNDLED
    if version == BUNDLED:
        return bundled()
    path = (folder or Path()) / f"{version}.tsv"
    # A pipeline file names the version, and must not name a file elsewhere with it.
    if folder is None or not _VERSION.fullmatch(version) or not path.is_file():
        raise VocabularyMissing(version=version, path=path)
    data = path.read_bytes()
    if version_of(data) != version:
        raise VocabularyDamaged(path=path)
    return Vocabulary([*bundled_concepts(), *read_concepts(data.decode("utf-8"))], version)


def version_of(data: bytes) -> str:
    """The version of a vocabulary file: the beginning of its sha256."""
    return hashlib.sha256(data).hexdigest()[:12]
