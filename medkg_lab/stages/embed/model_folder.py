"""Reading a model as it is published: a folder in the layout of sentence-transformers, with an ONNX graph or BERT's own weights.

Layout: https://sbert.net/docs/sentence_transformer/usage/custom_models.html. What a folder does not say is not guessed: a wrong
pooling gives vectors that look right and find nothing.
"""

import json
import stat
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from medkg_lab.files import read_regular
from medkg_lab.stages.embed.errors import ModelFolderBad, ModelUnusable
from medkg_lab.stages.embed.onnx_encoder import Graph, OnnxEncoder, pooled, read_tokenizer
from medkg_lab.stages.embed.own_models import GRAPH, LARGEST_BYTES, TOKENIZER, EncoderSettings, Pooling
from medkg_lab.stages.embed.weights import Architecture, parse_safetensors

_CONFIG_BYTES = 16 * 1024 * 1024
_MAX_TOKENS = 512
"""Where a folder does not say how many a text may have."""
_LEAST_VOCABULARY = 0.9
"""Of the entries that `config.json` names, the share that the tokenizer must know: graphs are padded, but not by more."""
_WEIGHTS = "model.safetensors"
_PROBE = "A text to try the model with."
_MODULES = ("Transformer", "Pooling", "Normalize")
_POOLING: Mapping[str, Pooling] = {
    "cls": "cls",
    "cls_token": "cls",
    "mean": "mean",
    "mean_tokens": "mean",
    # The same direction as the mean, and every vector is scaled to length 1.
    "mean_sqrt_len_tokens": "mean",
    "max": "max",
    "max_tokens": "max",
    "lasttoken": "last",
}
_POOLED_OUTPUTS = ("sentence_embedding", "embedding")
_TOKEN_OUTPUTS = ("last_hidden_state", "token_embeddings")


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model that has been tried: its graph, its tokenizer and how to use them."""

    graph: bytes
    tokenizer: bytes
    settings: EncoderSettings


class _Folder:
    """The regular files of a folder, none of them a link: what is checked and what is copied are the same bytes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_dir():
            raise self.bad("it is not a folder")

    def bad(self, detail: str) -> ModelFolderBad:
        return ModelFolderBad(path=self.path, detail=detail)

    def read(self, name: str, most: int = _CONFIG_BYTES) -> bytes | None:
        """The bytes of a file; None when there is none."""
        path = self.path / name
        for part in (path, *path.parents):
            if part == self.path:
                break
            if part.is_symlink():
                raise self.bad(f"{part.relative_to(self.path)} is a link; copy the files themselves with `cp -rL`")
        try:
            return read_regular(path, most)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self.bad(f"{name} cannot be read: {error}") from None

    def json(self, name: str) -> Any:
        """The content of a file of JSON; None when there is none."""
        data = self.read(name)
        try:
            return None if data is None else json.loads(data)
        except ValueError as error:
            raise self.bad(f"{name} is not JSON: {error}") from None

    def record(self, name: str) -> dict[str, object]:
        """The object in a file of JSON; empty when there is none."""
        found = self.json(name)
        if found is not None and not isinstance(found, dict):
            raise self.bad(f"{name} is not a JSON object")
        return found or {}

    def graphs(self) -> list[str]:
        """The files that end in `.onnx`, by their paths in the folder."""
        found = [*self.path.glob("*.onnx"), *self.path.glob("onnx/*.onnx")]
        return sorted(str(path.relative_to(self.path)) for path in found if not stat.S_ISDIR(path.lstat().st_mode))


def read(path: Path, pooling: Pooling | None = None) -> ModelFiles:
    """Read the model in the folder at `path` and try it with a text; `pooling` is for a folder that names none.

    Raises ModelFolderBad or ModelUnusable.
    """
    folder = _Folder(path)
    tokenizer = folder.read(TOKENIZER, LARGEST_BYTES[TOKENIZER])
    if tokenizer is None:
        raise folder.bad(f"it has no {TOKENIZER}; save the model's fast tokenizer there")
    config = folder.record("config.json")
    data = _graph(folder, config)
    name = path.name
    graph, words = Graph(name, data), read_tokenizer(name, tokenizer)
    output, axes = _output(folder, graph)
    said = _pooling(folder) or pooling
    if axes == 3 and said is None:
        raise folder.bad("neither modules.json nor --pooling says how token vectors become one")
    chosen: Pooling = "none" if axes == 2 or said is None else said
    _check_vocabulary(folder, graph, words, config, output)
    prompts = folder.record("config_sentence_transformers.json")
    of_sentences = folder.record("sentence_bert_config.json")
    settings = EncoderSettings(
        pooling=chosen,
        dimension=int(pooled(graph.run(output, words.encode(_PROBE).ids), chosen).shape[-1]),
        max_tokens=_most_tokens(folder, of_sentences, config),
        output=output,
        passage_prefix=_prompt(folder, prompts, "document", "passage", "corpus"),
        query_prefix=_prompt(folder, prompts, "query"),
        lowercase=of_sentences.get("do_lower_case") is True,
    )
    OnnxEncoder(name, settings, graph, words, "passage").encode([_PROBE, f"{_PROBE} " * settings.max_tokens])
    return ModelFiles(data, tokenizer, settings)


def _graph(folder: _Folder, config: Mapping[str, object]) -> bytes:
    found = folder.graphs()
    usual = [name for name in (GRAPH, f"onnx/{GRAPH}") if name in found]
    if not usual and len(found) > 1:
        raise folder.bad(f"it has several graphs ({', '.join(found)}); keep one, or call it {GRAPH}")
    if name := next(iter([*usual, *found]), None):
        if any(folder.path.joinpath(name).parent.glob(f"{Path(name).name}?data")):
            raise folder.bad(f"the weights of {name} are in a file beside it; export the model into one file")
        data = folder.read(name, LARGEST_BYTES[GRAPH])
        if data is not None:
            return data
    weights = folder.read(_WEIGHTS, LARGEST_BYTES[GRAPH])
    if weights is None:
        raise folder.bad(f"it has neither {GRAPH}, onnx/{GRAPH} nor {_WEIGHTS}")
    return _graph_of_bert(folder, weights, config)


def _graph_of_bert(folder: _Folder, weights: bytes, config: Mapping[str, object]) -> bytes:
    """The graph of a BERT encoder, made from its tensors."""
    from medkg_lab.stages.embed.bert import build

    kind = config.get("model_type"), config.get("hidden_act"), config.get("position_embedding_type", "absolute")
    if kind != ("bert", "gelu", "absolute"):
        raise folder.bad(f"it has no ONNX graph, and {_WEIGHTS} is not of a BERT with absolute positions and gelu")
    try:
        tensors = {key.removeprefix("bert."): one for key, one in parse_safetensors(weights).items()}
        return build(tensors, Architecture.of(config), is_pooled=False)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, struct.error) as error:
        raise folder.bad(f"{_WEIGHTS} does not have what config.json says: {error!r}") from None


def _output(folder: _Folder, graph: Graph) -> tuple[str, int]:
    """The output to use and its number of axes: the graph's own sentence vector where it has one."""
    for names, axes in ((_POOLED_OUTPUTS, 2), (_TOKEN_OUTPUTS, 3)):
        for name in names:
            if graph.outputs.get(name) == axes:
                return name, axes
    usable = [(name, axes) for name, axes in graph.outputs.items() if axes in (2, 3)]
    if len(usable) != 1:
        raise folder.bad(f"its graph gives {', '.join(graph.outputs)}, and none of them is {_TOKEN_OUTPUTS[0]}")
    return usable[0]


def _pooling(folder: _Folder) -> Pooling | None:
    """The pooling that modules.json and what it names say; None where they say nothing."""
    modules = folder.json("modules.json")
    if modules is None:
        return None
    pooling: Pooling | None = None
    try:
        kinds = {str(module["type"]).rsplit(".", 1)[-1]: str(module["path"]) for module in modules}
    except (TypeError, KeyError):
        raise folder.bad("modules.json is not a list of modules with `type` and `path`") from None
    if others := [kind for kind in kinds if kind not in _MODULES]:
        raise folder.bad(f"modules.json names {', '.join(others)}, and only {', '.join(_MODULES)} can be used")
    if (place := kinds.get("Pooling")) is not None:
        if Path(place).name != place:
            raise folder.bad(f"modules.json names {place!r}, which is not a folder beside it")
        pooling = _pooling_of(folder, f"{place}/config.json")
    return pooling


def _pooling_of(folder: _Folder, file: str) -> Pooling:
    config = folder.record(file)
    if config.get("include_prompt") is False:
        raise folder.bad(f"{file} leaves the prompt out of the pooling, which is not supported")
    prefix = "pooling_mode_"
    named = [key.removeprefix(prefix) for key, value in config.items() if key.startswith(prefix) and value is True]
    named = named or [str(config.get("pooling_mode", "nothing"))]
    pooling = _POOLING.get(named[0])
    if len(named) != 1 or pooling is None:
        raise folder.bad(f"{file} asks for pooling by {' and '.join(named)}; it can be {', '.join(sorted(_POOLING))}")
    return pooling


def _check_vocabulary(
    folder: _Folder, graph: Graph, words: Tokenizer, config: Mapping[str, object], output: str
) -> None:
    """Raise ModelFolderBad when the tokenizer is another model's: it has more tokens than the graph, or far fewer."""
    largest = max(words.get_vocab(with_added_tokens=True).values(), default=0)
    entries = config.get("vocab_size")
    if isinstance(entries, int) and not _LEAST_VOCABULARY * entries <= largest + 1 <= entries:
        raise folder.bad(f"{TOKENIZER} has {largest + 1} tokens and the model {entries}: it is another model's")
    try:
        graph.run(output, [largest] * 4)
    except ModelUnusable:
        raise folder.bad(f"the graph does not take token {largest} of {TOKENIZER}: it is another model's") from None


def _most_tokens(folder: _Folder, of_sentences: Mapping[str, object], config: Mapping[str, object]) -> int:
    said = of_sentences.get("max_seq_length")
    said = said if said is not None else config.get("max_position_embeddings", _MAX_TOKENS)
    if not isinstance(said, int) or not 4 <= said <= 65_536:
        raise folder.bad(f"it says that a text may have {said!r} tokens, and 4 to 65536 can be used")
    return said


def _prompt(folder: _Folder, config: Mapping[str, object], *names: str) -> str:
    """What is put before a text, by the first of the prompts' `names` that the folder knows, or by its default."""
    prompts = config.get("prompts") or {}
    if not isinstance(prompts, dict) or not all(isinstance(one, str) for one in prompts.values()):
        raise folder.bad("the prompts of config_sentence_transformers.json are not texts by name")
    for name in (*names, config.get("default_prompt_name")):
        if name in prompts:
            return str(prompts[name])
    return ""
