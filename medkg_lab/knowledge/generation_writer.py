"""Writing a job's generation: what an index or graph stage sends becomes rows that nobody sees yet."""

from collections.abc import Iterable, Mapping
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import orjson

from medkg_lab.errors import DocumentError
from medkg_lab.knowledge import schema
from medkg_lab.knowledge.database import Database
from medkg_lab.knowledge.errors import BatchFenced, MixedModels
from medkg_lab.knowledge.messages import GraphDocument, Owned, TextDocument
from medkg_lab.knowledge.publishing import purge

Matrix = npt.NDArray[np.float32]


def stage_text(
    database: Database, batch_id: str, documents: Mapping[int, tuple[TextDocument, Matrix]]
) -> dict[int, DocumentError]:
    """Stage the text and vectors of documents in one transaction; sent again, the same batch changes nothing.

    Returns the errors of documents whose vectors are of another model than the index. Raises BatchFenced.
    """
    with database.transaction() as writer:
        _begin(database, writer, batch_id)
        wrong = _check_model(writer, documents)
        wrong |= _check_sparse_model(
            writer, {number: doc for number, (doc, _) in documents.items() if number not in wrong}
        )
        good = {number: pair for number, pair in documents.items() if number not in wrong}
        generations = _generations(database, writer, batch_id, "text", [document for document, _ in good.values()])
        pairs = [(generations[doc.job_id], doc, matrix) for doc, matrix in good.values() if doc.job_id in generations]
        first = database.advance("chunk", sum(len(document.chunks) for _, document, _ in pairs)) + 1
        _insert_text(database, pairs, first)
    return wrong


def stage_graph(database: Database, batch_id: str, documents: Iterable[GraphDocument]) -> None:
    """Stage the nodes, edges and mentions of documents in one transaction; idempotent as `stage_text`. Raises BatchFenced."""
    documents = list(documents)
    with database.transaction() as writer:
        _begin(database, writer, batch_id)
        generations = _generations(database, writer, batch_id, "graph", documents)
        pairs = [(generations[document.job_id], document) for document in documents if document.job_id in generations]
        database.insert("node", [(g, n.node_id, n.kind, n.name) for g, d in pairs for n in d.nodes])
        edges = [
            (g, e.source, e.relation, e.target, e.doc_id, e.chunk_id, e.start, e.end, e.evidence, e.rule)
            for g, document in pairs
            for e in document.edges
        ]
        database.insert("edge", edges)
        database.insert(
            "mention", [(g, m.chunk_id, m.start, m.end, m.text, m.node_id) for g, d in pairs for m in d.mentions]
        )


def _begin(database: Database, writer: duckdb.DuckDBPyConnection, batch_id: str) -> None:
    if writer.execute("SELECT 1 FROM fenced WHERE batch_id = ?", [batch_id]).fetchall():
        raise BatchFenced(batch_id=batch_id)
    purge(writer)


def _check_model(
    writer: duckdb.DuckDBPyConnection, documents: Mapping[int, tuple[TextDocument, Matrix]]
) -> dict[int, DocumentError]:
    """Find the documents whose vectors cannot join the index; the first vectors of an empty index decide on its model."""
    kept = writer.execute("SELECT model, dimension FROM manifest").fetchall()
    if kept and not writer.execute("SELECT 1 FROM vector LIMIT 1").fetchall():
        writer.execute("DELETE FROM manifest")
        kept = []
    model = (kept[0][0], kept[0][1]) if kept else None
    wrong: dict[int, DocumentError] = {}
    for number, (document, _) in documents.items():
        own = (document.model, document.dimension)
        if not document.chunks or own == model:
            continue
        if model is None:
            model = own
            writer.execute("INSERT INTO manifest VALUES (?, ?)", list(own))
        else:
            wrong[number] = MixedModels(doc_id=document.doc_id, indexed=_named(model), given=_named(own))
    return wrong


def _check_sparse_model(
    writer: duckdb.DuckDBPyConnection, documents: Mapping[int, TextDocument]
) -> dict[int, DocumentError]:
    """Find the documents whose sparse vectors are of another model than those that are there, or than the first of these."""
    kept = writer.execute("SELECT model FROM sparse LIMIT 1").fetchall()
    model = kept[0][0] if kept else None
    wrong: dict[int, DocumentError] = {}
    for number, document in documents.items():
        if document.sparse is None or not document.chunks:
            continue
        model = model or document.sparse.model
        if document.sparse.model != model:
            wrong[number] = MixedModels(doc_id=document.doc_id, indexed=model, given=document.sparse.model)
    return wrong


def _named(model: tuple[str, int]) -> str:
    return f"{model[0]} ({model[1]} dimensions)"


def _generations(
    database: Database, writer: duckdb.DuckDBPyConnection, batch_id: str, leg: str, documents: Iterable[Owned]
) -> dict[str, int]:
    """The open generation of each document's job, emptied of `leg` or made.

    A job whose generation this very batch wrote and the job's completion published is skipped, and so is one whose document was
    deleted: its engine did not know yet.
    """
    owners = {document.job_id: document for document in documents}
    gone = "SELECT batch_id FROM fenced WHERE list_contains(?::VARCHAR[], batch_id)"
    for row in writer.execute(gone, [list(owners)]).fetchall():
        del owners[row[0]]
    query = f"SELECT job_id, id, state, {leg}_batch FROM generation WHERE list_contains(?::VARCHAR[], job_id)"
    known = writer.execute(query, [list(owners)]).fetchall()
    opened = {job: number for job, number, state, _ in known if state in ("staged", "parked")}
    published = {job for job, _, state, batch in known if state == "published" and batch == batch_id}
    emptied = list(opened.values())
    for table in schema.TEXT_TABLES if leg == "text" else schema.GRAPH_TABLES:
        writer.execute(f"DELETE FROM {table} WHERE list_contains(?::BIGINT[], generation)", [emptied])
    update = f"UPDATE generation SET state = 'staged', {leg}_batch = ? WHERE list_contains(?::BIGINT[], id)"
    writer.execute(update, [batch_id, emptied])
    missing = [owner for job, owner in owners.items() if job not in opened and job not in published]
    first = database.advance("generation", len(missing)) + 1
    batches = (batch_id, None) if leg == "text" else (None, batch_id)
    rows = [
        (number, owner.job_id, owner.doc_id, owner.tenant_id, "staged", *batches, None, None)
        for number, owner in enumerate(missing, start=first)
    ]
    database.insert("generation", rows)
    return opened | {row[1]: row[0] for row in rows}


def _insert_text(database: Database, pairs: list[tuple[int, TextDocument, Matrix]], first_key: int) -> None:
    documents: list[tuple[Any, ...]] = []
    chunks: list[tuple[Any, ...]] = []
    vectors: list[tuple[Any, ...]] = []
    sparse: list[tuple[Any, ...]] = []
    for generation, doc, matrix in pairs:
        metadata = orjson.dumps(doc.metadata).decode()
        documents.append((generation, doc.doc_id, doc.tenant_id, doc.source, doc.title, metadata))
        if doc.chunks:
            vectors.append((generation, first_key, len(doc.chunks), doc.model, doc.dimension, matrix.tobytes()))
        if doc.chunks and (rows := doc.sparse_vectors()) is not None:
            sparse.append((generation, first_key, len(doc.chunks), rows.model, rows.pack()))
        for key, chunk in enumerate(doc.chunks, start=first_key):
            spans = orjson.dumps([span.model_dump() for span in chunk.spans]).decode()
            place = (list(chunk.section), chunk.page, spans)
            chunks.append((key, generation, chunk.chunk_id, chunk.number, chunk.kind, chunk.text, *place))
        first_key += len(doc.chunks)
    database.insert("document", documents)
    database.insert("chunk", chunks)
    database.insert("vector", vectors)
    database.insert("sparse", sparse)
