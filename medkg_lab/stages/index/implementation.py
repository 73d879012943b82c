"""`knowledge.index`: passages and vectors into the knowledge process, as a generation of the job."""

from collections.abc import Sequence
from typing import Any

from medkg_lab import rpc
from medkg_lab.errors import LabError
from medkg_lab.knowledge.client import connected
from medkg_lab.knowledge.errors import KnowledgeUnavailable, UnusableDocument
from medkg_lab.knowledge.messages import SparseRows, TextDocument
from medkg_lab.models import citations
from medkg_lab.models.documents import Document
from medkg_lab.models.stored import Stored
from medkg_lab.stages.contracts import IndexInput, Receipt, StageContext, StageType
from medkg_lab.stages.index.options import IndexOptions
from medkg_lab.stages.registry import GpuNeed, Implementation, KnowledgeStore, Resources


class KnowledgeIndex:
    """Stages all documents of a batch by one call; the job's completion makes them visible."""

    def __init__(self, client: KnowledgeStore) -> None:
        self._client = client

    def execute(self, context: StageContext, item: IndexInput) -> Receipt:
        """Stage one document. Raises what `execute_many` gives for it."""
        outcome = self.execute_many([context], [item])[0]
        if isinstance(outcome, LabError):
            raise outcome
        return outcome

    def execute_many(
        self, contexts: Sequence[StageContext], items: Sequence[IndexInput]
    ) -> Sequence[Receipt | LabError]:
        """Stage documents; UnusableDocument or MixedModels stand for one of them.

        Raises PartAway, KnowledgeUnavailable and BatchFenced.
        """
        outcomes: dict[int, Receipt | LabError] = {}
        messages: dict[int, dict[str, object]] = {}
        for number, (context, item) in enumerate(zip(contexts, items, strict=True)):
            if tuple(chunk.chunk_id for chunk in item.chunks) == item.embeddings.chunk_ids:
                messages[number] = _message(context, item)
            else:
                detail = "the vectors are not those of its chunks"
                outcomes[number] = UnusableDocument(doc_id=context.doc_id, detail=detail)
        try:
            answers = self._client.index(contexts[0].batch_id, list(messages.values())) if messages else []
        except rpc.RemoteFailure as error:
            raise KnowledgeUnavailable(detail=str(error)) from error
        for number, answer in zip(messages, answers, strict=True):
            outcomes[number] = answer if isinstance(answer, LabError) else _receipt(answer, items[number])
        return [outcomes[number] for number in range(len(items))]


def _message(context: StageContext, item: IndexInput) -> dict[str, object]:
    document, embeddings = item.document, item.embeddings
    return {
        "doc_id": context.doc_id,
        "job_id": context.job_id,
        "tenant_id": context.tenant_id,
        "source": document.source,
        "title": document.title,
        "metadata": _metadata(document),
        "chunks": [chunk.model_dump(mode="json") for chunk in item.chunks],
        "model": embeddings.model,
        "dimension": embeddings.dimension,
        "vectors": TextDocument.pack(embeddings.vectors),
        "sparse": None if embeddings.sparse is None else SparseRows.of(embeddings.sparse),
    }


def _metadata(document: Document) -> dict[str, object]:
    """What is known of a document beside its text; whom it cites is resolved when someone asks."""
    cited = [str(one) for one in citations.cited(document)]
    return {**document.metadata, **document.identifiers, **({citations.KEY: cited} if cited else {})}


def _receipt(stored: Stored, item: IndexInput) -> Receipt:
    detail = {"dimension": item.embeddings.dimension, "model": item.embeddings.model}
    return Receipt(stored.doc_id, stored.count, detail)


def _build(resources: Resources, options: Any) -> KnowledgeIndex:
    return KnowledgeIndex(resources.knowledge or connected(resources.knowledge_socket, resources.patience))


def _vectors_gpu(options: IndexOptions) -> GpuNeed | None:
    wanted = options.vectors_on_gpu
    # Served: the knowledge process holds the memory, and may have taken it already.
    return None if wanted is None else GpuNeed(wanted.memory_mib, served=True, device=wanted.device)


INDEX = Implementation(
    name="knowledge.index",
    stage_type=StageType.INDEX,
    summary="BM25 and vector search in the knowledge process",
    build=_build,
    options=IndexOptions,
    also_gpu=_vectors_gpu,
)
