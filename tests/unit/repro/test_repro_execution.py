"""One executor for the engine and for runs: whatever a pipeline looks like, a run does what the engine did."""

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medkg_lab.artifacts.store import ArtifactStore
from medkg_lab.bridge.specs import job_spec
from medkg_lab.engine.batch_executor import Batch, BatchExecutor, Chosen, Pipeline
from medkg_lab.engine.batch_items import of_spec
from medkg_lab.engine.http_recording import SharedHttpClient
from medkg_lab.engine.ledger_listener import LedgerListener
from medkg_lab.engine.stage_factory import StageFactory
from medkg_lab.errors import DocumentError, LabError, ServiceError
from medkg_lab.locations import locate
from medkg_lab.models.documents import Block, BlockKind, Chunk, ChunkSpan, Document, Extraction, Node, Place
from medkg_lab.models.event_codec import spec_to_json, to_json
from medkg_lab.models.events import Event, EventData
from medkg_lab.models.submission import Content, Payload, Submission
from medkg_lab.repro.manifest import JobEntry
from medkg_lab.repro.overrides import ReplayOverrides
from medkg_lab.repro.virtual_time import VirtualClock, VirtualLoops
from medkg_lab.repro.workbench import Workbench
from medkg_lab.resilience.resilient_call import BreakerRegistry
from medkg_lab.stages import registry
from medkg_lab.stages.contracts import Embeddings, StageContext, StageType
from medkg_lab.stages.registry import Implementation, Resources
from medkg_lab.topology.models import Topology
from medkg_lab.topology.versions import content_version, version_of
from tests.unit.contexts import NoOutside
from tests.unit.repro.worlds import POLICIES, PROFILE, T0, archive_of, event, sha


class Spoilt(DocumentError):
    """{stage} refuses {doc_id}."""


class Busy(ServiceError):
    """{stage} is busy."""


class Tiny:
    """A stage that fails for the documents whose names say so: `fail-STAGE`, `flaky-STAGE` at the first attempt, `bug-STAGE`."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, str, str]] = set()

    def stumble(self, context: StageContext) -> None:
        once = (context.batch_id, context.job_id, context.stage)
        if f"fail-{context.stage}" in context.doc_id:
            raise Spoilt(stage=context.stage, doc_id=context.doc_id)
        if f"bug-{context.stage}" in context.doc_id:
            raise ZeroDivisionError("a bug")
        if f"flaky-{context.stage}" in context.doc_id and once not in self.seen:
            self.seen.add(once)
            raise Busy(stage=context.stage)


class Ingest(Tiny):
    async def execute(self, context: StageContext, item: Submission) -> Payload | tuple[Submission, ...]:
        self.stumble(context)
        if "many" in item.key:
            return tuple(Submission(source="file", key=f"{item.key}-{number}") for number in range(2))
        assert item.content is not None
        assert item.content.sha256 is not None
        return Payload(sha256=item.content.sha256, media_type="text/plain", size=1, source="file", key=item.key)


class Parse(Tiny):
    def execute(self, context: StageContext, item: Payload) -> Document:
        self.stumble(context)
        block = Block(kind=BlockKind.PARAGRAPH, text=item.key, place=Place(element="1"))
        return Document(doc_id=context.doc_id, source="file", title=item.key, blocks=(block,))


class Chunks(Tiny):
    def execute(self, context: StageContext, item: Document) -> tuple[Chunk, ...]:
        self.stumble(context)
        span = ChunkSpan(block=0, start=0, end=1)
        return (Chunk(chunk_id=f"{item.doc_id}#0", doc_id=item.doc_id, number=0, text=item.title, spans=(span,)),)


class Embed(Tiny):
    def execute_many(self, contexts: Sequence[StageContext], items: Sequence[Any]) -> list[Any]:
        if any(f"bug-{context.stage}" in context.doc_id for context in contexts):
            raise ZeroDivisionError("a bug")
        return [self._one(*pair) for pair in zip(contexts, items, strict=True)]

    def _one(self, context: StageContext, item: tuple[Chunk, ...]) -> Embeddings | LabError:
        try:
            self.stumble(context)
        except LabError as error:
            return error
        return Embeddings("tiny", 2, "cpu", (item[0].chunk_id,), np.ones((1, 2), dtype=np.float32))


class Extract(Tiny):
    async def execute(self, context: StageContext, item: Any) -> Extraction:
        self.stumble(context)
        return Extraction(doc_id=context.doc_id, nodes=(Node(node_id="term:x", kind="term", name="x"),))


STAGES: dict[str, tuple[StageType, type[Tiny]]] = {
    "ingest": (StageType.INGEST, Ingest),
    "parse": (StageType.PARSE, Parse),
    "chunk": (StageType.CHUNK, Chunks),
    "embed": (StageType.EMBED, Embed),
    "extract": (StageType.EXTRACT, Extract),
}


@pytest.fixture(autouse=True)
def tiny_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only these stages are published."""
    made = {
        f"tiny.{name}": Implementation(f"tiny.{name}", kind, "", lambda resources, options, stage=stage: stage())
        for name, (kind, stage) in STAGES.items()
    }
    monkeypatch.setattr(registry, "find", made.__getitem__)
    monkeypatch.setattr("medkg_lab.repro.replay.find", made.__getitem__)


@st.composite
def topologies(draw: st.DrawFn) -> Topology:
    """A pipeline of some of the stages in one line, some with a condition, with a gate between any two of them."""
    names = ["ingest", *(name for name in ("parse", "chunk", "embed", "extract") if draw(st.booleans()))]
    stages: list[dict[str, Any]] = []
    for name in names:
        if stages and draw(st.integers(0, 2)) == 0:
            gate = {"ledger_field": f"open-{name}".replace("-", "_"), "equals": True}
            stages.append(
                {"name": f"gate_{name}", "type": "Gate", "depends_on": [stages[-1]["name"]], "condition": gate}
            )
        stage: dict[str, Any] = {"name": name, "type": STAGES[name][0].value, "implementation": f"tiny.{name}"}
        stage |= {
            "policy": draw(st.sampled_from(["local", "polite-api"])),
            "depends_on": [stages[-1]["name"]] if stages else [],
        }
        if name != "ingest" and draw(st.booleans()):
            stage["condition"] = {"ledger_field": "wanted", "equals": True}
        stages.append(stage)
    return Topology.model_validate({"version": "1.0", "name": "random", "stages": stages})


KEYS = st.just("plain") | st.sampled_from(
    ["plain", "many", *(f"{what}-{s}" for what in ("fail", "flaky", "bug") for s in STAGES)]
)
DOCUMENTS = st.lists(st.tuples(KEYS, st.booleans(), st.sampled_from([False, False, True])), min_size=1, max_size=5)
"""Of each document its key, whether its field `wanted` is set, and whether it is unchanged."""


class Log:
    """A ledger that only writes down what an engine tells it."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.events: list[dict[str, Any]] = []

    def write(self, kind: str, jobs: Sequence[str], data: dict[str, Any], **more: Any) -> None:
        self._clock.sleep(0.001)
        self.events.append(event(len(self.events) + 1, kind, jobs, data, **more) | {"ts": self._clock.now()})

    def emit(self, batch_id: str, told: Sequence[EventData], urgent: bool, within_s: float) -> None:
        for data in told:
            one = to_json(Event(1, "any", T0, data))
            self.write(one["type"], one["jobs"], one["data"], stage=one["stage"], batch=batch_id)


class EngineWorld:
    """The executor's way to a world with a log in a ledger's place."""

    def __init__(self, artifacts: ArtifactStore) -> None:
        self.artifacts = artifacts
        self.clock = VirtualClock(T0)
        self.now = self.clock.now
        self.loops = VirtualLoops(self.clock)
        self.circuits = BreakerRegistry(clock=self.clock.now, chance=lambda: 0.5)
        self.stage_factory = StageFactory(Resources(cache=Path("unused")))

    def http(self, stage: str, document: Any) -> Any:
        return NoOutside()

    def choose(self, stage: Any, documents: Any) -> Chosen:
        return Chosen(self.stage_factory.stage(stage, PROFILE), POLICIES.get(stage.policy))

    def answered(self, stage: Any, documents: Any) -> Any:
        return list(documents), []

    def turn(self, stage: Any, built: Any, documents: Any) -> Any:
        return contextlib.nullcontext()

    def document_begins(self, job_id: Any) -> None:
        pass

    def called(self, built: Any, outcomes: Any) -> None:
        pass


def engine_runs(topology: Topology, documents: Sequence[tuple[str, bool, bool]], store: ArtifactStore) -> Any:
    """The events that an engine writes for these documents, and their specs and contents."""
    world = EngineWorld(store)
    log: Any = Log(world.clock)
    blobs, specs, fields, last = [], [], {}, {}
    for number, (key, wanted, unchanged) in enumerate(documents):
        blob = f"{number} {key}".encode()
        content = Content(sha256=store.put(blob), media_type="text/plain", name="x")
        spec = job_spec(
            Submission(source="file", key=f"{key}-{number}", pipeline="random", content=content), topology, T0
        )
        blobs.append(blob)
        specs.append(spec)
        fields[spec.job_id] = {"wanted": True} if wanted else {}
        last[spec.job_id] = sha(blob) if unchanged else None
    log.write("job.submitted", [spec.job_id for spec in specs], {"specs": [spec_to_json(spec) for spec in specs]})
    for job, known in fields.items():
        for name, value in known.items():
            log.write("field.set", [job], {"field": name, "value": value, "by": "test"})
    pipeline = Pipeline.of(topology)
    outputs: dict[str, dict[str, str]] = {spec.job_id: {} for spec in specs}
    going = [spec.job_id for spec in specs]
    segments, index = pipeline.segments(True), 0
    while going:
        batch_id = f"b{index}"
        claim = {"worker": "engine", "lane": "compute", "pipeline": "random", "pipeline_version": version_of(topology)}
        claim |= {"lease_s": 1.0, "half": index, "segment": index, "attempts": [1] * len(going)}
        claim |= {"stages": list(segments[index].stages), "profile": "cpu", "profile_version": content_version(PROFILE)}
        log.write("job.claimed", going, {**claim, "policies_version": content_version(POLICIES)}, batch=batch_id)
        found = [
            of_spec(
                spec,
                attempt=1,
                last_content=last[spec.job_id],
                fields=fields[spec.job_id],
                outputs=outputs[spec.job_id],
            )
            for spec in specs
            if spec.job_id in going
        ]
        for document in found:
            document.last_content = last[document.job_id]
        http = SharedHttpClient({}, None)
        listener = LedgerListener(log, store, http, world.clock.now, batch_id, len(going))
        batch = Batch(batch_id, "random", version_of(topology), index, segments[index].stages)
        executor = BatchExecutor(batch, pipeline, found, world, listener)
        for stage in segments[index].stages:
            assert executor.step(stage) is None
        executor.finish()
        listener.flush()
        waiting = {
            job: one["stage"]
            for one in log.events
            if one["type"] == "gate.waiting" and one["batch"] == batch_id
            for job in one["jobs"]
        }
        for document in found:
            outputs[document.job_id] = dict(document.outputs)
        # Every other job's gate is opened.
        going = [job for job in going if job in waiting][::2]
        for job in going:
            data = {"by": "test", "how": "manual", "why": None, "partial": False, "versions": [1]}
            log.write("gate.opened", [job], data, stage=waiting[job])
        index += 1
    world.loops.close()
    return log.events, specs, blobs


@given(topologies(), DOCUMENTS)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_run_does_what_the_engine_did(topology: Topology, documents: list[tuple[str, bool, bool]]) -> None:
    with tempfile.TemporaryDirectory() as folder, _store(Path(folder) / "made") as store:
        events, specs, blobs = engine_runs(topology, documents, store)
        refs = [ref for one in events for ref in one["data"].get("refs", ())]
        refs += [ref for one in events if one["type"] == "job.completed" for ref in one["data"]["content"] if ref]
        made = [store.get(ref) for ref in dict.fromkeys(refs)]
        entries = [
            JobEntry(
                job_id=spec.job_id,
                doc_id=spec.doc_id,
                tenant_id="default",
                pipeline="random",
                pipeline_version=spec.pipeline_version,
                state="queued",
            )
            for spec in specs
        ]
        bench = Workbench.of(archive_of(events, [*blobs, *made], [topology], entries), locate(Path(folder) / "desk"))
        run = bench.run(ReplayOverrides())
        recorded = bench.find("recorded")
        assert run.states == recorded.states
        assert list(bench.compare(run.id).divergences) == []
        told = [
            {key: (s.status, s.ref, s.error, s.reason, len(s.tries)) for key, s in one.by_key().items()}
            for one in (run, recorded)
        ]
        assert told[0] == told[1]


@contextlib.contextmanager
def _store(path: Path) -> Iterator[ArtifactStore]:
    store = ArtifactStore(path, writer="engine")
    yield store
    store.close()
