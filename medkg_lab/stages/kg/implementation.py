"""`knowledge.graph`: nodes, statements and mentions into the knowledge process, as a generation of the job."""

from collections.abc import Sequence
from typing import Any

from medkg_lab import rpc
from medkg_lab.errors import LabError
from medkg_lab.knowledge.client import connected
from medkg_lab.knowledge.errors import KnowledgeUnavailable
from medkg_lab.stages.contracts import KGInput, Receipt, StageContext, StageType
from medkg_lab.stages.registry import Implementation, KnowledgeStore, Options, Resources


class KnowledgeGraph:
    """Stages all documents of a batch by one call; the job's completion makes them visible."""

    def __init__(self, client: KnowledgeStore) -> None:
        self._client = client

    def execute(self, context: StageContext, item: KGInput) -> Receipt:
        """Stage one document. Raises what `execute_many` gives for it."""
        outcome = self.execute_many([context], [item])[0]
        if isinstance(outcome, LabError):
            raise outcome
        return outcome

    def execute_many(self, contexts: Sequence[StageContext], items: Sequence[KGInput]) -> Sequence[Receipt | LabError]:
        """Stage documents; UnusableDocument stands for one of them. Raises PartAway, KnowledgeUnavailable and BatchFenced."""
        messages = [_message(context, item) for context, item in zip(contexts, items, strict=True)]
        try:
            answers = self._client.graph(contexts[0].batch_id, messages) if messages else []
        except rpc.RemoteFailure as error:
            raise KnowledgeUnavailable(detail=str(error)) from error
        return [
            answer if isinstance(answer, LabError) else _receipt(item, answer.count)
            for answer, item in zip(answers, items, strict=True)
        ]


def _message(context: StageContext, item: KGInput) -> dict[str, object]:
    parts = item.extraction.model_dump(mode="json", exclude={"doc_id"})
    return {"doc_id": context.doc_id, "job_id": context.job_id, "tenant_id": context.tenant_id, **parts}


def _receipt(item: KGInput, count: int) -> Receipt:
    extraction = item.extraction
    detail = {"edges": len(extraction.edges), "mentions": len(extraction.mentions), "nodes": len(extraction.nodes)}
    return Receipt(extraction.doc_id, count, detail)


def _build(resources: Resources, options: Any) -> KnowledgeGraph:
    return KnowledgeGraph(resources.knowledge or connected(resources.knowledge_socket, resources.patience))


GRAPH = Implementation(
    name="knowledge.graph",
    stage_type=StageType.KG,
    summary="a graph with provenance in the knowledge process",
    build=_build,
    options=Options,
)
