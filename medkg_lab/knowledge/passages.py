"""Reading passages and documents from the store, for searches and for the indexes that are derived from it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from medkg_lab.knowledge.answers import Mention, PassageText, Provenance, PublishedDocument
from medkg_lab.knowledge.database import Database
from medkg_lab.knowledge.errors import PassageNotFound

Keys = npt.NDArray[np.int64]
"""Numbers of passages in the indexes; a document is known by its first."""
NO_KEYS: Keys = np.zeros(0, dtype=np.int64)

_SLICE = 500
"""Generations whose text is in memory at once while an index is built."""


@dataclass(frozen=True)
class Passage:
    """A published chunk with what its document says of itself; `key` is its number in the indexes."""

    key: int
    chunk_id: str
    doc_id: str
    tenant: str
    source: str
    title: str
    text: str
    section: tuple[str, ...]
    page: int | None
    spans: list[dict[str, int]]
    job_id: str
    kind: str

    @property
    def provenance(self) -> Provenance:
        """Where the passage comes from."""
        return Provenance(self.doc_id, self.source, self.job_id, self.section, self.page, self.spans)


@dataclass(frozen=True)
class Block:
    """The vectors of one published document: `chunks` keys from `first_key` on."""

    first_key: int
    chunks: int
    tenant: str
    source: str
    doc_id: str


_PASSAGE = """
SELECT c.key, c.chunk_id, g.doc_id, g.tenant, d.source, d.title, c.text, c.section, c.page, c.spans, g.job_id, c.kind
FROM chunk c JOIN generation g ON g.id = c.generation JOIN document d ON d.generation = c.generation
"""


def _passages(rows: Sequence[tuple[Any, ...]]) -> list[Passage]:
    return [
        Passage(
            key=row[0],
            chunk_id=row[1],
            doc_id=row[2],
            tenant=row[3],
            source=row[4],
            title=row[5],
            text=row[6],
            section=tuple(row[7]),
            page=row[8],
            spans=orjson.loads(row[9]),
            job_id=row[10],
            kind=row[11],
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class Owner:
    """The published document of passages."""

    doc_id: str
    tenant: str
    source: str
    title: str
    job_id: str


def by_keys(database: Database, owners: Mapping[int, Owner]) -> dict[int, Passage]:
    """The passages of published documents by key; a key that is no longer there is skipped.

    Their documents are known already: joining them would take as long again.
    """
    query = """SELECT key, chunk_id, text, section, page, spans, kind FROM chunk WHERE key IN (SELECT unnest(?::BIGINT[]))"""
    return {
        row[0]: Passage(
            key=row[0],
            chunk_id=row[1],
            doc_id=(owner := owners[row[0]]).doc_id,
            tenant=owner.tenant,
            source=owner.source,
            title=owner.title,
            text=row[2],
            section=tuple(row[3]),
            page=row[4],
            spans=orjson.loads(row[5]),
            job_id=owner.job_id,
            kind=row[6],
        )
        for row in database.rows(query, [list(owners)])
    }


def passage(database: Database, chunk_id: str, tenant: str) -> PassageText:
    """One published passage with its mentions. Raises PassageNotFound."""
    condition = "WHERE c.chunk_id = ? AND g.tenant = ? AND g.state = 'published'"
    found = _passages(database.rows(_PASSAGE + condition, [chunk_id, tenant]))
    if not found:
        raise PassageNotFound(chunk_id=chunk_id)
    mentions = database.rows(
        """SELECT DISTINCT m.start_at, m.end_at, m.text, m.node_id FROM mention m JOIN generation g ON g.id = m.generation
        WHERE m.chunk_id = ? AND g.tenant = ? AND g.state = 'published' ORDER BY ALL""",
        [chunk_id, tenant],
    )
    one = found[0]
    return PassageText(
        chunk_id=one.chunk_id,
        doc_id=one.doc_id,
        title=one.title,
        text=one.text,
        section=list(one.section),
        page=one.page,
        kind=one.kind,
        mentions=[Mention(*row) for row in mentions],
    )


def documents(database: Database, tenant: str | None, limit: int, after: str | None) -> list[PublishedDocument]:
    """Published documents by id, those beyond `after`; of every tenant when `tenant` is None."""
    query = """
        SELECT g.doc_id, g.tenant, d.source, d.title, d.metadata, g.job_id, coalesce(v.chunks, 0)
        FROM generation g LEFT JOIN document d ON d.generation = g.id LEFT JOIN vector v ON v.generation = g.id
        WHERE g.state = 'published' AND (?::VARCHAR IS NULL OR g.tenant = ?) AND (?::VARCHAR IS NULL OR g.doc_id > ?)
        ORDER BY g.doc_id, g.tenant LIMIT ?"""
    return [
        PublishedDocument(
            doc_id=doc_id,
            tenant=owner,
            source=source,
            title=title,
            metadata=orjson.loads(metadata or "{}"),
            job_id=job_id,
            chunks=chunks,
        )
        for doc_id, owner, source, title, metadata, job_id, chunks in database.rows(
            query, [tenant, tenant, after, after, limit]
        )
    ]


def changed_since(database: Database, revision: int) -> list[tuple[int, str, str]]:
    """The generations published after `revision` that are still current, with tenant and document id, oldest first."""
    query = (
        """SELECT id, tenant, doc_id FROM generation WHERE state = 'published' AND revision > ? ORDER BY revision, id"""
    )
    return [(int(row[0]), row[1], row[2]) for row in database.rows(query, [revision])]


def texts(database: Database, generations: Sequence[int]) -> Iterator[Passage]:
    """The passages of generations, a slice at a time."""
    condition = "WHERE g.state = 'published' AND list_contains(?::BIGINT[], g.id) ORDER BY c.key"
    for start in range(0, len(generations), _SLICE):
        yield from _passages(database.rows(_PASSAGE + condition, [list(generations[start : start + _SLICE])]))


def blocks(database: Database, generations: Sequence[int] | None = None) -> list[Block]:
    """The vector blocks of published documents: all, or those of `generations`."""
    query = """SELECT v.first_key, v.chunks, g.tenant, d.source, g.doc_id
        FROM vector v JOIN generation g ON g.id = v.generation JOIN document d ON d.generation = v.generation
        WHERE g.state = 'published' AND (?::BIGINT[] IS NULL OR list_contains(?::BIGINT[], g.id))"""
    chosen = None if generations is None else list(generations)
    return [Block(*row) for row in database.rows(query + " ORDER BY v.first_key", [chosen, chosen])]


def vectors(database: Database, first_keys: Sequence[int]) -> Iterator[tuple[int, bytes]]:
    """The little-endian float32 rows of vector blocks, by first key, a slice at a time."""
    query = "SELECT first_key, rows FROM vector WHERE list_contains(?::BIGINT[], first_key) ORDER BY first_key"
    for start in range(0, len(first_keys), _SLICE):
        yield from ((int(k), bytes(r)) for k, r in database.rows(query, [list(first_keys[start : start + _SLICE])]))


def sparse_vectors(database: Database, first_keys: Sequence[int]) -> Iterator[tuple[int, str, bytes]]:
    """The models and packed rows of the sparse vectors of blocks, by first key, a slice at a time."""
    query = "SELECT first_key, model, rows FROM sparse WHERE list_contains(?::BIGINT[], first_key) ORDER BY first_key"
    for start in range(0, len(first_keys), _SLICE):
        rows = database.rows(query, [list(first_keys[start : start + _SLICE])])
        yield from ((int(first_key), model, bytes(packed)) for first_key, model, packed in rows)


def chunk_count(database: Database) -> int:
    """How many chunks are published."""
    query = "SELECT count(*) FROM chunk c JOIN generation g ON g.id = c.generation WHERE g.state = 'published'"
    return int(database.rows(query)[0][0])
