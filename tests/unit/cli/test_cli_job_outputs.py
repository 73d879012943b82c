"""What a stage made, read from the store by its hash and shown with its place in the source."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from medkg_lab.artifacts.store import ArtifactStore
from medkg_lab.cli.job_outputs import NoSuchOutput, show_output
from medkg_lab.ledger.answers import JobDetail
from medkg_lab.ledger.state import StageRun
from medkg_lab.models.documents import Block, BlockKind, Chunk, ChunkSpan, Document, Place
from medkg_lab.stages.kinds import KINDS
from tests import answers

DOCUMENT = Document(
    doc_id="file:a",
    source="file",
    title="A title",
    blocks=(
        Block(
            kind=BlockKind.PARAGRAPH,
            text="Aspirin eased \x1b[31mpain.",
            place=Place(element="page/3/block/7", page=3, bbox=(0.1, 0.2, 0.3, 0.4)),
        ),
        Block(kind=BlockKind.PARAGRAPH, text="More words.", place=Place(element="/article/body/p[2]")),
    ),
)
CHUNKS = (
    Chunk(
        chunk_id="file:a#0",
        doc_id="file:a",
        number=0,
        text="eased\n\nMore",
        section=("Results",),
        spans=(ChunkSpan(block=0, start=8, end=13), ChunkSpan(block=1, start=0, end=4)),
        page=3,
    ),
    Chunk(chunk_id="file:a#1", doc_id="file:a", number=1, text="words", spans=(ChunkSpan(block=1, start=5, end=10),)),
)


@pytest.fixture
def lab(tmp_path: Path) -> Any:
    return SimpleNamespace(locations=SimpleNamespace(data=tmp_path))


@pytest.fixture
def job(tmp_path: Path) -> JobDetail:
    store = ArtifactStore(tmp_path / "artifacts", writer="test")
    document, chunks = store.put_many([KINDS["document"].encode(DOCUMENT), KINDS["chunks"].encode(CHUNKS)])
    store.close()
    stages = [{"stage": "parse", "ref": document}, {"stage": "chunk", "ref": chunks}, {"stage": "embed", "ref": None}]
    return answers.job(job_id="j1", stages=stages, outputs={"document": document, "chunks": chunks})


def test_a_chunk_leads_to_page_box_and_characters(lab: Any, job: JobDetail, capsys: Any) -> None:
    show_output(lab, job, "chunk", None, as_json=True)
    first, second = json.loads(capsys.readouterr().out)
    assert first["section"] == ["Results"]
    assert first["places"][0] == {
        "element": "page/3/block/7",
        "page": 3,
        "bbox": [0.1, 0.2, 0.3, 0.4],
        "block": 0,
        "block_kind": "paragraph",
        "start": 8,
        "end": 13,
        "text": "eased",
    }
    assert first["places"][1]["element"] == "/article/body/p[2]"
    assert second["chunk_id"] == "file:a#1"


@pytest.mark.parametrize("stage", ["pdf", "pdf-ir-gate"])
def test_the_text_of_a_pdf_is_shown_though_no_stage_made_it(lab: Any, job: JobDetail, capsys: Any, stage: str) -> None:
    gate = {"gate": "pdf-ir-gate", "evidence": {"document": job.outputs["document"]}}
    waiting = answers.job(job_id="j2", gate=gate)
    show_output(lab, waiting, stage, None, as_json=False)
    shown = capsys.readouterr().out
    assert "page/3/block/7" in shown
    assert "More words." in shown
    with pytest.raises(NoSuchOutput):
        show_output(lab, waiting, "parse", None, as_json=False)


@pytest.mark.parametrize("name", ["file:a#0", "0"])
def test_one_chunk_is_shown_as_text(lab: Any, job: JobDetail, capsys: Any, name: str) -> None:
    show_output(lab, job, "chunk", name, as_json=False)
    shown = capsys.readouterr().out
    assert "page/3/block/7" in shown
    assert "0.100 0.200 0.300 0.400" in shown
    assert "8-13" in shown
    assert "file:a#1" not in shown


def test_a_document_is_shown_block_by_block_and_safely(lab: Any, job: JobDetail, capsys: Any) -> None:
    show_output(lab, job, "parse", None, as_json=False)
    shown = capsys.readouterr().out
    assert "page/3/block/7" in shown
    assert "\x1b" not in shown
    show_output(lab, job, "parse", None, as_json=True)
    assert json.loads(capsys.readouterr().out)["title"] == "A title"


@pytest.mark.parametrize(
    ("stage", "chunk", "detail"),
    [("nothing", None, "no stage of that name"), ("embed", None, "it made none"), ("chunk", "9", "none called '9'")],
)
def test_what_is_not_there_is_named(lab: Any, job: JobDetail, stage: str, chunk: str | None, detail: str) -> None:
    with pytest.raises(NoSuchOutput, match=detail):
        show_output(lab, job, stage, chunk, as_json=False)


def test_an_output_that_was_replaced_is_not_shown_as_the_job_s(lab: Any, job: JobDetail) -> None:
    replaced = replace(job, stages=(*job.stages, StageRun("ingest", 1, 1, None, ref="0" * 64)))
    with pytest.raises(NoSuchOutput, match="newer one"):
        show_output(lab, replaced, "ingest", None, as_json=False)
