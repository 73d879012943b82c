"""A Haystack component that asks the lab."""

from typing import Any, Self

from haystack import Document, component, default_from_dict, default_to_dict

from medkg_lab.haystack.store import LabDocumentStore


@component
class LabRetriever:
    """Finds passages by words and by meaning, as `medkg-lab search` does; `filters` are the lab's own."""

    def __init__(
        self, document_store: LabDocumentStore, top_k: int = 10, filters: dict[str, Any] | None = None
    ) -> None:
        self.document_store = document_store
        self.top_k = top_k
        self.filters = filters

    def to_dict(self) -> dict[str, Any]:
        """What a pipeline's YAML keeps of it."""
        kept = default_to_dict(
            self, document_store=self.document_store.to_dict(), top_k=self.top_k, filters=self.filters
        )
        return dict(kept)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The component that `to_dict` told of."""
        given = dict(data["init_parameters"])
        given["document_store"] = LabDocumentStore.from_dict(given["document_store"])
        made: Self = default_from_dict(cls, {**data, "init_parameters": given})
        return made

    @component.output_types(documents=list[Document])
    def run(
        self, query: str, top_k: int | None = None, filters: dict[str, Any] | None = None
    ) -> dict[str, list[Document]]:
        """The passages that fit `query` best. Raises QueryBlank, QueryTooLong and LabNotRunning."""
        found = self.document_store.search(query, top_k or self.top_k, filters or self.filters)
        return {"documents": found}
