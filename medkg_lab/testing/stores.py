"""Where the index and graph stages of a test put what they have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass
class MemoryKnowledge:
    """Passages and graph parts as the stages gave them, by document."""

    indexed: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    stated: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def index(self, batch_id: str, documents: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Keep what is to be searched."""
        return _stored(self.indexed, documents)

    def graph(self, batch_id: str, documents: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Keep the documents' parts of the graph."""
        return _stored(self.stated, documents)

    def vector_model(self) -> str | None:
        """No vectors are stored that others would have to fit."""
        return None


def _stored(kept: dict[str, Mapping[str, Any]], documents: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    names = [str(one["doc_id"]) for one in documents]
    kept |= dict(zip(names, documents, strict=True))
    return [{"doc_id": name, "count": 1} for name in names]
