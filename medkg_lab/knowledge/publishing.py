"""Making generations visible, or letting go of them, as the ledger's events say."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import duckdb

from medkg_lab.knowledge import schema
from medkg_lab.knowledge.database import Database
from medkg_lab.knowledge.effects import Action, Effect

Writer = duckdb.DuckDBPyConnection


@dataclass(frozen=True)
class Publication:
    """What became visible: the generations, and the first keys of the vector blocks that they replaced, or that are gone.

    `gone` are the documents, as `tenant/id`, that are visible no longer.
    """

    revision: int
    generations: tuple[int, ...]
    replaced: tuple[int, ...]
    gone: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything that is searched has changed."""
        return bool(self.generations or self.gone)


@dataclass(frozen=True)
class _Generation:
    id: int
    job_id: str
    owner: tuple[str, str]
    text: bool
    graph: bool


def apply(database: Database, effects: Sequence[Effect], seq: int) -> Publication:
    """Take in the effects of the ledger's events up to `seq`, and that position, in one transaction."""
    generations: list[int] = []
    replaced: list[int] = []
    gone: list[str] = []
    with database.transaction() as writer:
        purge(writer)
        revision = database.position("revision", writer)
        for action, group in groupby(effects, key=lambda effect: effect.action):
            subjects = list(dict.fromkeys(effect.subject for effect in group))
            match action:
                case Action.FENCE:
                    _fence(database, writer, subjects)
                case Action.PARK:
                    _park(writer, subjects)
                case Action.PUBLISH:
                    new, old = _publish(writer, subjects, revision + 1, seq)
                    generations += new
                    replaced += old
                case Action.DELETE:
                    _fence(database, writer, subjects)
                    documents, old = _delete(writer, subjects)
                    gone += documents
                    replaced += old
        if generations or gone:
            revision += 1
            database.move("revision", revision)
        database.move("ledger", seq)
    return Publication(revision, tuple(generations), tuple(replaced), tuple(gone))


def purge(writer: Writer) -> None:
    """Delete the generations that were replaced earlier: every search that could still read them has ended by now."""
    retired = writer.execute("SELECT id FROM generation WHERE state = 'retired'").fetchall()
    _drop(writer, [row[0] for row in retired])


def _fence(database: Database, writer: Writer, ids: Sequence[str]) -> None:
    """Let nothing more be staged by batches, or for jobs, with these ids."""
    known = {row[0] for row in writer.execute("SELECT batch_id FROM fenced").fetchall()}
    database.insert("fenced", [(one,) for one in ids if one not in known])


def _park(writer: Writer, jobs: Sequence[str]) -> None:
    query = "UPDATE generation SET state = 'parked' WHERE state = 'staged' AND list_contains(?::VARCHAR[], job_id)"
    writer.execute(query, [list(jobs)])


def erase(database: Database) -> None:
    """Delete what was retired, now that no search reads it, and have the file let go of it."""
    with database.transaction() as writer:
        purge(writer)
    database.checkpoint()


def _delete(writer: Writer, jobs: Sequence[str]) -> tuple[list[str], list[int]]:
    """Retire all generations of `jobs`, visible or not; their documents, and the first keys of the vector blocks that went.

    What a job that was submitted after the deletion has staged already stays: it is none of them.
    """
    found = _found(writer, "list_contains(?::VARCHAR[], job_id)", jobs)
    retired = [generation.id for generation in found]
    writer.execute("UPDATE generation SET state = 'retired' WHERE list_contains(?::BIGINT[], id)", [retired])
    return list(dict.fromkeys("/".join(one.owner) for one in found)), _blocks(writer, retired)


def _blocks(writer: Writer, generations: Sequence[int]) -> list[int]:
    """The first keys of the vector blocks of these generations."""
    blocks = "SELECT first_key FROM vector WHERE list_contains(?::BIGINT[], generation)"
    return [row[0] for row in writer.execute(blocks, [list(generations)]).fetchall()]


def _drop(writer: Writer, generations: Sequence[int]) -> None:
    if generations:
        for table in (*schema.TEXT_TABLES, *schema.GRAPH_TABLES):
            writer.execute(f"DELETE FROM {table} WHERE list_contains(?::BIGINT[], generation)", [list(generations)])
        writer.execute("DELETE FROM generation WHERE list_contains(?::BIGINT[], id)", [list(generations)])


def _open(writer: Writer, jobs: Sequence[str]) -> list[_Generation]:
    """The staged and parked generations of `jobs`, in the order of `jobs`."""
    return _found(writer, "state IN ('staged', 'parked') AND list_contains(?::VARCHAR[], job_id)", jobs)


def _found(writer: Writer, condition: str, jobs: Sequence[str]) -> list[_Generation]:
    query = "SELECT id, job_id, tenant, doc_id, text_batch, graph_batch FROM generation WHERE " + condition
    rows = writer.execute(query, [list(jobs)]).fetchall()
    order = {job: number for number, job in enumerate(jobs)}
    found = [_Generation(row[0], row[1], (row[2], row[3]), row[4] is not None, row[5] is not None) for row in rows]
    return sorted(found, key=lambda generation: order.get(generation.job_id, 0))


def _publish(writer: Writer, jobs: Sequence[str], revision: int, seq: int) -> tuple[list[int], list[int]]:
    """Publish the open generations of `jobs`; returns them and the first keys of the vector blocks that went."""
    ready = _open(writer, jobs)
    last = {generation.owner: generation for generation in ready}
    _drop(writer, [generation.id for generation in ready if last[generation.owner] is not generation])
    names = [f"{tenant}/{doc_id}" for tenant, doc_id in last]
    same = "list_contains(?::VARCHAR[], tenant || '/' || doc_id)"
    previous = _found(writer, "state = 'published' AND " + same, names)
    for old in previous:
        _copy_forward(writer, old, last[old.owner])
    new = [generation.id for generation in last.values()]
    parked = [g.id for g in _found(writer, "state = 'parked' AND " + same, names) if g.id not in new]
    _drop(writer, parked)
    retired = [generation.id for generation in previous]
    writer.execute("UPDATE generation SET state = 'retired' WHERE list_contains(?::BIGINT[], id)", [retired])
    update = "UPDATE generation SET state = 'published', revision = ?, seq = ? WHERE list_contains(?::BIGINT[], id)"
    writer.execute(update, [revision, seq, new])
    return new, _blocks(writer, retired)


def _copy_forward(writer: Writer, old: _Generation, new: _Generation) -> None:
    """Give the new generation what its job did not write.

    A job that ran again from a later stage keeps its own earlier text and graph. Text also stays when another job wrote only a
    graph; a graph does not stay beside another job's text, because it names passages of the old one.
    """
    if old.text and not new.text:
        _move(writer, schema.TEXT_TABLES, "text", old.id, new.id)
    if old.graph and not new.graph and old.job_id == new.job_id:
        _move(writer, schema.GRAPH_TABLES, "graph", old.id, new.id)


def _move(writer: Writer, tables: Sequence[str], leg: str, old: int, new: int) -> None:
    for table in tables:
        writer.execute(f"UPDATE {table} SET generation = ? WHERE generation = ?", [new, old])
    batch = f"(SELECT {leg}_batch FROM generation WHERE id = ?)"
    writer.execute(f"UPDATE generation SET {leg}_batch = {batch} WHERE id = ?", [old, new])
    writer.execute(f"UPDATE generation SET {leg}_batch = NULL WHERE id = ?", [old])
