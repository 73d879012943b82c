"""The developers' studies and articles in a store of their own, as the lab's own stages make them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from medkg_lab.errors import LabError
from medkg_lab.knowledge.effects import Action, Effect
from medkg_lab.knowledge.encoders import Encoders
from medkg_lab.knowledge.service import Knowledge
from medkg_lab.models.documents import Chunk, Document
from medkg_lab.models.stored import Stored
from medkg_lab.stages.chunk.implementation import SPLITTER
from medkg_lab.stages.contracts import Embeddings, IndexInput
from medkg_lab.stages.embed.minilm import MiniLM
from medkg_lab.stages.index.implementation import KnowledgeIndex
from medkg_lab.stages.parse.auto import parse
from medkg_lab.stages.registry import Resources
from tests.unit.contexts import stage_context

FOLDERS = {"clinicaltrials": Path("ctgov_v2", "studies"), "pmc": Path("jats")}
_BATCH = 48


def files(shared_data: Path) -> dict[str, Path]:
    """The studies and articles by document id."""
    return {
        f"{source}:{path.stem}": path
        for source, folder in FOLDERS.items()
        for path in sorted((shared_data / folder).iterdir())
    }


def filled(folder: Path, documents: dict[str, Path], model: MiniLM | None) -> Knowledge:
    """A store in `folder` with these documents; without a `model` it is searched by words alone."""
    encoders = Encoders({} if model is None else {model.model: lambda: model})
    knowledge = Knowledge(folder, encoders, "cpu")
    splitter: Any = SPLITTER.build(Resources(cache=folder), SPLITTER.parse_options({}))
    parsed = [parse(path.read_bytes(), doc_id, doc_id.partition(":")[0]) for doc_id, path in documents.items()]
    for start in range(0, len(parsed), _BATCH):
        part = parsed[start : start + _BATCH]
        _index(knowledge, [(one, splitter.chunk(one)) for one in part], model)
        knowledge.apply([Effect(Action.PUBLISH, one.doc_id) for one in part], start + 1)
    return knowledge


def _index(knowledge: Knowledge, documents: Sequence[tuple[Document, tuple[Chunk, ...]]], model: MiniLM | None) -> None:
    context, _ = stage_context()
    contexts = [replace(context, doc_id=one.doc_id, job_id=one.doc_id) for one, _ in documents]
    items = [IndexInput(one, chunks, _embeddings(chunks, model)) for one, chunks in documents]
    KnowledgeIndex(_Store(knowledge)).execute_many(contexts, items)


def _embeddings(chunks: tuple[Chunk, ...], model: MiniLM | None) -> Embeddings:
    ids = tuple(chunk.chunk_id for chunk in chunks)
    if model is None:
        return Embeddings("none", 1, "cpu", ids, np.ones((len(ids), 1), dtype=np.float32))
    return Embeddings(model.model, model.dimension, "cpu", ids, model.encode([chunk.text for chunk in chunks]))


class _Store:
    """The two operations of the knowledge process that its stages call, in this process."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge

    def index(self, batch_id: str, documents: Sequence[Mapping[str, object]]) -> list[Stored | LabError]:
        return self._knowledge.stage_text(batch_id, documents)

    def graph(self, batch_id: str, documents: Sequence[Mapping[str, object]]) -> list[Stored | LabError]:
        return self._knowledge.stage_graph(batch_id, documents)

    def vector_model(self) -> str | None:
        return self._knowledge.vector_model()
