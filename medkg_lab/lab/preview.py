"""What an edited pipeline would make of the last documents: its stages and those in use, run side by side.

Tried are the stages for chunks and extraction, and those of plug-ins' types.

Both versions read the documents that the lab keeps, as their parse stages made them; nothing is written, and nothing goes to the
network: a stage that calls a service or needs a GPU is not tried.
"""

import asyncio
import inspect
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NoReturn, Unpack

from medkg_lab.artifacts.store import ArtifactStore
from medkg_lab.engine.stage_factory import StageFactory
from medkg_lab.errors import LabError, ServiceError
from medkg_lab.lab.facade import Lab
from medkg_lab.ledger.named_queries import Named
from medkg_lab.models.documents import Chunk, Document, Extraction
from medkg_lab.stages import registry
from medkg_lab.stages.contracts import Lane, RequestOptions, StageContext, StageType
from medkg_lab.stages.custom_types import custom_types
from medkg_lab.stages.kinds import DOCUMENT, INPUT_KINDS, KINDS, assemble, kind_of
from medkg_lab.stages.registry import Resources
from medkg_lab.topology.graph import dependencies, sort
from medkg_lab.topology.models import StageDefinition, Topology
from medkg_lab.topology.profiles import Profile

_LEFT_ALONE = (StageType.INGEST, StageType.DOWNLOAD, StageType.PARSE, StageType.EMBED, StageType.INDEX, StageType.KG)
"""What is not tried: it makes the document, or what only the indexes read."""


class NothingToPreview(LabError):
    """No completed job of {pipeline} can be tried: there is none, or its documents are no longer kept. Submit some first."""


class NetworkRefused(ServiceError):
    """A preview does not go to the network, so {url} was not asked. Save the pipeline to use a stage that needs it."""


@dataclass(frozen=True, slots=True)
class Side:
    """What one version made of a document, a line each: chunks, what it extracted, and what stages of plug-ins' types made."""

    chunks: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    made: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Previewed:
    """A document under both versions, which is number `number` of `of`; `trouble` is why one of them made nothing."""

    doc_id: str
    number: int
    of: int
    before: Side
    after: Side
    trouble: str = ""

    @property
    def differs(self) -> bool:
        """Whether the versions differ in it."""
        return self.before != self.after


class _Offline:
    """The outside of a preview: there is none."""

    def request(self, method: str, url: str, **options: Unpack[RequestOptions]) -> NoReturn:
        raise NetworkRefused(url=url)

    async def request_async(self, method: str, url: str, **options: Unpack[RequestOptions]) -> NoReturn:
        raise NetworkRefused(url=url)


def not_tried(lab: Lab, topology: Topology) -> list[str]:
    """The stages that a preview would try and leaves out, each with the reason."""
    profile = lab.catalog.profile(lab.settings.profile)
    return [f"{stage.name}: {why}" for stage in _tried(topology) if (why := _objection(stage, profile))]


def preview(lab: Lab, old: Topology, new: Topology, last: int) -> Iterator[Previewed]:
    """The last documents of a pipeline under both versions, the newest first. Raises NothingToPreview."""
    previewer = Previewer(lab)
    kept = previewer.last_documents(old.name, last)
    sides = [previewer.version(topology) for topology in (old, new)]
    for number, (job_id, document) in enumerate(kept, 1):
        made, trouble = [], ""
        for version in sides:
            try:
                made.append(version.run(job_id, document))
            except LabError as error:
                trouble = str(error)
                made.append(Side())
        yield Previewed(document.doc_id, number, len(kept), made[0], made[1], trouble)


class Previewer:
    """What versions of pipelines are tried with: the lab's models, vocabularies and documents, read and never written."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._store = ArtifactStore(lab.locations.data / "artifacts", "reader")
        data = lab.locations.data
        resources = Resources(cache=lab.locations.cache, vocabularies=data / "vocabularies", models=data / "models")
        self._factory = StageFactory(resources)
        self._profile = lab.catalog.profile(lab.settings.profile)

    def version(self, topology: Topology) -> "Version":
        """A version of a pipeline, to be tried."""
        return Version(topology, self._factory, self._profile, self._store)

    def last_documents(self, pipeline: str | None, last: int) -> list[tuple[str, Document]]:
        """The last documents that are kept of a pipeline, or of all, each with its job. Raises NothingToPreview."""
        rows = self._lab.ledger.rows(Named.LAST_DOCUMENTS, [pipeline, last], limit=last).rows
        decode = DOCUMENT.decode
        kept = [(str(job), decode(self._store.get(str(ref)))) for job, _, ref in rows if self._store.has(str(ref))]
        if not kept:
            raise NothingToPreview(pipeline=pipeline or "any pipeline")
        return kept


class Version:
    """One version of a pipeline, as far as it is tried."""

    def __init__(self, topology: Topology, factory: StageFactory, profile: Profile, store: ArtifactStore) -> None:
        self._topology, self._factory, self._profile, self._store = topology, factory, profile, store

    def run(self, job_id: str, document: Document) -> Side:
        """What the version makes of a document. Raises LabError."""
        values: dict[str, Any] = {"document": document}
        own: list[str] = []
        for stage in _tried(self._topology):
            missing = [kind for kind in INPUT_KINDS[stage.type] if kind not in values]
            if missing or _objection(stage, self._profile):
                continue
            built = self._factory.stage(stage, self._profile).stage
            made = built.execute(self._context(stage, job_id, document), assemble(stage.type, values))
            value = asyncio.run(_awaited(made)) if inspect.isawaitable(made) else made
            kind = kind_of(stage.type, value).name
            values[kind] = value
            if stage.type.value in custom_types():
                own += _plain_lines(kind, value)
        extraction: Extraction | None = values.get("extraction")
        chunks: Sequence[Chunk] = values.get("chunks", ())
        found = tuple(_lines(extraction)) if extraction else ()
        return Side(tuple(one.text for one in chunks), found, tuple(own))

    def _context(self, stage: StageDefinition, job_id: str, document: Document) -> StageContext:
        return StageContext(
            tenant_id="default", job_id=job_id, doc_id=document.doc_id, correlation_id=job_id, pipeline=self._topology.name,
            pipeline_version="preview", batch_id="preview", stage=stage.name, attempt=1, now=time.time, content=self._store.get,
            store=lambda data: sha256(data).hexdigest(), http=_Offline(),
        )  # fmt: skip


async def _awaited(made: Any) -> Any:
    return await made


def _tried(topology: Topology) -> list[StageDefinition]:
    """The stages that are tried, in an order in which each comes after what it depends on."""
    ordered = map(topology.stage, sort(dependencies(topology.stages)))
    return [stage for stage in ordered if not stage.is_gate and stage.type not in _LEFT_ALONE]


def _plain_lines(kind: str, value: Any) -> list[str]:
    """What a plug-in's stage made: a document's paragraphs, chunks' texts, else JSON."""
    if isinstance(value, Document):
        return [block.text for block in value.blocks]
    if kind == "chunks":
        return [one.text for one in value]
    return [f"{kind}: {line}" for line in KINDS[kind].encode(value).decode().splitlines()]


def _objection(stage: StageDefinition, profile: Profile) -> str:
    """Why a stage cannot be tried here; empty when it can."""
    choice = profile.choice(stage)
    implementation = registry.find(choice.implementation)
    if implementation.lane is Lane.NETWORK:
        return f"{implementation.name} calls a service"
    return (
        f"{implementation.name} needs a GPU" if implementation.needs(implementation.parse_options(choice.with_)) else ""
    )


def _lines(extraction: Extraction) -> Iterator[str]:
    """What was extracted: nodes and statements, without where they stand, in an order of their own."""
    names = {node.node_id: node.name for node in extraction.nodes}
    yield from sorted({f"{node.kind}: {node.name}" for node in extraction.nodes})
    yield from sorted(
        {
            f"{names.get(edge.source, edge.source)} {edge.relation} {names.get(edge.target, edge.target)}"
            for edge in extraction.edges
        }
    )
