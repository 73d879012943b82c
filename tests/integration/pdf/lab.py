"""A ledger and a broker as real processes, a job that waits at a PDF gate, and the PDF process itself."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from medkg_lab.artifacts.store import ArtifactStore
from medkg_lab.bridge.specs import job_spec
from medkg_lab.broker.client import Producer, Record, read_all
from medkg_lab.broker.topics import DEAD_LETTERS, PDF_REQUESTS
from medkg_lab.engine import transitions
from medkg_lab.ledger.answers import JobDetail
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.locations import Locations, locate
from medkg_lab.models.events import NO_EVIDENCE, EventData, StageCompleted, StageOutput, StageStarted
from medkg_lab.models.submission import Content, Payload, Submission
from medkg_lab.stages.kinds import KINDS
from medkg_lab.topology import versions
from medkg_lab.topology.catalog import Catalog
from medkg_lab.topology.graph import segments
from tests.brokers import ensure_topics
from tests.waiting import wait_until

PIPELINE = "pdf-two-phase"


@dataclass
class PdfLab:
    """The running processes and what a test asks of them."""

    locations: Locations
    bootstrap: str = ""
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ledger = LedgerClient(self.locations.socket("ledger"))
        self.store = ArtifactStore(self.locations.data / "artifacts", writer="test")

    def start(self, *arguments: str) -> dict[str, Any]:
        """Start a process of the lab and return its ready line; its stderr goes to a file."""
        command = [sys.executable, "-m", *arguments]
        with (self.locations.home / f"{len(self.processes)}.err").open("w") as log:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        self.processes.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, Path(log.name).read_text()[-2000:]
        return dict(json.loads(line))

    def start_pdf(self, **settings: Any) -> subprocess.Popen[str]:
        """Start the PDF process with these `pdf` settings."""
        chosen = {"broker": {"engine": "external", "bootstrap": self.bootstrap}, "pdf": settings}
        (self.locations.config / "settings.yaml").write_text(json.dumps(chosen))
        assert self.start("medkg_lab.pdf", "--home", str(self.locations.home))["ready"] == "pdf"
        return self.processes[-1]

    def stop(self, process: subprocess.Popen[str]) -> int:
        """Ask a process to end and return its exit code."""
        process.send_signal(signal.SIGTERM)
        return process.wait(15)

    def waiting_job(self, pdf: bytes, name: str = "paper.pdf", is_lost: bool = False) -> str:
        """A job that waits at the PDF gate for `pdf`; the store no longer has a PDF that `is_lost`."""
        topology = Catalog(self.locations).topology(PIPELINE)
        version = versions.version_of(topology)
        self.ledger.register("topology", PIPELINE, version, versions.to_json(topology))
        sha = hashlib.sha256(pdf).hexdigest() if is_lost else self.store.put(pdf)
        submission = Submission(source="file", key=name, content=Content(sha256=sha, name=name), pipeline=PIPELINE)
        spec = job_spec(submission, topology, time.time())
        self.ledger.submit([spec])
        payload = Payload(sha256=sha, media_type="application/pdf", size=len(pdf), name=name, source="file", key=name)
        ref = self.store.put(KINDS["payload"].encode(payload))
        batch = self.ledger.claim("test", ["compute", "network"], 1, 30.0, 5.0)
        assert batch is not None
        first, second = segments(topology, offline=True)[:2]
        events: list[EventData] = [event for stage in first.stages for event in _ran(stage, spec.job_id, ref)]
        gate = next(stage for stage in topology.stages if stage.name == first.gate)
        assert gate.condition is not None
        lane, stages = second.lane.value, second.stages
        events.append(transitions.gate_waiting(gate, [spec.job_id], second.index, lane, stages))
        self.ledger.record(batch.batch_id, events)
        return spec.job_id

    def request(self, job_id: str, /, **change: Any) -> None:
        """Put the request for the job's PDF on the topic."""
        job = self.job(job_id)
        assert job.gate is not None
        message = {
            "schema": "medkg.pdf.request/1",
            "job_id": job_id,
            "doc_id": job.doc_id,
            "tenant_id": job.tenant_id,
            "pipeline": job.pipeline,
            "gate": job.gate.gate,
            "content": job.content,
            "name": job.doc_key,
        }
        self.send(orjson.dumps(message | change), job_id)

    def send(self, message: bytes, key: str = "k") -> None:
        """Put bytes on the topic of PDF requests."""
        with Producer(self.bootstrap) as producer:
            producer.send(PDF_REQUESTS, message, key=key)

    def dead_letters(self) -> list[Record]:
        """What was set aside."""
        return list(read_all(self.bootstrap, DEAD_LETTERS))

    def job(self, job_id: str) -> JobDetail:
        """What the ledger knows of the job."""
        found = self.ledger.get(job_id)
        assert found is not None
        return found

    def settled(self, job_id: str, timeout: float = 60.0) -> JobDetail:
        """The job once the PDF process has dealt with it."""

        def look() -> JobDetail | None:
            job = self.job(job_id)
            is_read = job.gate is not None and job.gate.evidence != NO_EVIDENCE
            return job if job.state != "waiting_gate" or is_read else None

        found = wait_until(look, timeout, f"the PDF of job {job_id}")
        assert found is not None
        return found


def _ran(stage: str, job_id: str, ref: str) -> list[EventData]:
    now, output = time.time(), StageOutput(job_id, 1.0, 1, ref)
    return [
        StageStarted(stage, (job_id,), now),
        StageCompleted(stage, now, now, (output,), "payload", "test", "cpu"),
    ]


@contextmanager
def pdf_lab(home: Path) -> Iterator[PdfLab]:
    """A lab of ledger and broker for the time of the block."""
    locations = locate(home)
    locations.create()
    lab = PdfLab(locations)
    try:
        lab.start("medkg_lab.ledger", "--home", str(home))
        ready = lab.start(
            "medkg_lab.broker.embedded", "--data", str(home / "topics"), "--port", "0", "--no-authentication"
        )
        lab.bootstrap = f"127.0.0.1:{ready['port']}"
        ensure_topics(lab.bootstrap)
        yield lab
    finally:
        lab.ledger.close()
        lab.store.close()
        for process in reversed(lab.processes):
            process.terminate()
        for process in lab.processes:
            process.wait(15)
            if process.stdout is not None:
                process.stdout.close()


def processes_under(folder_mark: str) -> list[int]:
    """The processes whose command line contains `folder_mark`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if folder_mark.encode() in command:
                found.append(int(entry.name))
    return found
