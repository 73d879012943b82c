"""A pipeline over files, in this process: each stage runs once for each document, without policies, batches and the ledger."""

import asyncio
import inspect
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medkg_lab.engine.stage_factory import BuiltStage, StageFactory
from medkg_lab.errors import LabError
from medkg_lab.locations import locate
from medkg_lab.models.submission import Payload
from medkg_lab.sources.documents import LocalDocument
from medkg_lab.sources.files import expand
from medkg_lab.stages.contracts import StageType
from medkg_lab.stages.kinds import KINDS, assemble, kind_of
from medkg_lab.stages.registry import Resources
from medkg_lab.testing.contexts import FakeHttp, MemoryArtifacts, stage_context
from medkg_lab.testing.stores import MemoryKnowledge
from medkg_lab.topology import bundled
from medkg_lab.topology.graph import dependencies, sort
from medkg_lab.topology.loader import load_topology
from medkg_lab.topology.models import StageDefinition, Topology
from medkg_lab.topology.profiles import Profile, load_profile


@dataclass
class Finished:
    """What became of one file: values by kind, values by stage, and the error that ended it early."""

    doc_id: str
    values: dict[str, object] = field(default_factory=dict)
    by_stage: dict[str, object] = field(default_factory=dict)
    failed_at: str = ""
    error: LabError | None = None


def run_pipeline(
    pipeline: Path | str,
    files: Iterable[Path | str],
    *,
    http: Mapping[str, bytes | tuple[int, bytes]] | None = None,
    knowledge: MemoryKnowledge | None = None,
    profile: str = "cpu",
) -> list[Finished]:
    """Run a pipeline (a YAML file as Path, or its text) over files and folders; each document gives a Finished.

    Every value goes through its encoding, as in a lab, so what cannot be kept is found here. `http` answers requests by
    address; gates are open. A document's error ends that document; any other exception is a fault and raised. Raises
    TopologyInvalid.
    """
    topology = load_topology(pipeline)
    chosen = load_profile(bundled.folder() / "profiles" / f"{profile}.yaml")
    answering = FakeHttp(http or {})
    with tempfile.TemporaryDirectory() as scratch:
        # The models' cache is the machine's own: making a model anew takes long and gives the same.
        resources = Resources(
            cache=locate().cache, knowledge=knowledge or MemoryKnowledge(), vocabularies=Path(scratch)
        )
        runner = _Runner(topology, chosen, StageFactory(resources), answering)
        return [runner.run(document) for file in files for document in expand(Path(file))]


@dataclass
class _Runner:
    topology: Topology
    profile: Profile
    factory: StageFactory
    http: FakeHttp

    def run(self, document: LocalDocument) -> Finished:
        """Take one document through all stages in the order of their dependencies."""
        artifacts = MemoryArtifacts()
        sha256 = artifacts.put(document.data)
        doc_id = f"{document.source}:{document.key}"
        done = Finished(doc_id)
        done.values["payload"] = Payload(
            sha256=sha256,
            media_type=document.media_type,
            size=len(document.data),
            name=document.name,
            source=document.source,
            key=document.key,
        )
        for name in sort(dependencies(self.topology.stages)):
            stage = self.topology.stage(name)
            if stage.is_gate or stage.type in (StageType.INGEST, StageType.DOWNLOAD):
                continue
            context = stage_context(doc_id, name, artifacts, self.http)
            try:
                value = _executed(self.factory.stage(stage, self.profile), context, assemble(stage.type, done.values))
            except LabError as error:
                done.failed_at, done.error = name, error
                return done
            _take(done, stage, value)
        return done


def _executed(built: BuiltStage, context: Any, item: Any) -> Any:
    if built.many is not None:
        (outcome,) = built.many.execute_many([context], [item])
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome
    value = built.stage.execute(context, item)
    return asyncio.run(_awaited(value)) if inspect.isawaitable(value) else value


async def _awaited(value: Any) -> Any:
    return await value


def _take(done: Finished, stage: StageDefinition, value: Any) -> None:
    kind = kind_of(stage.type, value)
    again = KINDS[kind.name].decode(kind.encode(value))
    done.values[kind.name] = done.by_stage[stage.name] = again
