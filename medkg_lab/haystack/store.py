"""The lab's published passages as a Haystack document store, to be read: documents come in by being submitted."""

from collections.abc import Iterator
from typing import Self

from haystack import Document, default_from_dict, default_to_dict
from haystack.document_stores.types import DuplicatePolicy
from haystack.utils.filters import document_matches_filter

from medkg_lab.errors import LabError
from medkg_lab.knowledge.answers import Hit
from medkg_lab.sdk.lab import Lab
from medkg_lab.sdk.records import Document as Published


class LabIsReadOnly(LabError):
    """A pipeline cannot {what} documents of the lab: they come in as jobs, so that each has its provenance. Use `Lab.submit` or
    `medkg-lab submit`."""


class LabDocumentStore:
    """The documents and passages of the lab at `home` (the default one without it) that `tenant` may see."""

    def __init__(self, home: str | None = None, tenant: str = "default") -> None:
        self.home = home
        self.tenant = tenant
        self.lab = Lab(home, tenant)

    def to_dict(self) -> dict[str, object]:
        """What a pipeline's YAML keeps of it."""
        return default_to_dict(self, home=self.home, tenant=self.tenant)

    @classmethod
    def from_dict(cls, data: dict[str, object]) -> Self:
        """The store that `to_dict` told of."""
        made: Self = default_from_dict(cls, data)
        return made

    def count_documents(self) -> int:
        """How many documents are published."""
        return sum(1 for _ in self._published())

    def filter_documents(self, filters: dict[str, object] | None = None) -> list[Document]:
        """The published documents that fit Haystack's `filters` over `id` and `meta`; their content is the title."""
        documents = map(_document, self._published())
        return [one for one in documents if not filters or document_matches_filter(filters, one)]

    def write_documents(self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE) -> int:
        """Refuse. Raises LabIsReadOnly."""
        raise LabIsReadOnly(what="write")

    def delete_documents(self, document_ids: list[str]) -> None:
        """Refuse. Raises LabIsReadOnly."""
        raise LabIsReadOnly(what="delete")

    def search(self, query: str, top_k: int, filters: dict[str, object] | None = None) -> list[Document]:
        """The passages that fit a query best, with their score; `filters` are the lab's own, such as {"year": "2018-2025"}."""
        return [_passage(hit) for hit in self.lab.search(query, top_k, filters=filters, is_plain=True).hits]

    def _published(self) -> Iterator[Published]:
        after = None
        while page := self.lab.documents(after=after):
            yield from page
            after = page[-1].doc_id


def _document(one: Published) -> Document:
    meta = {**one.metadata, "source": one.source, "job_id": one.job_id, "chunks": one.chunks}
    return Document(id=one.doc_id, content=one.title, meta=meta)


def _passage(hit: Hit) -> Document:
    meta = {
        "doc_id": hit.doc_id,
        "title": hit.title,
        "section": list(hit.section),
        "page": hit.page,
        "source": hit.provenance.source,
        "job_id": hit.provenance.job_id,
        "notes": list(hit.notes),
    }
    return Document(id=hit.chunk_id, content=hit.text, meta=meta, score=hit.score)
