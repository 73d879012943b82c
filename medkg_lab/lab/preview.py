"""What an edited pipeline would make of the last documents: its chunk and extract stages and those in use, run side by side.

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
from medkg_lab.models.ir import Chunk, Document, Extraction
from medkg_lab.stages import registry
from medkg_lab.stages.contracts import ExtractInput, Lane, RequestOptions, StageContext, StageType
from medkg_lab.stages.kinds import KINDS
from medkg_lab.stages.registry import Resources
from medkg_lab.topology.models import StageDefinition, Topology
from medkg_lab.topology.profiles import Profile

TRIED = (StageType.CHUNK, StageType.EXTRACT)
_DOCUMENTS = """
SELECT j.job_id, j.doc_id, arg_max(s.ref, s.t1) FROM job j JOIN stage_run s USING (job_id)
WHERE j.pipeline_name = ? AND j.state = 'completed' AND s.kind = 'document' AND s.ref IS NOT NULL
GROUP BY j.job_id, j.doc_id, j.age ORDER BY j.age DESC LIMIT ?
"""


class NothingToPreview(LabError):
    """No completed job of {pipeline} can be tried: there is none, or its documents are no longer kept. Submit some first."""


class NetworkRefused(ServiceError):
    """A preview does not go to the network, so {url} was not asked. Save the pipeline to use a stage that needs it."""


@dataclass(frozen=True, slots=True)
class Side:
    """What one version made of a document: its chunks, and what it extracted, a line each."""

    chunks: tuple[str, ...] = ()
    found: tuple[str, ...] = ()


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
    """The chunk and extract stages of a pipeline that a preview leaves out, each with the reason."""
    profile = lab.catalog.profile(lab.settings.profile)
    found = ((_stage(topology, kind), kind) for kind in TRIED)
    return [f"{stage.name}: {why}" for stage, _ in found if stage and (why := _objection(stage, profile))]


def preview(lab: Lab, old: Topology, new: Topology, last: int) -> Iterator[Previewed]:
    """The last documents of a pipeline under both versions, the newest first. Raises NothingToPreview."""
    rows = lab.ledger.rows(_DOCUMENTS, [old.name, last], limit=last).rows
    store = ArtifactStore(lab.locations.data / "artifacts", "reader")
    kept = [(str(job), str(doc), str(ref)) for job, doc, ref in rows if store.has(str(ref))]
    if not kept:
        raise NothingToPreview(pipeline=old.name)
    data = lab.locations.data
    factory = StageFactory(
        Resources(cache=lab.locations.cache, vocabularies=data / "vocabularies", models=data / "models")
    )
    profile = lab.catalog.profile(lab.settings.profile)
    sides = [_Version(topology, factory, profile, store) for topology in (old, new)]
    for number, (job_id, doc_id, ref) in enumerate(kept, 1):
        document: Document = KINDS["document"].decode(store.get(ref))
        made, trouble = [], ""
        for version in sides:
            try:
                made.append(version.run(job_id, document))
            except LabError as error:
                trouble = str(error)
                made.append(Side())
        yield Previewed(doc_id, number, len(kept), made[0], made[1], trouble)


class _Version:
    """One version of a pipeline, as far as it is tried."""

    def __init__(self, topology: Topology, factory: StageFactory, profile: Profile, store: ArtifactStore) -> None:
        self._topology, self._factory, self._profile, self._store = topology, factory, profile, store

    def run(self, job_id: str, document: Document) -> Side:
        """What the version makes of a document."""
        chunks: Sequence[Chunk] = self._made(StageType.CHUNK, job_id, document, document) or ()
        extraction: Extraction | None = self._made(
            StageType.EXTRACT, job_id, document, ExtractInput(document, tuple(chunks))
        )
        return Side(tuple(one.text for one in chunks), tuple(_lines(extraction)) if extraction else ())

    def _made(self, kind: StageType, job_id: str, document: Document, item: Any) -> Any:
        stage = _stage(self._topology, kind)
        if stage is None or _objection(stage, self._profile):
            return None
        built = self._factory.stage(stage, self._profile).stage
        made = built.execute(self._context(stage, job_id, document), item)
        return asyncio.run(_awaited(made)) if inspect.isawaitable(made) else made

    def _context(self, stage: StageDefinition, job_id: str, document: Document) -> StageContext:
        return StageContext(
            tenant_id="default", job_id=job_id, doc_id=document.doc_id, correlation_id=job_id, pipeline=self._topology.name,
            pipeline_version="preview", batch_id="preview", stage=stage.name, attempt=1, now=time.time, content=self._store.get,
            store=lambda data: sha256(data).hexdigest(), http=_Offline(),
        )  # fmt: skip


async def _awaited(made: Any) -> Any:
    return await made


def _stage(topology: Topology, kind: StageType) -> StageDefinition | None:
    return next((stage for stage in topology.stages if stage.type == kind), None)


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
