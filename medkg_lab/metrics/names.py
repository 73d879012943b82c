"""The metrics: their names, labels and units, as https://prometheus.io/docs/practices/naming/ has them.

No label holds the name of a document, a job or a tenant: a label with so many values fills the memory of whoever scrapes it, and
the names are nobody else's business.
"""

from dataclasses import dataclass
from typing import Literal

PREFIX = "medkg_lab_"
_STAGE_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_JOB_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 4 * 3600.0, 86_400.0)
_GATE_S = (1.0, 10.0, 60.0, 600.0, 3600.0, 4 * 3600.0, 86_400.0, 3 * 86_400.0, 7 * 86_400.0, 30 * 86_400.0)


@dataclass(frozen=True, eq=False)
class Metric:
    """One metric; `bounds` are the upper bounds of a histogram's buckets, in seconds and without infinity."""

    name: str
    kind: Literal["counter", "histogram", "gauge"]
    help: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()

    @property
    def samples(self) -> tuple[str, ...]:
        """The names under which Prometheus keeps it."""
        if self.kind == "histogram":
            return tuple(f"{self.name}_{part}" for part in ("bucket", "count", "sum"))
        return (self.name,)


def _counter(name: str, text: str, *labels: str) -> Metric:
    return Metric(f"{PREFIX}{name}_total", "counter", text, labels)


def _seconds(name: str, text: str, bounds: tuple[float, ...], *labels: str) -> Metric:
    return Metric(f"{PREFIX}{name}_seconds", "histogram", text, labels, bounds)


def _gauge(name: str, text: str, *labels: str) -> Metric:
    return Metric(f"{PREFIX}{name}", "gauge", text, labels)


# Counted from the ledger's events.
EVENTS = _counter("events", "Events of the ledger, by type.", "type")
JOBS_SUBMITTED = _counter("jobs_submitted", "Jobs that were made.", "pipeline")
JOBS_ENDED = _counter(
    "jobs_ended",
    "Jobs that ended: completed, unchanged (the document is what was published before), failed, dead or cancelled.",
    "pipeline",
    "outcome",
)
JOBS_REQUEUED = _counter("jobs_requeued", "Finished jobs that were queued again, by the lab or by a person.", "by")
JOB_FAILURES = _counter("job_failures", "Jobs that failed, by the kind of failure.", "pipeline", "kind")
STAGE_EXECUTIONS = _counter(
    "stage_executions", "Stages of documents that ended: completed, skipped or failed.", "pipeline", "stage", "outcome"
)
STAGE_ITEMS = _counter("stage_items", "Items that stages made: passages, vectors, statements.", "pipeline", "stage")
STAGE_RETRIES = _counter("stage_retries", "Calls that were tried again.", "pipeline", "stage", "kind")
STAGE_FAILURES = _counter("stage_failures", "Stages of documents that failed.", "pipeline", "stage", "kind")
BATCHES_CLAIMED = _counter("batches_claimed", "Batches that engines took.", "pipeline", "lane")
BATCHES_LOST = _counter("batches_lost", "Batches that were lost (lease, deadline) or handed back.", "reason")
BREAKER_OPENINGS = _counter("breaker_openings", "Circuit breakers that opened.", "policy", "key")
STAGE_DURATION = _seconds(
    "stage_duration", "What a stage took for a document, as its share of the batch.", _STAGE_S, "pipeline", "stage"
)
JOB_DURATION = _seconds("job_duration", "From a job's submission to its completion.", _JOB_S, "pipeline")
GATE_WAIT = _seconds(
    "gate_wait",
    "For how long jobs waited at a gate until it was opened, rejected or failed, or the job was cancelled.",
    _GATE_S,
    "pipeline",
    "gate",
    "outcome",
)
COUNTED = (
    EVENTS,
    JOBS_SUBMITTED,
    JOBS_ENDED,
    JOBS_REQUEUED,
    JOB_FAILURES,
    STAGE_EXECUTIONS,
    STAGE_ITEMS,
    STAGE_RETRIES,
    STAGE_FAILURES,
    BATCHES_CLAIMED,
    BATCHES_LOST,
    BREAKER_OPENINGS,
    STAGE_DURATION,
    JOB_DURATION,
    GATE_WAIT,
)

# Queried at each scrape.
BUILD = _gauge("build_info", "Always 1; the version is a label.", "version")
SOURCE_UP = _gauge("source_up", "Whether what the gauges come from could be asked (1) or not (0).", "source")
JOBS = _gauge("jobs", "Jobs by state.", "state")
GATES = _gauge("gates", "Gates by state.", "state")
QUEUED = _gauge("queued_jobs", "Queued jobs by lane.", "lane")
HEAD = _gauge("ledger_head", "The number of the newest event.")
VIEW_LAG = _gauge("view_lag_events", "Events that a view of the ledger has still to take in.", "view")
UNREAD = _gauge("queue_unread_requests", "Requests on the work queue that the intake has still to read.")
BREAKER = _gauge("breaker_state", "1 for the state that a circuit breaker is in.", "policy", "key", "state")
RATE_LIMIT = _gauge("rate_budget_per_second", "Calls per second of a budget that is used up.", "policy", "key")
RATE_WAIT = _gauge("rate_budget_wait_seconds", "Until a budget that is used up gives the next call.", "policy", "key")
DISK = _gauge("disk_bytes", "What the lab takes on disk, by part.", "part")
DISK_FREE = _gauge("disk_free_bytes", "Room on the disk of the data or of the logs, whichever has less.")
PROCESS_UP = _gauge("process_up", "Whether a process is ready.", "process")
PROCESS_RSS = _gauge("process_resident_memory_bytes", "Memory of a process.", "process")
RESTARTS = _counter("process_restarts", "Restarts of a process since the lab was started.", "process")
PROCESS_CPU = _counter("process_cpu_seconds", "Processor time of a process since it was started.", "process")
GPU_LOAD = _gauge("gpu_utilization_ratio", "How busy a GPU is, from 0 to 1.", "gpu", "name")
GPU_USED = _gauge("gpu_memory_used_bytes", "Memory of a GPU in use.", "gpu", "name")
GPU_TOTAL = _gauge("gpu_memory_total_bytes", "Memory of a GPU.", "gpu", "name")
GPU_HEAT = _gauge("gpu_temperature_celsius", "Temperature of a GPU.", "gpu", "name")
GPU_POWER = _gauge("gpu_power_watts", "What a GPU draws.", "gpu", "name")
QUERIED = (
    BUILD,
    SOURCE_UP,
    JOBS,
    GATES,
    QUEUED,
    HEAD,
    VIEW_LAG,
    UNREAD,
    BREAKER,
    RATE_LIMIT,
    RATE_WAIT,
    DISK,
    DISK_FREE,
    PROCESS_UP,
    PROCESS_RSS,
    RESTARTS,
    PROCESS_CPU,
    GPU_LOAD,
    GPU_USED,
    GPU_TOTAL,
    GPU_HEAT,
    GPU_POWER,
)
