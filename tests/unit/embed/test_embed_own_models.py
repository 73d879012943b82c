"""Models of the user's own: read from a folder, stored with hashes, used by name; and folders that cannot be."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers

from medkg_lab.knowledge.encoders import Encoders
from medkg_lab.stages.embed import model_folder, own_models, weights
from medkg_lab.stages.embed.cpu_embedder import CpuEmbedder
from medkg_lab.stages.embed.errors import (
    ModelDamaged,
    ModelDiffers,
    ModelExists,
    ModelFolderBad,
    ModelNameBad,
    ModelNotFound,
    ModelUnusable,
)
from medkg_lab.stages.embed.implementation import ONNX
from medkg_lab.stages.embed.minilm import MiniLM
from medkg_lab.stages.embed.onnx_encoder import Matrix, OnnxEncoder
from medkg_lab.stages.embed.own_models import Pooling
from medkg_lab.stages.registry import Resources
from tests.unit.contexts import stage_context
from tests.unit.embed.test_embed_minilm import chunks

WORDS = ("[UNK]", "a", "text", "to", "try", "the", "model", "with.", "heart", "attack", "query:", "passage:")
TABLE = np.random.default_rng(7).normal(size=(len(WORDS), 5)).astype(np.float32)


def graph(output: str = "last_hidden_state", inputs: tuple[str, ...] = ("input_ids", "attention_mask")) -> bytes:
    """An encoder that looks tokens up in TABLE: the smallest that behaves as a real one does."""
    table = numpy_helper.from_array(TABLE, "table")
    axes = numpy_helper.from_array(np.array([1]), "axes")
    looked_up = [helper.make_node("Gather", ["table", "input_ids"], [output])]
    shape = ["batch", "length", TABLE.shape[1]]
    if output == "sentence_embedding":
        looked_up = [
            helper.make_node("Gather", ["table", "input_ids"], ["tokens"]),
            helper.make_node("ReduceSum", ["tokens", "axes"], [output], keepdims=0),
        ]
        shape = ["batch", TABLE.shape[1]]
    given = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"]) for name in inputs]
    made = [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)]
    proto = helper.make_model(
        helper.make_graph(looked_up, "encoder", given, made, [table, axes]),
        opset_imports=[helper.make_opsetid("", 20)],
        ir_version=9,
    )
    return bytes(proto.SerializeToString())


def tokenizer(words: tuple[str, ...] = WORDS) -> bytes:
    made = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return bytes(made.to_str().encode())


def put(folder: Path, name: str, content: object) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())


def small_model(within: Path) -> Path:
    """A whole small model in the layout of sentence-transformers, in a new folder."""
    found = within / "small"
    put(found, "model.onnx", graph())
    put(found, "tokenizer.json", tokenizer())
    put(found, "config.json", {"vocab_size": len(WORDS)})
    put(found, "sentence_bert_config.json", {"max_seq_length": 8, "do_lower_case": True})
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    put(
        found,
        "modules.json",
        [{"path": path, "type": f"sentence_transformers.models.{kind}"} for path, kind in modules],
    )
    put(found, "1_Pooling/config.json", {"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True})
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return small_model(tmp_path)


def added(lab: Path, folder: Path, name: str = "small") -> own_models.OwnModel:
    files = model_folder.read(folder)
    return own_models.add(lab, name, files.settings, files.graph, files.tokenizer)


def unit(vector: Matrix) -> Matrix:
    found: Matrix = vector / np.linalg.norm(vector)
    return found


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("mean_tokens", unit((TABLE[8] + TABLE[9] + TABLE[0]) / 3)),
        ("mean_sqrt_len_tokens", unit((TABLE[8] + TABLE[9] + TABLE[0]) / 3)),
        ("cls_token", unit(TABLE[8])),
        ("lasttoken", unit(TABLE[0])),
        ("max_tokens", unit(TABLE[[8, 9, 0]].max(axis=0))),
    ],
)
def test_pooling_is_what_the_folder_says(tmp_path: Path, folder: Path, mode: str, expected: Matrix) -> None:
    put(folder, "1_Pooling/config.json", {f"pooling_mode_{mode}": True})
    encoder = OnnxEncoder.load(tmp_path / "lab", added(tmp_path / "lab", folder).name)
    assert encoder.encode(["Heart attack elsewhere"])[0] == pytest.approx(expected, abs=1e-6)


def test_prompts_stand_before_passages_and_queries(tmp_path: Path, folder: Path) -> None:
    put(folder, "config_sentence_transformers.json", {"prompts": {"query": "query: ", "passage": "passage: "}})
    put(folder, "1_Pooling/config.json", {"pooling_mode": "cls"})
    stored = added(tmp_path / "lab", folder)
    assert OnnxEncoder.load(tmp_path / "lab", "small").encode(["heart"])[0] == pytest.approx(unit(TABLE[11]), abs=1e-6)
    query = Encoders.standard(tmp_path, own=tmp_path / "lab").embed(stored.model_id, "heart")
    assert not isinstance(query, str)
    assert query == pytest.approx(unit(TABLE[10]), abs=1e-6)


def test_tokens_beyond_the_limit_do_not_count(tmp_path: Path, folder: Path) -> None:
    put(folder, "1_Pooling/config.json", {"pooling_mode_cls_token": True})
    added(tmp_path / "lab", folder)
    encoder = OnnxEncoder.load(tmp_path / "lab", "small")
    assert np.array_equal(encoder.encode(["heart " * 8]), encoder.encode(["heart " * 5000]))


def test_a_graph_that_pools_needs_no_pooling(tmp_path: Path, folder: Path) -> None:
    put(folder, "model.onnx", graph("sentence_embedding", ("input_ids", "attention_mask", "token_type_ids")))
    (folder / "modules.json").unlink()
    assert added(tmp_path / "lab", folder).settings.pooling == "none"
    vector = OnnxEncoder.load(tmp_path / "lab", "small").encode(["heart attack"])[0]
    assert vector == pytest.approx(unit(TABLE[8] + TABLE[9]), abs=1e-6)


def test_pooling_can_be_given_where_the_folder_names_none(folder: Path) -> None:
    (folder / "modules.json").unlink()
    with pytest.raises(ModelFolderBad, match="--pooling"):
        model_folder.read(folder)
    given: Pooling = "cls"
    assert model_folder.read(folder, given).settings.pooling == given


def test_the_stage_embeds_by_the_models_name(tmp_path: Path, folder: Path) -> None:
    stored = added(tmp_path / "lab", folder)
    stage = ONNX.build(Resources(cache=tmp_path, models=tmp_path / "lab"), ONNX.parse_options({"model": "small"}))
    assert isinstance(stage, CpuEmbedder)
    made = stage.execute(stage_context()[0], chunks("x", "heart attack", "text"))
    assert (made.model, made.dimension, made.vectors.shape) == (stored.model_id, 5, (2, 5))


def test_adding_again_changes_nothing_and_another_model_needs_another_name(tmp_path: Path, folder: Path) -> None:
    first = added(tmp_path / "lab", folder)
    assert added(tmp_path / "lab", folder) == first
    put(folder, "1_Pooling/config.json", {"pooling_mode_cls_token": True})
    with pytest.raises(ModelExists, match="--name"):
        added(tmp_path / "lab", folder)
    other = added(tmp_path / "lab", folder, "other")
    assert other.model_id.split("@")[1] != first.model_id.split("@")[1]
    assert own_models.names(tmp_path / "lab") == ["other", "small"]
    own_models.remove(tmp_path / "lab", "small")
    assert own_models.names(tmp_path / "lab") == ["other"]
    for act in (own_models.remove, own_models.find):
        with pytest.raises(ModelNotFound, match="other"):
            act(tmp_path / "lab", "small")


def test_what_is_stored_is_private_and_what_was_not_finished_does_not_count(tmp_path: Path, folder: Path) -> None:
    lab = tmp_path / "lab"
    put(lab, "small/model.onnx", b"half")
    put(lab, "small/other", b"file")
    with pytest.raises(ModelNotFound):
        own_models.find(lab, "small")
    stored = added(lab, folder)
    assert sorted(path.name for path in stored.folder.iterdir()) == ["manifest.json", "model.onnx", "tokenizer.json"]
    assert all(path.stat().st_mode & 0o077 == 0 for path in (stored.folder, *stored.folder.iterdir()))


@pytest.mark.parametrize("file", ["model.onnx", "tokenizer.json", "manifest.json"])
def test_another_file_in_its_place_is_found_when_it_is_loaded(tmp_path: Path, folder: Path, file: str) -> None:
    stored = added(tmp_path / "lab", folder)
    (stored.folder / file).write_bytes((stored.folder / file).read_bytes()[:-1])
    with pytest.raises(ModelDamaged, match=file):
        OnnxEncoder.load(tmp_path / "lab", "small")
    own_models.remove(tmp_path / "lab", "small")
    assert added(tmp_path / "lab", folder) == stored


def huge(folder: Path) -> None:
    os.truncate(folder / "model.onnx", 2**31)


def linked(folder: Path) -> None:
    (folder / "model.onnx").rename(folder.parent / "blob")
    (folder / "model.onnx").symlink_to(folder.parent / "blob")


def pooling_elsewhere(folder: Path) -> None:
    (folder / "1_Pooling").rename(folder.parent / "pooling")
    (folder / "1_Pooling").symlink_to(folder.parent / "pooling")


def two_graphs(folder: Path) -> None:
    (folder / "model.onnx").rename(folder / "a.onnx")
    put(folder, "b.onnx", graph())


BAD: list[tuple[Callable[[Path], object], str]] = [
    (lambda folder: shutil.rmtree(folder), "not a folder"),
    (lambda folder: (folder / "tokenizer.json").unlink(), r"no tokenizer\.json"),
    (lambda folder: (folder / "model.onnx").unlink(), "neither"),
    (huge, "larger than"),
    (linked, "is a link"),
    (pooling_elsewhere, "is a link"),
    (two_graphs, "several graphs"),
    (lambda folder: put(folder, "model.onnx_data", b"x"), "file beside it"),
    (lambda folder: put(folder, "model.onnx", b"no graph"), "ONNX Runtime"),
    (lambda folder: put(folder, "model.onnx", graph(inputs=("input_ids", "pixels"))), "pixels"),
    (lambda folder: put(folder, "tokenizer.json", b"\xff"), r"tokenizer\.json cannot be read"),
    (lambda folder: put(folder, "tokenizer.json", {}), r"tokenizer\.json cannot be read"),
    (lambda folder: put(folder, "tokenizer.json", tokenizer((*WORDS, "one", "more"))), "another model's"),
    (lambda folder: put(folder, "tokenizer.json", tokenizer(WORDS[:5])), "another model's"),
    (lambda folder: put(folder, "config.json", b"{"), "not JSON"),
    (lambda folder: put(folder, "config.json", [1]), "not a JSON object"),
    (lambda folder: put(folder, "modules.json", {"a": 1}), "not a list of modules"),
    (lambda folder: put(folder, "modules.json", [{"path": "", "type": "x.Dense"}]), "names Dense"),
    (lambda folder: put(folder, "modules.json", [{"path": "../1", "type": "x.Pooling"}]), "not a folder beside it"),
    (lambda folder: put(folder, "1_Pooling/config.json", {}), "pooling by nothing"),
    (lambda folder: put(folder, "1_Pooling/config.json", {"pooling_mode": "weightedmean"}), "weightedmean"),
    (lambda folder: put(folder, "1_Pooling/config.json", {"include_prompt": False}), "prompt"),
    (lambda folder: put(folder, "sentence_bert_config.json", {"max_seq_length": "many"}), "'many' tokens"),
    (lambda folder: put(folder, "config_sentence_transformers.json", {"prompts": {"query": 1}}), "not texts"),
]


@pytest.mark.parametrize(("damage", "told"), BAD, ids=[told for _, told in BAD])
def test_a_folder_that_cannot_be_used_says_why(folder: Path, damage: Callable[[Path], object], told: str) -> None:
    damage(folder)
    with pytest.raises((ModelFolderBad, ModelUnusable), match=told):
        model_folder.read(folder)


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "..", "x" * 65, "a\n", "é"])
def test_a_name_is_a_plain_word(name: str) -> None:
    with pytest.raises(ModelNameBad, match="--name"):
        own_models.check_name(name)


def test_without_a_token_table_the_graph_itself_shows_a_wrong_tokenizer(folder: Path) -> None:
    (folder / "config.json").unlink()
    put(folder, "tokenizer.json", tokenizer((*WORDS, "one", "more")))
    with pytest.raises(ModelFolderBad, match="another model's"):
        model_folder.read(folder)


def test_the_packaged_models_own_files_give_its_vectors(tmp_path: Path) -> None:
    """A folder of BERT's weights without ONNX, as it is published."""
    published = tmp_path / "published"
    shutil.copytree(weights.model_folder(), published)
    stored = added(tmp_path / "lab", published, "minilm")
    assert (stored.settings.dimension, stored.settings.max_tokens, stored.settings.pooling) == (384, 256, "mean")
    texts = ["heart attack", "Myocardial infarction in the elderly, with 12 controls.", "banana bread " * 300]
    ours = OnnxEncoder.load(tmp_path / "lab", "minilm").encode(texts)
    packaged = MiniLM(tmp_path / "cache", precision="fp32").encode(texts)
    assert (ours * packaged).sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    put(published, "config.json", {"model_type": "bert", "hidden_act": "gelu"})
    with pytest.raises(ModelFolderBad, match="does not have what"):
        model_folder.read(published)
    put(published, "config.json", {"model_type": "roberta"})
    with pytest.raises(ModelFolderBad, match="not of a BERT"):
        model_folder.read(published)


def test_a_model_is_found_by_its_id_and_another_of_its_name_is_told(tmp_path: Path, folder: Path) -> None:
    stored = added(tmp_path / "lab", folder)
    encoder = OnnxEncoder.load(tmp_path / "lab", stored.model_id)
    assert encoder.made_with == {"model": stored.model_id}
    assert own_models.has(tmp_path / "lab", stored.model_id)
    other = "small@0123456789ab"
    assert not own_models.has(tmp_path / "lab", other)
    with pytest.raises(ModelDiffers, match="models remove small"):
        OnnxEncoder.load(tmp_path / "lab", other)
