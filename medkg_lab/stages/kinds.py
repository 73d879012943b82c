"""The kinds of value that stages hand on: which stage type takes and gives which, and how each is kept as bytes.

A stage's inputs are found by kind, not by edge: an index stage takes the document, the chunks and the embeddings, whichever
stages made them. Every encoding is deterministic: the same value gives the same bytes, and so the same artifact.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson
from pydantic import BaseModel, TypeAdapter

from medkg_lab.models.documents import Chunk, Document, Extraction
from medkg_lab.models.submission import Payload, Submission
from medkg_lab.stages.contracts import Embeddings, ExtractInput, IndexInput, KGInput, Receipt, SparseVectors, StageType
from medkg_lab.stages.custom_types import custom_types

T = TypeVar("T")

_CHUNKS = TypeAdapter(tuple[Chunk, ...])
_SUBMISSIONS = TypeAdapter(tuple[Submission, ...])


@dataclass(frozen=True)
class Kind(Generic[T]):
    """A kind of value and its encoding; `count` says how many items a value holds."""

    name: str
    encode: Callable[[T], bytes]
    decode: Callable[[bytes], T]
    count: Callable[[T], int]


def _json(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _encode_embeddings(value: Embeddings) -> bytes:
    import numpy as np  # here, since the screen and the command line load the kinds and no numbers

    head: dict[str, object] = {"chunk_ids": value.chunk_ids, "device": value.device}
    head |= {"dimension": value.dimension, "model": value.model}
    body = np.ascontiguousarray(value.vectors, dtype="<f4").tobytes()
    if value.sparse is not None:
        head["sparse_model"] = value.sparse.model
        body += value.sparse.pack()
    return _json(head) + b"\n" + body


def _decode_embeddings(data: bytes) -> Embeddings:
    import numpy as np  # here, since the screen and the command line load the kinds and no numbers

    head, _, body = data.partition(b"\n")
    fields = orjson.loads(head)
    ids, dimension, sparse_model = tuple(fields["chunk_ids"]), fields["dimension"], fields.get("sparse_model")
    size = len(body) if sparse_model is None else 4 * len(ids) * dimension
    vectors = np.frombuffer(body[:size], dtype="<f4").reshape(-1, dimension)
    sparse = None if sparse_model is None else SparseVectors.unpack(sparse_model, len(ids), body[size:])
    return Embeddings(fields["model"], dimension, fields["device"], ids, vectors, sparse)


def _encode_receipt(value: Receipt) -> bytes:
    return _json({"count": value.count, "detail": dict(value.detail), "doc_id": value.doc_id})


def _one(_: Any) -> int:
    return 1


def _json_of(value: BaseModel) -> bytes:
    return _json(value.model_dump(mode="json"))


PAYLOAD = Kind("payload", _json_of, Payload.model_validate_json, _one)
SUBMISSIONS: Kind[tuple[Submission, ...]] = Kind(
    "submissions", lambda v: _json(_SUBMISSIONS.dump_python(v, mode="json")), _SUBMISSIONS.validate_json, len
)
DOCUMENT = Kind("document", _json_of, Document.model_validate_json, _one)

KINDS: dict[str, Kind[Any]] = {
    kind.name: kind
    for kind in (
        PAYLOAD,
        SUBMISSIONS,
        DOCUMENT,
        Kind("chunks", lambda v: _json(_CHUNKS.dump_python(v, mode="json")), _CHUNKS.validate_json, len),
        Kind("embeddings", _encode_embeddings, _decode_embeddings, lambda v: len(v.chunk_ids)),
        Kind("index_receipt", _encode_receipt, lambda b: Receipt(**orjson.loads(b)), lambda v: v.count),
        Kind(
            "extraction",
            _json_of,
            Extraction.model_validate_json,
            lambda v: len(v.nodes) + len(v.edges),
        ),
        Kind("kg_receipt", _encode_receipt, lambda b: Receipt(**orjson.loads(b)), lambda v: v.count),
    )
}


def _encode_plain(value: Any) -> bytes:
    """JSON as `json.dumps` writes it, sorted: a plug-in's kind holds nothing else."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


KINDS |= {
    kind: Kind(kind, _encode_plain, json.loads, lambda v: len(v) if isinstance(v, list) else 1)
    for one in custom_types().values()
    for kind in (*one.takes, one.gives)
    if kind not in KINDS
}

INPUT_KINDS: dict[StageType, tuple[str, ...]] = {
    StageType.INGEST: (),
    StageType.DOWNLOAD: ("payload",),
    StageType.PARSE: ("payload",),
    StageType.CHUNK: ("document",),
    StageType.EMBED: ("chunks",),
    StageType.INDEX: ("document", "chunks", "embeddings"),
    StageType.EXTRACT: ("document", "chunks"),
    StageType.KG: ("document", "extraction"),
}

OUTPUT_KIND: dict[StageType, str] = {
    StageType.INGEST: "payload",
    StageType.DOWNLOAD: "payload",
    StageType.PARSE: "document",
    StageType.CHUNK: "chunks",
    StageType.EMBED: "embeddings",
    StageType.INDEX: "index_receipt",
    StageType.EXTRACT: "extraction",
    StageType.KG: "kg_receipt",
}

INPUT_KINDS |= {StageType(name): one.takes for name, one in custom_types().items()}
OUTPUT_KIND |= {StageType(name): one.gives for name, one in custom_types().items()}


def kind_of(stage_type: StageType, value: Any) -> Kind[Any]:
    """The kind of a stage's output: what the type gives, except that an ingest stage may expand into submissions."""
    if stage_type is StageType.INGEST and isinstance(value, tuple):
        return SUBMISSIONS
    return KINDS[OUTPUT_KIND[stage_type]]


def assemble(stage_type: StageType, values: Mapping[str, Any]) -> Any:
    """Build a stage's input from the values known by kind; KeyError names a kind that no earlier stage made."""
    taken = [values[name] for name in INPUT_KINDS[stage_type]]
    match stage_type:
        case StageType.INDEX:
            return IndexInput(*taken)
        case StageType.EXTRACT:
            return ExtractInput(*taken)
        case StageType.KG:
            return KGInput(*taken)
        case _:
            return taken[0] if len(taken) == 1 else tuple(taken)
