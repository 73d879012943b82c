"""Real processes of a lab for tests of the engine and of Dagster's side: the ledger, engines, dagsterd, and tiny stages."""

import contextlib
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from medkg_lab.ledger.client import LedgerClient
from medkg_lab.locations import CACHE_VARIABLE, HOME_VARIABLE, Locations, locate
from medkg_lab.models.submission import Content, Submission
from medkg_lab.topology.graph import segments
from medkg_lab.topology.models import Topology
from medkg_lab.topology.versions import to_json, version_of
from tests.told import logged

HERE = Path(__file__).parent
PROFILE = {
    "IngestStage": "tiny.ingest",
    "DownloadStage": "tiny.download",
    "ParseStage": "tiny.parse",
    "ChunkStage": "tiny.chunk",
    "EmbedStage": "tiny.embed",
    "IndexStage": "tiny.index",
    "ExtractStage": "tiny.extract",
    "KGStage": "tiny.kg",
}


TYPES = {
    "ingest": "IngestStage",
    "download": "DownloadStage",
    "gate": "Gate",
    "parse": "ParseStage",
    "chunk": "ChunkStage",
    "embed": "EmbedStage",
    "index": "IndexStage",
    "extract": "ExtractStage",
    "kg": "KGStage",
}


class Lab:
    """A lab folder with tiny stages, and the processes that were started in it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.locations: Locations = locate(home)
        self.locations.create()
        self._running: list[subprocess.Popen[str]] = []
        (home / "flags").mkdir()
        _publish_stages(home / "site")
        profiles = self.locations.config / "profiles"
        profiles.mkdir(parents=True)
        lines = [f"  {kind}:\n    implementation: {name}" for kind, name in PROFILE.items()]
        (profiles / "tiny.yaml").write_text("name: tiny\nstages:\n" + "\n".join(lines) + "\n")
        policy = "policies:\n- name: twice\n  max_attempts: 2\n  backoff_strategy: none\n  timeout_seconds: 30\n"
        (self.locations.config / "policies.yaml").write_text(policy)
        self.settings(profile="tiny", lease_seconds=1.0)

    def settings(self, **values: Any) -> None:
        """Write the lab's settings."""
        (self.locations.config / "settings.yaml").write_text(json.dumps(values))

    def start(self, module: str, *arguments: str) -> "subprocess.Popen[str]":
        """Start a process of the lab and wait until it says that it is ready."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        environment = kept | {
            HOME_VARIABLE: str(self.home),
            CACHE_VARIABLE: str(self.home / "cache"),
            "PYTHONPATH": str(self.home / "site"),
            "MEDKG_TEST_FLAGS": str(self.home / "flags"),
        }
        log = (self.home / f"{module}.log").open("a")
        command = [sys.executable, "-m", module, "--home", str(self.home), *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
        self._running.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"{module} did not start: {(self.home / f'{module}.log').read_text()[-3000:]}"
        assert json.loads(line)["pid"] == process.pid
        return process

    def engine(self, lane: str = "compute") -> "subprocess.Popen[str]":
        """Start an engine."""
        return self.start("medkg_lab.engine", "--name", f"engine-{lane}", "--lane", lane)

    def process(self, module: str) -> "subprocess.Popen[str]":
        """The process of `module` that was started last."""
        return next(one for one in reversed(self._running) if module in list(map(str, one.args)))  # type: ignore[arg-type]

    def client(self) -> LedgerClient:
        """A client of the lab's ledger."""
        return LedgerClient(self.locations.socket("ledger"), deadline=10)

    def log(self, module: str) -> str:
        """What a process wrote."""
        return (self.home / f"{module}.log").read_text()

    def flag(self, name: str) -> Path:
        """A file by which a test and a tiny stage speak to each other."""
        return self.home / "flags" / name

    def stop(self, keep: int = 0) -> None:
        """End everything that is still running but the first `keep` processes."""
        ending, self._running = self._running[keep:], self._running[:keep]
        # The ledger, which was started first, last: whoever needs it waits for it to come back.
        for group in (ending[1:], ending[:1]) if keep == 0 else (ending,):
            for process in reversed(group):
                if process.poll() is None:
                    process.terminate()
            for process in group:
                try:
                    process.wait(8)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                if process.stdout is not None:
                    process.stdout.close()


@contextlib.contextmanager
def running_ledger(home: Path) -> Iterator[Lab]:
    """A lab whose ledger runs."""
    lab = Lab(home)
    try:
        lab.start("medkg_lab.ledger")
        yield lab
    finally:
        lab.stop()


def _publish_stages(site: Path) -> None:
    """Put the tiny stages where an installed third-party package would be."""
    info = site / "tiny_stages-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-stages\nVersion: 0\n")
    names = {**PROFILE, "Gpu": "tiny.gpu", "Endpoint": "tiny.endpoint", "Broken": "tiny.broken", "Busy": "tiny.busy"}
    points = "\n".join(f"{name} = tiny_stages:{name.partition('.')[2].upper()}" for name in names.values())
    (info / "entry_points.txt").write_text(f"[medkg_lab.stages]\n{points}\n")
    (site / "tiny_stages.py").write_text((HERE / "tiny_stages.py").read_text())


def topology(name: str, *stages: str | dict[str, Any]) -> Topology:
    """A pipeline whose stages follow one another: `parse` is a ParseStage called so, `gate` the gate on pdf_ir_ready."""
    made: list[dict[str, Any]] = []
    for stage in stages:
        given: dict[str, Any] = {"name": stage} if isinstance(stage, str) else dict(stage)
        given.setdefault("type", TYPES.get(given["name"]))
        given.setdefault("policy", "twice")
        given.setdefault("depends_on", [made[-1]["name"]] if made else [])
        if given["type"] == "Gate":
            given.setdefault("condition", {"ledger_field": "pdf_ir_ready", "equals": True})
        made.append(given)
    return Topology.model_validate({"version": "1.0", "name": name, "stages": made})


def register(client: LedgerClient, pipeline: Topology) -> str:
    """Make a pipeline known and return its version."""
    version = version_of(pipeline)
    client.register("topology", pipeline.name, version, to_json(pipeline))
    return version


def spec(
    pipeline: Topology, key: str, *, content: str | None = None, query: str | None = None, **extra: Any
) -> dict[str, Any]:
    """A job for one document: `content` is the text that the tiny ingest stage finds."""
    given = Content(uri=f"file:///{key}", name=content or key) if query is None else None
    submission = Submission(source="file", key=key, query=query, content=given, **extra)
    offline = query is None
    first = segments(pipeline, offline)[0]
    return {
        "job_id": submission.job_id(pipeline.name),
        "tenant_id": "default",
        "correlation_id": uuid.uuid4().hex,
        "source": "file",
        "doc_key": key,
        "doc_id": submission.doc_id,
        "pipeline": pipeline.name,
        "pipeline_version": version_of(pipeline),
        "offline": offline,
        "again": submission.again is not None,
        "priority": 0,
        "segment": 0,
        "lane": first.lane.value,
        "half": 0,
        "content": None,
        "submission": submission.model_dump(mode="json"),
        "submitted_at": time.time(),
    }


def states(client: LedgerClient, jobs: Sequence[str]) -> dict[str, str]:
    """The state of each job."""
    return {job_id: job.state if (job := client.get(job_id)) is not None else "unknown" for job_id in jobs}


def all_events(client: LedgerClient) -> list[dict[str, Any]]:
    """The whole log."""
    found: list[dict[str, Any]] = []
    while part := logged(client, found[-1]["seq"] if found else 0, 1000):
        found += part
    return found
