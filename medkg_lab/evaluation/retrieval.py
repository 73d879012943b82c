"""Search measured on a test collection, by the lab's own store, indexes, query encoder and fusion in a folder of their own."""

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from medkg_lab.evaluation.dataset import Dataset, Item
from medkg_lab.evaluation.measures import DEPTH_OF_RECALL, ndcg, randomisation_test, recall
from medkg_lab.files import replace_private
from medkg_lab.knowledge.effects import Action, Effect
from medkg_lab.knowledge.encoders import Encoders
from medkg_lab.knowledge.fusion import Ranking
from medkg_lab.knowledge.messages import TextDocument
from medkg_lab.knowledge.search import Question
from medkg_lab.knowledge.service import Knowledge
from medkg_lab.settings import SearchSettings
from medkg_lab.stages.embed.minilm import MiniLM
from medkg_lab.stages.embed.options import DEFAULT_PRECISION, Precision

_BATCH = 500
FUSED = "fused"
Matrix = npt.NDArray[np.float32]
Rankings = Mapping[str, Sequence[str]]
"""Documents, best first, by leg; one leg is the fusion."""


def passage(item: Item) -> str:
    """The text that is indexed for a document, as the splitter writes it: the title before the first passage."""
    return f"{item.title}\n\n{item.text}".strip()


def vectors_of(items: Sequence[Item], encoder: MiniLM, cache: Path, say: Callable[[str], None]) -> Matrix:
    """The vectors of the documents, kept in `cache` by model and text, because an evaluation is repeated on the same data."""
    digest = hashlib.sha256(encoder.model.encode())
    for item in items:
        digest.update(hashlib.sha256(passage(item).encode()).digest())
    path = cache / "evaluation" / f"{digest.hexdigest()}.f32"
    size = 4 * len(items) * encoder.dimension
    if path.is_file() and path.stat().st_size == size:
        return np.fromfile(path, dtype="<f4").reshape(len(items), encoder.dimension)
    say(f"embedding {len(items)} documents; the vectors are kept in {path.parent}")
    vectors = encoder.encode([passage(item) for item in items])
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_private(path, np.ascontiguousarray(vectors, dtype="<f4").tobytes(), durable=True)
    return vectors


def index(knowledge: Knowledge, items: Sequence[Item], vectors: Matrix, model: str) -> None:
    """Put documents into the store as the index stage does, and publish them as the completion of their jobs does."""
    for start in range(0, len(items), _BATCH):
        part = items[start : start + _BATCH]
        messages = [_message(item, vectors[start + n : start + n + 1], model) for n, item in enumerate(part)]
        knowledge.stage_text(f"evaluation-{start}", messages)
    knowledge.apply([Effect(Action.PUBLISH, item.doc_id) for item in items], 1)


def _message(item: Item, vector: Matrix, model: str) -> Mapping[str, object]:
    text = passage(item)
    chunk = {
        "chunk_id": f"{item.doc_id}#0",
        "doc_id": item.doc_id,
        "number": 0,
        "text": text,
        "spans": [{"block": 0, "start": 0, "end": len(text)}],
    }
    return {
        "doc_id": item.doc_id,
        "job_id": item.doc_id,
        "source": "evaluation",
        "title": item.title,
        "chunks": [chunk],
        "model": model,
        "dimension": vector.shape[1],
        "vectors": TextDocument.pack(vector),
    }


def rankings(knowledge: Knowledge, query: str) -> Rankings:
    """The documents that each leg and the fusion find for a query."""
    found = knowledge.searcher.rank(Question(query=query, is_plain=True, limit=DEPTH_OF_RECALL, per_document=1))
    legs = {**found.rankings, FUSED: found.chosen}
    return {leg: _documents(ranking, found.owners) for leg, ranking in legs.items()}


def _documents(ranking: Ranking, owners: Mapping[int, str]) -> list[str]:
    return list(dict.fromkeys(owners[key] for key, _ in ranking if key in owners))


def retrievers_off(knowledge: Knowledge, dataset: Dataset) -> dict[str, str]:
    """The legs that take no part in the measurement, each with the reason."""
    legs = knowledge.searcher.search(Question(query=next(iter(dataset.queries.values())), is_plain=True, limit=1)).legs
    return {leg: state.removeprefix("off: ") for leg, state in legs.items() if state != "on"}


@dataclass(frozen=True)
class Scores:
    """nDCG@10 and Recall@100 of one leg, per query."""

    ndcg: Sequence[float]
    recall: Sequence[float]


def score(found: Iterable[tuple[str, Rankings]], dataset: Dataset) -> dict[str, Scores]:
    """The scores of each leg over the queries, in their order."""
    scores: dict[str, Scores] = {}
    for query, legs in found:
        grades = dataset.judgements[query]
        for leg, ranking in legs.items():
            kept = scores.setdefault(leg, Scores([], []))
            scores[leg] = Scores([*kept.ndcg, ndcg(ranking, grades)], [*kept.recall, recall(ranking, grades)])
    return scores


class RetrieverScores(msgspec.Struct, frozen=True):
    """The means of one leg over the queries."""

    ndcg: float = msgspec.field(name="ndcg@10")
    recall: float = msgspec.field(name="recall@100")


class Gain(msgspec.Struct, frozen=True):
    """The fusion against one leg: what it gains, and how likely that much comes by chance."""

    ndcg: float = msgspec.field(name="ndcg@10_gain")
    p: float


class RetrievalReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the command prints: means per leg, the fusion against each other leg, and why legs took no part."""

    eval: str = "retrieval"
    dataset: str
    documents: int
    queries: int
    queries_without_text: int
    settings: Mapping[str, object]
    legs: Mapping[str, RetrieverScores]
    fused_against: Mapping[str, Gain]
    better_leg: str
    gain_over_better_leg: float
    model: str
    legs_off: Mapping[str, str]


def report(
    dataset: Dataset,
    scores: Mapping[str, Scores],
    settings: SearchSettings,
    model: str,
    legs_off: Mapping[str, str],
) -> RetrievalReport:
    """The scores together."""
    fused = scores[FUSED]
    others = {leg: each for leg, each in scores.items() if leg != FUSED}
    means = {leg: float(np.mean(each.ndcg)) for leg, each in scores.items()}
    better = max(others, key=lambda leg: means[leg])
    return RetrievalReport(
        dataset=dataset.name,
        documents=len(dataset.items),
        queries=len(dataset.queries),
        queries_without_text=dataset.unknown_queries,
        settings=settings.model_dump(mode="json"),
        legs={leg: RetrieverScores(means[leg], float(np.mean(each.recall))) for leg, each in scores.items()},
        fused_against={
            leg: Gain(means[FUSED] - means[leg], randomisation_test(fused.ndcg, each.ndcg))
            for leg, each in others.items()
        },
        better_leg=better,
        gain_over_better_leg=means[FUSED] - means[better],
        model=model,
        legs_off=legs_off,
    )


def evaluate(
    dataset: Dataset,
    cache: Path,
    settings: SearchSettings,
    say: Callable[[str], None],
    scratch: Path | None = None,
    precision: Precision = DEFAULT_PRECISION,
) -> RetrievalReport:
    """Index the collection in a folder of its own (below `scratch`), ask every query, and report. Models are kept in `cache`."""
    encoder = MiniLM(cache, precision=precision)
    vectors = vectors_of(dataset.items, encoder, cache, say)
    with tempfile.TemporaryDirectory(prefix="medkg-lab-eval-", dir=scratch) as folder:
        knowledge = Knowledge(Path(folder), Encoders({encoder.model: lambda: encoder}), "cpu", settings)
        try:
            index(knowledge, dataset.items, vectors, encoder.model)
            say(f"asking {len(dataset.queries)} queries")
            found = ((query, rankings(knowledge, text)) for query, text in dataset.queries.items())
            scores = score(found, dataset)
            return report(dataset, scores, settings, encoder.model, retrievers_off(knowledge, dataset))
        finally:
            knowledge.close()
