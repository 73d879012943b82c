"""One stage for the documents of a batch: inputs in, an outcome for each, outputs kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from medkg_lab.artifacts.store import MAX_VALUE_BYTES, ArtifactStore, ArtifactTooLarge
from medkg_lab.engine.batch_items import BatchItem
from medkg_lab.engine.errors import MissingInput
from medkg_lab.engine.loops import Loops
from medkg_lab.engine.stage_calls import OnRetry, StageCalls, StageOutcome
from medkg_lab.engine.stage_factory import BuiltStage
from medkg_lab.errors import LabError
from medkg_lab.resilience.policies import ResiliencePolicyConfig
from medkg_lab.resilience.resilient_call import BreakerRegistry
from medkg_lab.stages.contracts import StageContext, StageType
from medkg_lab.stages.kinds import INPUT_KINDS, Kind, assemble, kind_of
from medkg_lab.topology.models import StageDefinition

ContextOf = Callable[[StageDefinition, BatchItem], StageContext]


class StoredOutput(NamedTuple):
    """A document's output, in the store."""

    document: BatchItem
    value: Any
    kind: Kind[Any]
    sha256: str
    ms: float


@dataclass(frozen=True)
class FailedDocument:
    """What went wrong with a document."""

    document: BatchItem
    error: Exception


def run_stage(
    stage: StageDefinition,
    built: BuiltStage,
    policy: ResiliencePolicyConfig,
    documents: Sequence[BatchItem],
    artifacts: ArtifactStore,
    context: ContextOf,
    on_retry: OnRetry,
    registry: BreakerRegistry,
    loops: Loops,
    on_document: Callable[[str | None], None] = lambda _: None,
) -> list[StageOutcome]:
    """Call the stage for all documents; those whose inputs cannot be had get that as their outcome.

    `on_document` is called with the job of each document that the stage is called for alone.
    """
    inputs = [_input(stage, document, artifacts) for document in documents]
    ready = [place for place, given in enumerate(inputs) if not isinstance(given, Exception)]
    outcomes = {
        place: StageOutcome(0.0, error=given) for place, given in enumerate(inputs) if isinstance(given, Exception)
    }

    def retrying(places: Sequence[int], attempt: int, delay: float, error: BaseException) -> None:
        on_retry([ready[place] for place in places], attempt, delay, error)

    if ready:

        def started(place: int | None) -> None:
            on_document(None if place is None else documents[ready[place]].job_id)

        calls = StageCalls(built, policy, documents[0].offline, retrying, registry, started, loops.threads)
        contexts = [context(stage, documents[place]) for place in ready]
        done = loops.run(built, calls.run(contexts, [inputs[place] for place in ready]))
        outcomes |= dict(zip(ready, done, strict=True))
    return [outcomes[place] for place in range(len(documents))]


def _input(stage: StageDefinition, document: BatchItem, artifacts: ArtifactStore) -> Any:
    if stage.type is StageType.INGEST:
        return document.submission
    values: dict[str, object] = {}
    for kind in INPUT_KINDS[stage.type]:
        if not document.has(kind):
            return MissingInput(stage=stage.name, kind=kind)
        try:
            values[kind] = document.value(kind, artifacts.get)
        except (LabError, ValueError) as error:  # damaged or missing, or written by another version of the models
            return error
    return assemble(stage.type, values)


def store_outputs(
    stage: StageType, documents: Sequence[BatchItem], outcomes: Sequence[StageOutcome], artifacts: ArtifactStore
) -> tuple[list[StoredOutput], list[FailedDocument]]:
    """Put the outputs into the store with one append; the documents with an output, and those without.

    They become durable, as does what the stage itself stored through its context, before the event that names them is sent.
    """
    failed: list[FailedDocument] = []
    encoded: list[tuple[BatchItem, StageOutcome, Kind[Any], bytes]] = []
    for document, outcome in zip(documents, outcomes, strict=True):
        if outcome.error is not None:
            failed.append(FailedDocument(document, outcome.error))
            continue
        try:
            kind = kind_of(stage, outcome.value)
            data = kind.encode(outcome.value)
            if len(data) > MAX_VALUE_BYTES:
                raise ArtifactTooLarge(size=len(data), limit=MAX_VALUE_BYTES)
        except Exception as error:  # noqa: BLE001 - a third party's value: it may break its own encoding, and only itself
            failed.append(FailedDocument(document, error))
        else:
            encoded.append((document, outcome, kind, data))
    names = artifacts.stage_many([data for *_, data in encoded])
    kept = [
        StoredOutput(document, outcome.value, kind, name, outcome.ms)
        for (document, outcome, kind, _), name in zip(encoded, names, strict=True)
    ]
    for each in kept:
        each.document.add_output(each.kind.name, each.value, each.sha256)
    return kept, failed
