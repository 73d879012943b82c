"""What is in the artifacts of each kind, and which of it comes from what in the artifacts that they are made of."""

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache

from pydantic import BaseModel

from medkg_lab.models.documents import Chunk, Document, Extraction
from medkg_lab.models.submission import Payload, Submission
from medkg_lab.stages.contracts import Embeddings, Receipt

_RECORDS: Mapping[str, type] = {
    "payload": Payload,
    "submissions": Submission,
    "document": Document,
    "chunks": Chunk,
    "embeddings": Embeddings,
    "index_receipt": Receipt,
    "extraction": Extraction,
    "kg_receipt": Receipt,
}
"""What an artifact of a kind holds one of, or many."""
SOURCES: Mapping[str, Mapping[str, tuple[tuple[str, str], ...]]] = {
    "document": {
        "title": (("payload", "sha256"),),
        "blocks": (("payload", "sha256"),),
        "codes": (("payload", "sha256"),),
    },
    "chunks": {
        "doc_id": (("document", "doc_id"),),
        "text": (("document", "blocks"),),
        "section": (("document", "blocks"),),
        "spans": (("document", "blocks"),),
    },
    "embeddings": {
        "chunk_ids": (("chunks", "chunk_id"),),
        "vectors": (("chunks", "text"),),
        "sparse": (("chunks", "text"),),
    },
    "extraction": {
        "doc_id": (("document", "doc_id"),),
        "nodes": (("document", "codes"), ("chunks", "text")),
        "edges": (("document", "codes"), ("chunks", "text")),
        "mentions": (("chunks", "text"),),
    },
}
"""By kind and field, the fields of other kinds that it is made from."""


@cache
def columns(kind: str) -> tuple[tuple[str, str], ...]:
    """The fields of a kind with their types; nothing for the kind of a plug-in, which the lab knows nothing of."""
    record = _RECORDS.get(kind)
    if record is None:
        return ()
    if issubclass(record, BaseModel):
        return tuple((name, _named(info.annotation)) for name, info in record.model_fields.items())
    assert is_dataclass(record), "the kinds are models and dataclasses"
    return tuple((each.name, _named(each.type)) for each in fields(record))


def _named(kind: object) -> str:
    """A type as it is written in the source, without the modules that its parts come from."""
    return kind.__name__ if type(kind) is type else re.sub(r"\b\w+\.", "", str(kind))
