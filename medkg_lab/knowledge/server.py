"""The knowledge process's operations on its socket: one thread writes, a few read beside it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import Field, ValidationError, validate_call

from medkg_lab import rpc
from medkg_lab.errors import LabError
from medkg_lab.failures import describe
from medkg_lab.knowledge import passages
from medkg_lab.knowledge.answers import (
    Connection,
    FoundNode,
    GraphExport,
    GraphPath,
    IdentifiedDocument,
    KnowledgeHealth,
    Neighbours,
    PassageText,
    PublishedDocument,
    SearchAnswer,
    StoreOutcome,
)
from medkg_lab.knowledge.follower import Follower
from medkg_lab.knowledge.graph import MAX_HOPS
from medkg_lab.knowledge.progress import Progress
from medkg_lab.knowledge.question import Question
from medkg_lab.knowledge.relations import Relations
from medkg_lab.knowledge.service import Knowledge
from medkg_lab.models.stored import Stored
from medkg_lab.validation import first_flaw

READERS = 4
MAX_ROWS = 1_000_000
Rows = Annotated[int, Field(ge=1, le=MAX_ROWS)]
Hops = Annotated[int, Field(ge=0, le=MAX_HOPS)]
T = TypeVar("T")
DEFAULT_TENANT = "default"


class Reads:
    """The operations that only read, as KnowledgeClient describes them; each may run in any thread."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge
        self._relations = Relations(knowledge.database)

    def search(
        self,
        query: str,
        limit: int = 10,
        tenant: str = DEFAULT_TENANT,
        sources: list[str] | None = None,
        filters: dict[str, object] | None = None,
        per_document: int | None = None,
        fusion: str | None = None,
        weights: dict[str, float] | None = None,
        reranker: str | None = None,
        explain: bool = False,
        is_plain: bool = False,
    ) -> SearchAnswer:
        question = {
            "query": query,
            "is_plain": is_plain,
            "limit": limit,
            "tenant": tenant,
            "sources": sources,
            "filters": filters or {},
        }
        how = {"per_document": per_document, "fusion": fusion, "weights": weights, "reranker": reranker}
        return self._knowledge.searcher.search(Question.model_validate({**question, **how, "explain": explain}))

    def node(self, id_or_text: str, tenant: str = DEFAULT_TENANT) -> FoundNode:
        return self._knowledge.graph.node(id_or_text, tenant)

    def neighbours(self, id: str, limit: Rows = 50, tenant: str = DEFAULT_TENANT) -> Neighbours:
        found = self._knowledge.graph.neighbours(id, limit, tenant)
        related = self._relations.neighbours(found.node.node_id, tenant)
        return Neighbours(found.node, [*related, *found.neighbours][:limit])

    def path(self, source: str, target: str, max_hops: Hops = 4, tenant: str = DEFAULT_TENANT) -> GraphPath:
        return self._knowledge.graph.path(source, target, max_hops, tenant)

    def why(self, source: str, target: str, tenant: str = DEFAULT_TENANT) -> Connection:
        return self._knowledge.graph.why(source, target, tenant)

    def graph_export(self, limit: Rows = 100_000, tenant: str = DEFAULT_TENANT) -> GraphExport:
        exported = self._knowledge.graph.export(limit, tenant)
        edges = [*exported.edges, *self._relations.edges(tenant)]
        return GraphExport(exported.nodes, edges[:limit], exported.truncated or len(edges) > limit)

    def identified(self, identifier: str, tenant: str = DEFAULT_TENANT) -> list[IdentifiedDocument]:
        return self._relations.identified(identifier, tenant)

    def passage(self, chunk_id: str, tenant: str = DEFAULT_TENANT) -> PassageText:
        return passages.passage(self._knowledge.database, chunk_id, tenant)

    def documents(
        self, tenant: str | None = None, limit: Rows = 1000, after: str | None = None
    ) -> list[PublishedDocument]:
        return passages.documents(self._knowledge.database, tenant, limit, after)

    def counts(self) -> dict[str, int]:
        return self._knowledge.counts()


class Writes:
    """The operations that write, as KnowledgeClient describes them; they belong to the writing thread."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge

    def index(self, batch_id: str, documents: list[object]) -> list[StoreOutcome]:
        return list(map(_outcome, self._knowledge.stage_text(batch_id, documents)))

    def graph(self, batch_id: str, documents: list[object]) -> list[StoreOutcome]:
        return list(map(_outcome, self._knowledge.stage_graph(batch_id, documents)))

    def copy(self, path: Path) -> int:
        return self._knowledge.database.copy_to(path)


def _outcome(outcome: Stored | LabError) -> StoreOutcome:
    if isinstance(outcome, LabError):
        return StoreOutcome(error=describe(outcome))
    return StoreOutcome(stored=outcome)


def handlers(
    knowledge: Knowledge,
    writer: ThreadPoolExecutor,
    readers: ThreadPoolExecutor,
    follower: Follower,
    progress: Progress,
) -> dict[str, rpc.Handler]:
    """Every operation by name."""

    async def caught_up(seq: int, wait_s: float = 0) -> bool:
        return await progress.wait(seq, wait_s)

    async def health() -> KnowledgeHealth:
        look = partial(knowledge.health, follower.position, follower.state)
        return await asyncio.get_running_loop().run_in_executor(readers, look)

    reads, writes = Reads(knowledge), Writes(knowledge)
    found: dict[str, rpc.Handler] = {"caught_up": _checked(caught_up), "health": _checked(health)}
    found |= {name: _threaded(getattr(writes, name), writer) for name in ("index", "graph", "copy")}
    names = (
        "search",
        "node",
        "neighbours",
        "path",
        "why",
        "graph_export",
        "identified",
        "passage",
        "documents",
        "counts",
    )
    return found | {name: _threaded(getattr(reads, name), readers) for name in names}


def _checked(operation: Callable[..., T]) -> Callable[[rpc.Arguments], T]:
    """`operation` by keyword arguments of the declared types. Raises BadRequest."""
    checked = validate_call(operation)

    def run(args: rpc.Arguments) -> T:
        try:
            return checked(**args)
        except ValidationError as error:
            detail = f"{operation.__name__}: {first_flaw(error.errors()).text()}"
            raise rpc.BadRequest(detail=detail) from None

    return run


def _threaded(operation: Callable[..., object], pool: ThreadPoolExecutor) -> rpc.Handler:
    run = _checked(operation)

    async def handle(args: rpc.Arguments) -> object:
        return await asyncio.get_running_loop().run_in_executor(pool, run, args)

    return handle
