"""Crashes and damage: what was acknowledged stays, and the derived indexes come back from the store."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medkg_lab import exit_codes, rpc
from medkg_lab.knowledge.client import KnowledgeClient
from tests.integration.knowledge.harness import SPARSE, FakeLedger, KnowledgeProcess, graph_document, text_document
from tests.waiting import wait_until

DOCUMENTS = 6


@pytest.fixture
def process(short_tmp: Path) -> Iterator[KnowledgeProcess]:
    found = KnowledgeProcess(short_tmp)
    yield found
    found.stop()


@pytest.fixture
def ledger(process: KnowledgeProcess) -> Iterator[FakeLedger]:
    found = FakeLedger(process.locations.socket("ledger"))
    found.start()
    yield found
    found.stop()


def store(client: KnowledgeClient, ledger: FakeLedger, turn: int) -> list[str]:
    """Stage a batch of documents, new ones and new generations of earlier ones, and return its jobs."""
    names = [f"file:{(turn * 3 + n) % 40}" for n in range(DOCUMENTS)]
    texts = [
        text_document(name, [f"aspirin turn{turn}", "filler"], job=f"j{turn}-{name}", sparse=SPARSE) for name in names
    ]
    graphs = [graph_document(name, [(name, "seen_in", f"turn{turn}")], job=f"j{turn}-{name}") for name in names]
    client.index(f"b{turn}", texts)
    client.graph(f"b{turn}", graphs)
    return [document["job_id"] for document in texts]


def whole(client: KnowledgeClient, ledger: FakeLedger) -> None:
    """Everything that the ledger calls completed, and nothing else, is in the store and in both indexes."""
    assert client.caught_up(len(ledger.log), 60)
    latest: dict[str, str] = {}
    for event in ledger.log:
        latest |= {job.partition("-")[2]: job for job in event["jobs"] if event["type"] == "job.completed"}
    assert {document.doc_id: document.job_id for document in client.documents()} == latest
    health = client.health()
    assert health.text_revision == health.vector_revision == health.revision
    assert health.text_chunks == health.vector_chunks == health.chunks == 2 * len(latest)
    assert (health.sparse_chunks, health.sparse_model) == (2 * len(latest), SPARSE if latest else None)
    found = client.search("aspirin", limit=100).hits
    assert {hit.doc_id: hit.text for hit in found if "aspirin" in hit.text} == {
        doc: f"aspirin turn{job[1:].partition('-')[0]}" for doc, job in latest.items()
    }


def test_kill_minus_nine_in_the_middle_of_batches(process: KnowledgeProcess, ledger: FakeLedger) -> None:
    client = process.start()
    turn = 0
    for round_number in range(3):
        killer = threading.Timer(0.02 + 0.05 * round_number, process.kill)
        started_with = turn
        while True:
            try:
                jobs = store(client, ledger, turn)
            except rpc.PeerUnreachable:
                break
            ledger.complete(*jobs)
            turn += 1
            if turn == started_with + 2:
                killer.start()
        killer.join()
        client = process.start()
        whole(client, ledger)
        jobs = store(client, ledger, turn)
        ledger.complete(*jobs)
        turn += 1
        whole(client, ledger)
    assert turn >= 9, "batches were stored between the kills"


def break_snapshot(folder: Path) -> None:
    os.truncate(folder / "vectors.faiss", 100)


def break_facts(folder: Path) -> None:
    (folder / "vectors.json").write_bytes(b'{"sha')


def lose_snapshot(folder: Path) -> None:
    (folder / "vectors.faiss").unlink()


def lose_texts(folder: Path) -> None:
    shutil.rmtree(folder / "bm25")


def tear_texts(folder: Path) -> None:
    for path in (folder / "bm25").glob("*.idx"):
        os.truncate(path, path.stat().st_size // 2)


def tear_head(folder: Path) -> None:
    os.truncate(folder / "bm25" / "meta.json", 10)


def empty_texts(folder: Path) -> None:
    for path in (folder / "bm25").glob("*"):
        path.write_bytes(b"")


@pytest.mark.parametrize(
    "damages",
    [
        (break_snapshot, lose_texts),
        (break_facts, tear_texts),
        pytest.param((lose_snapshot, tear_head), marks=pytest.mark.full),
        pytest.param((empty_texts,), marks=pytest.mark.full),
    ],
)
def test_a_damaged_index_is_made_again(
    process: KnowledgeProcess, ledger: FakeLedger, damages: tuple[Callable[[Path], None], ...]
) -> None:
    client = process.start()
    for turn in range(3):
        ledger.complete(*store(client, ledger, turn))
    whole(client, ledger)
    assert process.stop() == 0
    for damage in damages:
        damage(process.folder)
    client = process.start()
    whole(client, ledger)
    ledger.complete(*store(client, ledger, 3))
    whole(client, ledger)


def test_indexes_of_an_earlier_moment_catch_up_and_those_of_a_later_one_are_made_again(
    process: KnowledgeProcess, ledger: FakeLedger, tmp_path: Path
) -> None:
    client = process.start()
    ledger.complete(*store(client, ledger, 0))
    whole(client, ledger)
    process.stop()
    early = shutil.copytree(process.folder, tmp_path / "early")
    client = process.start()
    ledger.complete(*store(client, ledger, 1))
    whole(client, ledger)
    process.stop()
    for name in ("bm25", "vectors.faiss", "vectors.json"):
        _put(early / name, process.folder / name)
    whole(process.start(), ledger)
    process.stop()
    _put(early / "knowledge.duckdb", process.folder / "knowledge.duckdb")
    del ledger.log[1:]
    whole(process.start(), ledger)


def _put(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.rmtree(target)
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)


def test_damage_that_needs_a_person_ends_with_the_code_for_it(process: KnowledgeProcess) -> None:
    process.folder.mkdir(parents=True)
    (process.folder / "knowledge.duckdb").write_bytes(b"no database at all" * 999)
    code, log = process.fails()
    assert code == exit_codes.NO_RESTART
    assert "cannot be read" in log
    assert "Traceback" not in log


def test_a_ledger_that_is_behind_the_store_ends_it_with_the_code_for_a_person(
    process: KnowledgeProcess, ledger: FakeLedger
) -> None:
    client = process.start()
    for turn in range(3):
        ledger.complete(*store(client, ledger, turn))
    whole(client, ledger)
    process.stop()
    del ledger.log[1:]
    process.start()
    code, log = process.ended()
    assert code == exit_codes.NO_RESTART
    assert "already read event 3" in log


def test_a_second_process_leaves_the_first_alone(process: KnowledgeProcess, ledger: FakeLedger) -> None:
    client = process.start()
    second = KnowledgeProcess(process.home)
    code, log = second.fails()
    assert code == exit_codes.FAILED
    assert "Another process uses" in log
    ledger.complete(*store(client, ledger, 0))
    whole(client, ledger)


def test_a_ledger_that_hangs_does_not_hold_up_the_end(process: KnowledgeProcess, ledger: FakeLedger) -> None:
    client = process.start()
    wait_until(lambda: client.health().ledger == "following", what="following the ledger")
    ledger.hanging = True
    wait_until(lambda: ledger.asked_while_hanging, what="a question that the ledger leaves open")
    assert process.stop(timeout=20) == 0, "the call to the ledger would take longer than that"
