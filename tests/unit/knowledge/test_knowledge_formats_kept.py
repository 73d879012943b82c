"""Files that another version of the program left: brought up to date, built again with a word in the log, or refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
import tantivy

from medkg_lab.knowledge.effects import Action, Effect
from medkg_lab.knowledge.encoders import Encoders
from medkg_lab.knowledge.errors import KnowledgeDamaged
from medkg_lab.knowledge.search import Question
from medkg_lab.knowledge.service import Knowledge
from tests.integration.knowledge.harness import MODEL, Letters, graph_document, text_document


def opened(folder: Path) -> Knowledge:
    return Knowledge(folder, Encoders({MODEL: Letters}), "cpu")


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A store with one document, closed."""
    knowledge = opened(tmp_path)
    knowledge.stage_text("b", [text_document("file:a", ["aspirin eases pain", "other"])])
    knowledge.stage_graph("b", [graph_document("file:a", [("Aspirin", "treats", "Pain")])])
    knowledge.apply([Effect(Action.PUBLISH, "job-file:a")], 1)
    knowledge.close()
    return tmp_path


def whole(folder: Path) -> None:
    """Every leg and the graph know the document."""
    knowledge = opened(folder)
    try:
        answer = knowledge.searcher.search(Question(query="aspirin"))
        assert answer.hits[0].ranks == {"bm25": 1, "dense": 1, "sparse": None}
        assert knowledge.health().text_chunks == knowledge.health().vector_chunks == 2
        assert knowledge.graph.node("aspirin", "default").mentions == 1
    finally:
        knowledge.close()


def older_text_schema(folder: Path) -> None:
    shutil.rmtree(folder / "bm25")
    (folder / "bm25").mkdir()
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("body", stored=True)
    index = tantivy.Index(builder.build(), path=str(folder / "bm25"))
    writer = index.writer(15_000_000, 1)
    writer.add_document(tantivy.Document(body="aspirin"))
    writer.commit()
    writer.wait_merging_threads()


def other_tantivy(folder: Path) -> None:
    meta = folder / "bm25" / "meta.json"
    meta.write_text(json.dumps({"index_format": "from another time"}))


def without_format(folder: Path) -> None:
    path = folder / "vectors.json"
    facts = json.loads(path.read_text())
    del facts["format"], facts["revision"]
    path.write_text(json.dumps(facts))


def other_faiss(folder: Path) -> None:
    path = folder / "vectors.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": "1, of FAISS 0"}))


def no_object(folder: Path) -> None:
    (folder / "vectors.json").write_text("[1]")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (older_text_schema, "the text index is built again"),
        (other_tantivy, "the text index is built again"),
        (without_format, "the vector snapshot has format None"),
        (other_faiss, "the vector snapshot has format 1, of FAISS 0"),
        (no_object, "the vector snapshot has format None"),
    ],
)
def test_a_derived_index_of_another_format_is_built_again(
    kept: Path, change: Callable[[Path], None], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    change(kept)
    whole(kept)
    assert said in caplog.text
    caplog.clear()
    whole(kept)
    assert caplog.text == "", "the second opening finds what the first has built"


@pytest.mark.parametrize("version", [0, 4, 999])
def test_a_store_of_an_unknown_format_is_refused_with_what_to_do_and_left_as_it_is(kept: Path, version: int) -> None:
    with duckdb.connect(str(kept / "knowledge.duckdb")) as store:
        store.execute("UPDATE position SET seq = ? WHERE name = 'schema'", [version])
    with pytest.raises(KnowledgeDamaged, match=rf"has format {version} and this program reads formats up to 3.*backup"):
        opened(kept)
    with duckdb.connect(str(kept / "knowledge.duckdb")) as store:
        assert store.execute("SELECT count(*) FROM node").fetchall() == [(2,)]
        store.execute("UPDATE position SET seq = 3 WHERE name = 'schema'")
    whole(kept)
