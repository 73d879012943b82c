"""The vocabularies that a lab has imported: files named by their content, and a pointer to the one in use."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from medkg_lab.files import replace_private
from medkg_lab.mesh.reading import read
from medkg_lab.stages.extract.vocabulary import (
    BUNDLED,
    CURRENT,
    Concept,
    Vocabulary,
    bundled_concepts,
    load,
    version_of,
)

FOLDER = "vocabularies"
"""Where a lab keeps them, below its data folder."""
HEAD = "# Identifiers and headings: Medical Subject Headings, National Library of Medicine.\n"


def encode(concepts: Iterable[Concept]) -> bytes:
    """Concepts in the vocabulary's format: MeSH id, kind, name, and the other terms separated by semicolons."""
    lines = [
        f"{concept.node_id.removeprefix('mesh:')}\t{concept.kind}\t{concept.name}\t"
        + "; ".join(term for term in concept.terms if term != concept.name)
        for concept in concepts
    ]
    return (HEAD + "\n".join(lines) + "\n").encode()


def save(folder: Path, concepts: Iterable[Concept]) -> str:
    """Keep a vocabulary, make it the current one, and return its version; the same content has the same version."""
    data = encode(concepts)
    version = version_of(data)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_private(folder / f"{version}.tsv", data, durable=True)
    replace_private(folder / CURRENT, version, durable=True)
    return version


def versions(folder: Path) -> list[str]:
    """The versions that can be chosen, the bundled one first."""
    return [BUNDLED, *sorted(path.stem for path in folder.glob("*.tsv"))]


def current(folder: Path) -> str:
    """The version that is used where the profile names none."""
    pointer = folder / CURRENT
    return pointer.read_text().strip() if pointer.is_file() else BUNDLED


def of_files(paths: Sequence[Path], with_packages: bool = False) -> Vocabulary:
    """The vocabulary that importing `paths` would make, without keeping it. Raises MeshUnreadable, NothingInMesh,
    TermsMissing."""
    concepts = read(paths, with_packages)
    return Vocabulary([*bundled_concepts(), *concepts], version_of(encode(concepts)))


def in_use(folder: Path) -> Vocabulary:
    """The vocabulary that the extract stage uses where the profile names none. Raises VocabularyMissing, VocabularyDamaged."""
    return load(folder, CURRENT)
