"""The knowledge process's client; importing it loads nothing heavy."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec

from medkg_lab import rpc
from medkg_lab.errors import LabError
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
from medkg_lab.knowledge.errors import KnowledgeUnreadable, NoKnowledgeProcess
from medkg_lab.models.stored import Stored

_WRITE_TIMEOUT_S = 120.0
_COPY_TIMEOUT_S = 600.0
_MARGIN_S = 5.0
_RETRY_INTERVAL_S = 0.1
T = TypeVar("T")


def connected(socket: Path | None, patience: float) -> "KnowledgeClient":
    """The client of the process at `socket`, whose writes wait up to `patience` seconds for it. Raises NoKnowledgeProcess."""
    if socket is None:
        raise NoKnowledgeProcess()
    return KnowledgeClient(socket, patience=patience)


class KnowledgeClient:
    """One method per operation of the knowledge process at socket `path`; safe to share between threads.

    What stages ask waits up to `patience` seconds for a process that cannot be reached or closes: it is being started again.
    Every method raises PeerUnreachable when the process does not answer, and the operation's own errors.
    """

    def __init__(self, path: Path, deadline: float = rpc.DEFAULT_TIMEOUT_S, patience: float = 0.0) -> None:
        self._rpc = rpc.Client(path, deadline)
        self._patience = patience

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop the connection."""
        self._rpc.close()

    def index(self, batch_id: str, documents: Sequence[Mapping[str, object]]) -> list[Stored | LabError]:
        """Stage documents for search: of each what was stored, or why it was refused. Raises BatchFenced."""
        return self._write("index", batch_id, documents)

    def graph(self, batch_id: str, documents: Sequence[Mapping[str, object]]) -> list[Stored | LabError]:
        """Stage documents' parts of the graph; answers as `index` does. Raises BatchFenced."""
        return self._write("graph", batch_id, documents)

    def _write(self, op: str, batch_id: str, documents: Sequence[Mapping[str, object]]) -> list[Stored | LabError]:
        """Have documents staged. What got no answer is sent again: a batch that is staged twice is staged once."""
        found = self._patiently(op, deadline=_WRITE_TIMEOUT_S, batch_id=batch_id, documents=list(documents))
        return list(map(_outcome, _read(op, found, list[StoreOutcome])))

    def vector_model(self) -> str | None:
        """The model of the vectors that are stored, or None while there are none; it waits as writing does."""
        return _read("health", self._patiently("health"), KnowledgeHealth).model

    def _patiently(self, op: str, deadline: float | None = None, **arguments: Any) -> Any:
        until = time.monotonic() + self._patience
        while True:
            try:
                return self._rpc.call(op, deadline=deadline, **arguments)
            except rpc.PeerUnreachable:
                if time.monotonic() + _RETRY_INTERVAL_S >= until:
                    raise
                time.sleep(_RETRY_INTERVAL_S)

    def search(
        self,
        query: str,
        limit: int = 10,
        tenant: str = "default",
        sources: Sequence[str] | None = None,
        *,
        filters: Mapping[str, object] | None = None,
        per_document: int | None = None,
        fusion: str | None = None,
        weights: Mapping[str, float] | None = None,
        reranker: str | None = None,
        explain: bool = False,
        is_plain: bool = False,
    ) -> SearchAnswer:
        """Find passages, with at most `per_document` hits of one document.

        Without `per_document` it is three as long as other documents are found, then more. `filters` are conditions on documents
        by name, as `question.Filters` has them. A query that `is_plain` is text without operators. `explain` adds `how` and, for
        each hit, `explanation`. Raises QueryBlank, QueryTooLong, QueryInvalid and UnknownReranker.
        """
        only = None if sources is None else list(sources)
        how: dict[str, object] = {
            "per_document": per_document,
            "fusion": fusion,
            "weights": weights,
            "reranker": reranker,
        }
        how = {name: value for name, value in (*how.items(), ("filters", filters)) if value is not None}
        how |= {name: True for name, given in (("explain", explain), ("is_plain", is_plain)) if given}
        return self._query(SearchAnswer, "search", query=query, limit=limit, tenant=tenant, sources=only, **how)

    def node(self, id_or_text: str, tenant: str = "default") -> FoundNode:
        """A node by id or name. Raises NodeNotFound."""
        return self._query(FoundNode, "node", id_or_text=id_or_text, tenant=tenant)

    def neighbours(self, id: str, limit: int = 50, tenant: str = "default") -> Neighbours:
        """The statements about a node. Raises NodeNotFound."""
        return self._query(Neighbours, "neighbours", id=id, limit=limit, tenant=tenant)

    def path(self, source: str, target: str, max_hops: int = 4, tenant: str = "default") -> GraphPath:
        """A shortest chain of statements. Raises NodeNotFound."""
        return self._query(GraphPath, "path", source=source, target=target, max_hops=max_hops, tenant=tenant)

    def why(self, source: str, target: str, tenant: str = "default") -> Connection:
        """What says that two nodes belong together. Raises NodeNotFound."""
        return self._query(Connection, "why", source=source, target=target, tenant=tenant)

    def _query(self, kind: type[T], op: str, **arguments: Any) -> T:
        return _read(op, self._rpc.call(op, **arguments), kind)

    def graph_export(self, limit: int = 100_000, tenant: str = "default") -> GraphExport:
        """The graph, or as much of it as `limit` nodes and edges are."""
        return self._query(GraphExport, "graph_export", limit=limit, tenant=tenant)

    def identified(self, identifier: str, tenant: str = "default") -> list[IdentifiedDocument]:
        """The documents that say of themselves that an identifier is theirs."""
        return self._query(list[IdentifiedDocument], "identified", identifier=identifier, tenant=tenant)

    def passage(self, chunk_id: str, tenant: str = "default") -> PassageText:
        """One passage with its mentions. Raises PassageNotFound."""
        return self._query(PassageText, "passage", chunk_id=chunk_id, tenant=tenant)

    def documents(
        self, tenant: str | None = None, limit: int = 1000, after: str | None = None
    ) -> list[PublishedDocument]:
        """Published documents by id, those beyond `after`."""
        return self._query(list[PublishedDocument], "documents", tenant=tenant, limit=limit, after=after)

    def counts(self) -> dict[str, int]:
        """How many documents, chunks, vectors, nodes and edges are published."""
        return self._query(dict[str, int], "counts")

    def caught_up(self, seq: int, wait_s: float) -> bool:
        """Wait up to `wait_s` seconds until the ledger's events up to `seq` have been taken in, and say whether they have."""
        return bool(self._rpc.call("caught_up", deadline=wait_s + _MARGIN_S, seq=seq, wait_s=wait_s))

    def copy(self, path: Path) -> int:
        """Copy the store to a new file, as it is between two writings; the number of the last event of the ledger in it."""
        return int(self._rpc.call("copy", deadline=_COPY_TIMEOUT_S, path=str(path)))

    def health(self) -> KnowledgeHealth:
        """Position, revisions, sizes, and whether the ledger is being followed."""
        return self._query(KnowledgeHealth, "health")


def _read(op: str, answer: object, kind: type[T]) -> T:
    """The answer to `op` as a record of `kind`. Raises KnowledgeUnreadable."""
    try:
        return msgspec.convert(answer, kind)
    except msgspec.ValidationError as error:
        raise KnowledgeUnreadable(detail=f"{op}: {error}") from None


def _outcome(answer: StoreOutcome) -> Stored | LabError:
    if answer.error is not None:
        return answer.error.revive() or rpc.RemoteFailure(path="knowledge", op="store", detail=answer.error.message)
    if answer.stored is None:
        raise KnowledgeUnreadable(detail="a document was neither stored nor refused")
    return answer.stored
