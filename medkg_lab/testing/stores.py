"""Where the index and graph stages of a test put what they have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from medkg_lab.errors import LabError
from medkg_lab.models.stored import Stored


@dataclass
class MemoryKnowledge:
    """Passages and graph parts as the stages gave them, by document."""

    indexed: dict[str, Mapping[str, object]] = field(default_factory=dict)
    stated: dict[str, Mapping[str, object]] = field(default_factory=dict)

    def index(self, batch_id: str, documents: Sequence[Mapping[str, object]]) -> list[Stored | LabError]:
        """Keep what is to be searched."""
        return _stored(self.indexed, documents)

    def graph(self, batch_id: str, documents: Sequence[Mapping[str, object]]) -> list[Stored | LabError]:
        """Keep the documents' parts of the graph."""
        return _stored(self.stated, documents)

    def vector_model(self) -> str | None:
        """No vectors are stored that others would have to fit."""
        return None


def _stored(
    kept: dict[str, Mapping[str, object]], documents: Sequence[Mapping[str, object]]
) -> list[Stored | LabError]:
    names = [str(one["doc_id"]) for one in documents]
    kept |= dict(zip(names, documents, strict=True))
    return [Stored(name, 1) for name in names]
