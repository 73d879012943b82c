"""A lab beside a local server that misbehaves as it is told, for incidents that really happen."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import yaml

from medkg_lab.pdf.converter import Bounds, DocvortexConverter
from tests.http_service import Answer, Asked, HttpService, http_service
from tests.labs import TestLab

DEMO = Path(__file__).parents[3] / "bundled_pipelines" / "demo"
GOOD_PAPER = DEMO / "papers" / "copd-azithromycin.pdf"
PLUGIN = """
from medkg_lab.stages.contracts import StageType
from medkg_lab.stages.embed.openai import OpenAIEmbedder
from medkg_lab.stages.embed.options import OpenAIOptions
from medkg_lab.stages.registry import Implementation

ENDPOINT = Implementation(
    name="test.endpoint",
    stage_type=StageType.EMBED,
    summary="an endpoint on this machine's processor",
    build=lambda resources, options: OpenAIEmbedder(options),
    options=OpenAIOptions,
)
"""


@dataclass(frozen=True)
class PluggedLab(TestLab):
    """A lab with an installed package that brings an embedder without a GPU."""

    plugins: Path = Path()

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {"PYTHONPATH": str(self.plugins)}

    def at(self, home: Path) -> "PluggedLab":
        """The same installation with another home."""
        return PluggedLab(home, self.cache, self.plugins)


def study(key: str, text: str = "Participants breathe slowly for ten minutes a day.") -> dict[str, Any]:
    """A small study of our own."""
    identification = {"nctId": key, "briefTitle": f"Breathing exercises {key}"}
    return {"protocolSection": {"identificationModule": identification, "descriptionModule": {"briefSummary": text}}}


def sentences(count: int) -> str:
    """A text of so many sentences."""
    return " ".join(f"Participant {number} of the study breathed slowly for ten minutes." for number in range(count))


def middle_json(path: Path) -> dict[str, Any]:
    """What a converter makes of a PDF, in the form that a MinerU server gives."""
    return DocvortexConverter(Bounds(60, 4096, 10**8)).convert(path.read_bytes(), lambda: False).middle


def serve_mineru(service: HttpService, middle: dict[str, Any]) -> None:
    """Let the server convert every PDF to `middle`."""
    done = {"status": "completed", "output_files": {"middle_json": {"file_id": "f-1"}}}
    service.answers["/v1/health"] = [Answer(b'{"status": "ok", "version": "4.0.12"}')]
    service.answers["/v1/parse/jobs"] = [Answer(b'{"job_id": "job-1", "status": "queued", "files": []}', 202)]
    running = Answer(b'{"job_id": "job-1", "status": "running", "files": []}')
    ended = Answer(orjson.dumps({"job_id": "job-1", "status": "completed", "files": [done]}))
    service.answers["/v1/parse/jobs/job-1"] = [running, ended]
    service.answers["/v1/files/f-1/content"] = [Answer(orjson.dumps(middle))]


def embeddings(dimension: int) -> Any:
    """An endpoint that gives vectors of this dimension."""

    def answer(asked: Asked) -> Answer:
        texts = json.loads(asked.body)["input"]
        rows = [
            {"object": "embedding", "index": n, "embedding": [1.0 + n % 3, *([0.5] * (dimension - 1))]}
            for n in range(len(texts))
        ]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        return Answer(
            json.dumps({"object": "list", "model": "m", "data": rows, "usage": usage}).encode(),
            headers={"content-type": "application/json"},
        )

    return answer


def pipeline(name: str, **chunk_options: Any) -> dict[str, Any]:
    """The bundled text pipeline written out, with options for its splitter."""
    chunk: dict[str, Any] = {"name": "chunk", "type": "ChunkStage", "policy": "local", "depends_on": ["parse"]}
    if chunk_options:
        chunk |= {"implementation": "haystack.splitter", "with": chunk_options}
    stages = [
        {"name": "ingest", "type": "IngestStage", "policy": "polite-api"},
        {"name": "parse", "type": "ParseStage", "policy": "local", "depends_on": ["ingest"]},
        chunk,
        {"name": "embed", "type": "EmbedStage", "policy": "gpu-bound", "depends_on": ["chunk"]},
        {"name": "extract", "type": "ExtractStage", "policy": "gpu-bound", "depends_on": ["chunk"]},
    ]
    return {"version": "1.0", "name": name, "description": "for a test", "applicable_sources": [], "stages": stages}


@contextmanager
def faulty_lab() -> Iterator[tuple[PluggedLab, HttpService]]:
    """A running lab whose sources, MinerU server and embedding endpoint are one local server."""
    folder = Path(tempfile.mkdtemp(prefix="mk", dir="/tmp"))
    package = folder / "plugins"
    (package / "endpoint_plugin-1.dist-info").mkdir(parents=True)
    (package / "endpoint_plugin.py").write_text(PLUGIN)
    (package / "endpoint_plugin-1.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: endpoint-plugin\nVersion: 1\n"
    )
    points = "[medkg_lab.stages]\ntest.endpoint = endpoint_plugin:ENDPOINT\n"
    (package / "endpoint_plugin-1.dist-info" / "entry_points.txt").write_text(points)
    lab = PluggedLab(folder / "home", folder / "cache", package)
    with http_service() as service:
        (lab.home / "config" / "pipelines").mkdir(parents=True)
        settings = {
            "sources": {
                "clinicaltrials": {"base_url": f"{service.url}/ct"},
                "unpaywall": {"base_url": f"{service.url}/up", "email": "jane.secret@example.org"},
            },
            "pdf": {"tool": "mineru", "base_url": service.url, "timeout_seconds": 60},
        }
        (lab.home / "config" / "settings.yaml").write_text(yaml.safe_dump(settings))
        try:
            lab.ok("up")
            yield lab, service
        finally:
            lab.run("down")
            shutil.rmtree(folder, ignore_errors=True)


def write_pipeline(lab: TestLab, topology: dict[str, Any]) -> None:
    """Put a pipeline into the lab's configuration."""
    path = lab.home / "config" / "pipelines" / f"{topology['name']}.yaml"
    path.write_text(yaml.safe_dump(topology, sort_keys=False))


def job_of(lab: TestLab, document: str) -> str:
    """The id of the newest job of a document."""
    found: str = lab.ok("jobs", "show", document)["job_id"]
    return found
