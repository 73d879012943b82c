"""What the ledger's tests share: two small pipelines, job specs, and the events that an engine records."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from medkg_lab.errors import LabError
from medkg_lab.ledger.commands.acts import NoteAct
from medkg_lab.ledger.commands.batches import Claim, Surrender
from medkg_lab.ledger.commands.breakers import BreakerProbe, BreakerReport
from medkg_lab.ledger.commands.command import Command
from medkg_lab.ledger.commands.definitions import Register
from medkg_lab.ledger.commands.documents import DeleteDocument
from medkg_lab.ledger.commands.gates import GateFail, GateOpen, GateReject, SetField
from medkg_lab.ledger.commands.imports import Import
from medkg_lab.ledger.commands.jobs import Acknowledge, Cancel, Retry, RetryMany, RetryOwn, Submit
from medkg_lab.ledger.commands.record import Record
from medkg_lab.ledger.commands.releases import Launch, Releases
from medkg_lab.ledger.core import Core, Request
from medkg_lab.ledger.memory import MemoryEventLog, MemoryJobViews
from medkg_lab.ledger.opening import open_core
from medkg_lab.ledger.state import State
from medkg_lab.models.events import (
    PDF_IR_READY,
    CompletedJob,
    Condition,
    Event,
    EventData,
    Evidence,
    GateWaiting,
    JobCompleted,
    JobFailed,
    StageCompleted,
    StageFailed,
    StageOutput,
    StageStarted,
)
from medkg_lab.topology import versions
from medkg_lab.topology.loader import load_topology
from tests.told import wire

COMMANDS: Mapping[str, type[Command]] = {
    each.op: each
    for each in (
        Submit, Cancel, Retry, Claim, Surrender, Record, SetField, GateOpen, GateReject, GateFail, Releases, Launch, Register,
        BreakerReport, BreakerProbe, Import, RetryMany, RetryOwn, Acknowledge, DeleteDocument, NoteAct,
    )
}  # fmt: skip

PLAIN = load_topology(
    'version: "1.0"\nname: plain\nstages:\n'
    "  - {name: ingest, type: IngestStage}\n"
    "  - {name: parse, type: ParseStage, depends_on: [ingest]}\n"
    "  - {name: chunk, type: ChunkStage, depends_on: [parse]}\n"
)
GATED = load_topology(
    'version: "1.0"\nname: gated\nstages:\n'
    "  - {name: ingest, type: IngestStage}\n"
    "  - {name: download, type: DownloadStage, depends_on: [ingest]}\n"
    "  - {name: gate, type: Gate, depends_on: [download],"
    " condition: {ledger_field: pdf_ir_ready, equals: true}, resume_stage: chunk}\n"
    "  - {name: chunk, type: ChunkStage, depends_on: [gate]}\n"
)
VERSIONS = {topology.name: versions.version_of(topology) for topology in (PLAIN, GATED)}
KINDS = {"ingest": "payload", "download": "payload", "parse": "document", "chunk": "chunks"}
DOCUMENT = "d" * 64
BEHIND = Evidence(document=DOCUMENT, raw="e" * 64, pages=2)
EVIDENCE: dict[str, Any] = {"document": DOCUMENT, "raw": "e" * 64, "pages": 2, "missing_pages": []}


def registrations() -> list[dict[str, Any]]:
    """The arguments that register both pipelines."""
    return [
        {"kind": "topology", "name": each.name, "version": VERSIONS[each.name], "content": versions.to_json(each)}
        for each in (PLAIN, GATED)
    ]


def spec(job_id: str, pipeline: str = "plain", offline: bool = True, **changes: Any) -> dict[str, Any]:
    """A job spec as it travels."""
    values: dict[str, Any] = {
        "job_id": job_id,
        "tenant_id": "default",
        "correlation_id": f"c-{job_id}",
        "source": "file",
        "doc_key": job_id,
        "doc_id": f"file:{job_id}",
        "pipeline": pipeline,
        "pipeline_version": VERSIONS.get(pipeline, "1.0+000000000000"),
        "offline": offline,
        "again": False,
        "priority": 0,
        "segment": 0,
        "lane": "compute" if offline else "network",
        "half": 0,
        "content": None,
        "submission": {"source": "file", "key": job_id},
        "submitted_at": 1000.5,
    }
    return {**values, **changes}


def started(stage: str, jobs: Sequence[str]) -> StageStarted:
    """The event that a stage was started."""
    return StageStarted(stage, tuple(jobs), 10.0)


def completed(stage: str, jobs: Sequence[str]) -> StageCompleted:
    """The event that a stage was completed, with an output of each job's own."""
    entries = tuple(StageOutput(job_id, 1.5, 1, ref(stage, job_id)) for job_id in jobs)
    return StageCompleted(stage, 10.0, 10.5, entries, KINDS[stage], f"test.{stage}", "cpu")


def ref(stage: str, job_id: str) -> str:
    """The output's name of a stage for a job."""
    return f"{stage}:{job_id}"


def failed(stage: str, job_id: str, own: str | None = None) -> list[EventData]:
    """The events that a stage failed for a job, and the job with it; `own` is the lab's process that was at fault."""
    why = {"kind": "bad_input", "reason": "it is empty", "error": "EmptyDocument"}
    return [
        StageFailed(stage, (job_id,), 1.0, 2.0, 1, **why),
        JobFailed((job_id,), **why, stage=stage, own=own),
    ]


def done(jobs: Sequence[str], unchanged: bool = False) -> JobCompleted:
    """The event that jobs ended well."""
    return JobCompleted(unchanged, tuple(CompletedJob(job_id, f"content:{job_id}") for job_id in jobs))


def waiting(jobs: Sequence[str]) -> GateWaiting:
    """The event that jobs wait at the gate."""
    return GateWaiting("gate", tuple(jobs), Condition(PDF_IR_READY, True), 1, "compute", ("chunk",))


def ids(batch: Mapping[str, Any]) -> list[str]:
    """The jobs of a batch as its engine gets it."""
    return [job["job_id"] for job in batch["jobs"]]


class World:
    """A ledger in a folder, or in memory, spoken to without threads and sockets; ids and time count up."""

    def __init__(self, folder: Path, kept_finished: int = 1000, in_memory: bool = False) -> None:
        self.folder = folder
        self.memory = (MemoryEventLog(), MemoryJobViews()) if in_memory else None
        self.kept_finished = kept_finished
        self.core = self.open()
        self.clock = 0.0
        self._ids = 0
        self.carry_out(*(Request(Register.parse({"id": f"r-{each['name']}", **each})) for each in registrations()))

    def restart(self, project: bool = True) -> None:
        """Close the ledger, with or without bringing the views up to date first, and open it again."""
        if project:
            self.core.close()
        else:
            self.core.views.close()
            self.core.store.close()
        self.core = self.open()

    def open(self) -> Core:
        """Open the ledger."""
        if self.memory is not None:
            return Core(*self.memory, self.folder, self.kept_finished)
        return open_core(self.folder, self.kept_finished)

    def do(self, op: str, *, id: str | None = None, resend: bool = False, **args: Any) -> Any:
        """Carry out one command; what it is refused with is raised."""
        self._ids += 1
        if "events" in args:
            args["events"] = [wire(each) if isinstance(each, EventData) else each for each in args["events"]]
        command = COMMANDS[op].parse({"id": id or f"command-{self.folder.name}-{self._ids}", **args})
        return self.carry_out(Request(command, resend))[0]

    def carry_out(self, *requests: Request) -> list[Any]:
        """Carry out commands together."""
        self.clock += 0.01
        outcomes, _ = self.core.execute(requests, 1000.0 + self.clock, self.clock)
        for outcome in outcomes:
            if outcome.error is not None:
                raise outcome.error
        return [orjson.loads(orjson.dumps(outcome.value)) for outcome in outcomes]

    def refused(self, op: str, **args: Any) -> LabError:
        """What a command is refused with; the log must not have grown by it."""
        head = self.core.store.head
        try:
            answer = self.do(op, **args)
        except LabError as error:
            assert self.core.store.head == head
            return error
        raise AssertionError(f"{op} was not refused but answered {answer!r}")

    def submit(self, *jobs: str, pipeline: str = "plain", offline: bool = True, **changes: Any) -> Any:
        """Submit jobs."""
        return self.do("submit", jobs=[spec(job_id, pipeline, offline, **changes) for job_id in jobs])

    def claim(self, limit: int = 48, lanes: Sequence[str] = ("network", "compute"), **args: Any) -> Any:
        """Claim a batch."""
        return self.do("claim", worker="w1", lanes=list(lanes), limit=limit, lease_s=10.0, **args)

    def record(self, batch: Mapping[str, Any], *events: EventData) -> Any:
        """Record events of a batch."""
        return self.do("record", batch_id=batch["batch_id"], events=list(events))

    def run(self, batch: Mapping[str, Any]) -> None:
        """Run all stages of a batch well."""
        for stage in batch["stages"]:
            self.record(batch, started(stage, ids(batch)), completed(stage, ids(batch)))

    def to_gate(self, *jobs: str) -> None:
        """Submit jobs and bring them to the gate."""
        self.submit(*jobs, pipeline="gated")
        batch = self.claim()
        self.run(batch)
        self.record(batch, waiting(ids(batch)))

    def expire(self, reason_clock: float = 11.0) -> list[Any]:
        """Let the time go by until the leases are over, and take the batches back."""
        self.core.overdue(self.clock)
        self.clock += reason_clock
        return self.carry_out(*self.core.overdue(self.clock))

    def job(self, job_id: str) -> Any:
        """A job."""
        found = self.core.find(job_id)
        assert found is not None
        return found

    def log(self) -> list[Event]:
        """All events."""
        return [event for events in self.core.store.reader().all_after(0) for event in events]


def canonical(state: State) -> dict[str, Any]:
    """What two equal states have in common: all but what memory keeps for convenience."""
    unfinished = {job_id: job for job_id, job in state.jobs.items() if job_id not in state.finished}
    return {
        "seq": state.seq,
        "jobs": unfinished,
        "batches": state.batches,
        "releases": state.releases,
        "open_gates": set(state.open_gates),
        "definitions": state.definitions,
        "breakers": state.breakers,
        "own_failures": state.own_failures,
        "job_counts": +state.job_counts,
        "gate_counts": +state.gate_counts,
        "queue": {key: {p: list(ages) for p, ages in group.items()} for key, group in state.queue._groups.items()},
    }
