"""How the lab is: its processes, its jobs, how far its views are, and what blocks."""

import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import msgspec

from medkg_lab import linux
from medkg_lab.broker.embedded.engine import embedded_folder
from medkg_lab.broker.engine import choose
from medkg_lab.broker.removals import REMOVALS, removals
from medkg_lab.errors import LabError
from medkg_lab.events import sinks
from medkg_lab.lab import disk_use, retention
from medkg_lab.lab.dagster_access import DagsterLink
from medkg_lab.lab.facade import Lab
from medkg_lab.lab.why import NOTHING, Blockers, why_breaker, why_disk, why_job, why_process, why_rate, why_removed
from medkg_lab.ledger.answers import JobRow
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.ledger.state import JobState
from medkg_lab.models.circuits import CircuitState
from medkg_lab.ports import LabPorts, lab_ports
from medkg_lab.supervisor.answers import LabStatus, ProcessRow
from medkg_lab.supervisor.decide import SILENT, State

BLOCKED_SHOWN = 20
REMOVALS_SHOWN_S = 24 * 3600
GPU_LOCK = "gpu.lock"
"""The file in the state folder that the engines' GPU slot locks."""
TIMEOUT_S = 3.0
"""Seconds to wait for the ledger: a status that hangs tells less than one that says who does not answer."""


@dataclass(frozen=True, slots=True)
class BrokerState:
    """The lab's broker; `details` are what else its engine tells, by name."""

    engine: str
    bootstrap: str
    durability: str
    details: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DiskUse:
    """What the lab takes by part, in bytes, and what of that is said of its budget."""

    bytes: Mapping[str, int]
    used: int
    budget: int | None
    says: str


@dataclass(frozen=True, slots=True)
class Counted:
    """Jobs and gates by state, and how many events each view is behind."""

    jobs: Mapping[str, int]
    gates: Mapping[str, int]
    lag: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabReport:
    """Everything `medkg-lab status` shows; `counted` is None, and `ledger_error` says why, while the ledger cannot be asked."""

    lab: LabStatus
    broker: BrokerState
    ports: LabPorts
    disk_free_mb: int
    logs_mb: float
    disk: DiskUse
    link: DagsterLink | None
    counted: Counted | None
    ledger_error: str | None

    @property
    def rss_mb(self) -> float:
        """The memory of all processes."""
        return round(sum(one.rss_mb or 0 for one in self.lab.processes), 1)

    def to_json(self) -> dict[str, object]:
        """The report as it is printed."""
        broker = {
            "engine": self.broker.engine,
            "bootstrap": self.broker.bootstrap,
            "durability": self.broker.durability,
        }
        answer: dict[str, object] = {
            "home": self.lab.home,
            "profile": self.lab.profile,
            "processes": msgspec.to_builtins(self.lab.processes),
            "rss_mb": self.rss_mb,
            "broker": {**broker, **self.broker.details},
            "ports": asdict(self.ports),
            "disk_free_mb": self.disk_free_mb,
            "logs_mb": self.logs_mb,
            "disk": asdict(self.disk),
            "notes": list(self.lab.notes),
        }
        answer |= asdict(self.counted) if self.counted else dict.fromkeys(("jobs", "gates", "lag"))
        answer |= self.link.to_json() if self.link else {}
        return answer if self.ledger_error is None else {**answer, "ledger_error": self.ledger_error}


def status(lab: Lab, with_link: bool = True) -> LabReport:
    """How the lab is. Raises LabNotRunning.

    `with_link` adds a one-time address of Dagster, of which there are not enough for whoever asks all the time.
    """
    supervised = lab.supervisor.status()
    engine = choose(lab.locations, lab.settings)
    counted, ledger_error = _counted(lab, supervised.process("ledgerd"))
    return LabReport(
        lab=supervised,
        broker=BrokerState(lab.settings.broker.engine, str(lab.bootstrap), engine.durability(), engine.details()),
        ports=lab_ports(lab.locations),
        disk_free_mb=int(free_mb(lab)),
        logs_mb=round(logs_mb(lab), 1),
        disk=_disk_use(lab),
        link=lab.dagster.link() if with_link else None,
        counted=counted,
        ledger_error=ledger_error,
    )


def _counted(lab: Lab, ledgerd: ProcessRow | None) -> tuple[Counted | None, str | None]:
    """What the ledger counts; or why it does not answer."""
    if ledgerd is not None and ledgerd.state == SILENT:
        return None, why_process(ledgerd)
    try:
        ledger = LedgerClient(lab.locations.socket("ledger"), deadline=TIMEOUT_S)
        counts = ledger.counts()
        positions = ledger.positions() | _sink_positions(ledger)
    except LabError as error:
        return None, str(error)
    shown = ("outbox", "recorder", *(name for name in positions if name.startswith(sinks.READER)))
    lag = {name: counts.head - int(positions.get(name, 0)) for name in shown}
    return Counted(dict(counts.jobs), dict(counts.gates), lag), None


def _sink_positions(ledger: LedgerClient) -> dict[str, int]:
    """How far the event sinks are that were ever fed."""
    return {
        name: msgspec.convert(mark, sinks.SinkMark).seq
        for name, mark in ledger.bookmarks().items()
        if name.startswith(sinks.READER)
    }


def explain_job(lab: Lab, job: JobRow) -> str:
    """One sentence on why the job is not moving, or how it ended."""
    processes = {one.name: one for one in lab.supervisor.status().processes}
    before = 0
    if job.state is JobState.QUEUED:
        before = max(0, lab.ledger.counts().queued_by_lane.get(job.lane, 0) - 1)
    held = _blockers_of(lab, job, processes) if job.state is JobState.RUNNING else NOTHING
    return why_job(job, processes, before, time.time(), held)


def explain_process(lab: Lab, process: ProcessRow) -> list[str]:
    """Why a process is as it is, and after that what holds up the whole lab, a sentence each."""
    running = lab.supervisor.status().processes
    return [why_process(process), *_disk(lab), *_blockers(lab, {one.name: one for one in running})]


def _blockers_of(lab: Lab, job: JobRow, processes: Mapping[str, ProcessRow]) -> Blockers:
    """What holds up the stage that the job is in."""
    has_gpu, waiting = _gpu(lab, processes)
    gpu = has_gpu if job.worker in waiting else None
    opened = [one for one in lab.ledger.breakers() if one.state is CircuitState.OPEN]
    spent = lab.ledger.rates()
    if not job.stage or not (opened or spent):
        return Blockers(gpu=gpu)
    try:
        policy = lab.catalog.topology(job.pipeline).stage(job.stage).policy
    except (LabError, KeyError):
        return Blockers(gpu=gpu)  # the pipeline was changed or removed since: which policy holds is not known here
    breaker = next((one for one in opened if one.policy == policy), None)
    return Blockers(breaker, next((one for one in spent if one.policy == policy), None), gpu)


def _gpu(lab: Lab, processes: Mapping[str, ProcessRow]) -> tuple[str | None, set[str]]:
    """The process that has the GPU's one place, and those that wait for it."""
    names = {one.pid: name for name, one in processes.items() if one.pid}
    lock = linux.file_lock(lab.locations.state / GPU_LOCK, names)
    return names.get(lock.holder or 0), {names[pid] for pid in lock.waiting}


def _blockers(lab: Lab, processes: Mapping[str, ProcessRow]) -> list[str]:
    """What holds up stages anywhere in the lab; nothing while the ledger is not up to be asked."""
    found = []
    has_gpu, waiting = _gpu(lab, processes)
    if has_gpu and waiting:
        found.append(f"{', '.join(sorted(waiting))} waits for the GPU, which {has_gpu} has.")
    ledgerd = processes.get("ledgerd")
    if ledgerd is None or ledgerd.state != State.READY:
        return found
    try:
        found += [why_breaker(one, time.time()) for one in lab.ledger.breakers() if one.state is CircuitState.OPEN]
        return found + [why_rate(one) for one in lab.ledger.rates()]
    except LabError as error:
        return [*found, f"Whether circuits are open is not known: {error}"]


def _disk(lab: Lab) -> list[str]:
    folders = {lab.locations.data, lab.locations.state}
    found = [(shutil.disk_usage(folder).free / 1e6, folder) for folder in folders]
    sentence = why_disk(min(found)[1], min(found)[0])
    return [sentence] if sentence else []


def free_mb(lab: Lab) -> float:
    """Room in MB on the disk of the data or on that of the logs, whichever has less."""
    return min(shutil.disk_usage(folder).free for folder in (lab.locations.data, lab.locations.state)) / 1e6


def _disk_use(lab: Lab) -> DiskUse:
    parts = disk_use.growing(lab.locations)
    budget = lab.settings.retention.disk_mib
    words = retention.budget_words(parts, lab.settings.retention)
    return DiskUse(parts, sum(parts.values()), None if budget is None else budget * 1024 * 1024, words)


def logs_mb(lab: Lab) -> float:
    """What all logs take, in MB."""
    folder = lab.locations.log("labd").parent
    return sum(path.stat().st_size for path in folder.glob("*.log*")) / 1e6


def _removed(lab: Lab) -> list[str]:
    """What was deleted from topics of the embedded broker within the last day."""
    now = time.time()
    found = removals(embedded_folder(lab.locations) / REMOVALS)
    return [why_removed(one, now) for one in found if now - one.at < REMOVALS_SHOWN_S]


def blockers(lab: Lab) -> list[str]:
    """What keeps the lab's processes and unfinished jobs from moving, a sentence each."""
    processes = lab.supervisor.status().processes
    found = [why_process(one) for one in processes if one.state != "ready"]
    found += [*_removed(lab), *_disk(lab), *_blockers(lab, {one.name: one for one in processes})]
    if any(one.name == "ledgerd" and one.state != "ready" for one in processes):
        return found
    try:
        for state in ("waiting_gate", "queued", "running"):
            for job in lab.ledger.jobs(state=state, limit=BLOCKED_SHOWN):
                found.append(f"{job.doc_id}: {explain_job(lab, lab.ledger.get(job.job_id) or job)}")
    except LabError as error:
        found.append(f"What the jobs wait for is not known: {error}")
    return found
