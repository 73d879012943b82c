"""How the lab is at this moment: what the gauges show, asked of the supervisor, the ledger, the disk and NVML."""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from medkg_lab import __version__
from medkg_lab.errors import LabError
from medkg_lab.gpu import nvml
from medkg_lab.lab import disk_use, requests, status
from medkg_lab.lab.facade import Lab
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.logs import fields
from medkg_lab.metrics import names
from medkg_lab.metrics.names import Metric
from medkg_lab.models.circuits import CircuitState
from medkg_lab.repeats import OnceAMinute
from medkg_lab.supervisor.answers import ProcessRow
from medkg_lab.supervisor.decide import State

log = logging.getLogger(__name__)
log.addFilter(OnceAMinute())

DEADLINE_S = 3.0
"""Seconds in which the ledger has to answer: whoever scrapes does not wait long."""
SLOW_INTERVAL_S = 60.0
"""Seconds between two looks at what takes long to find out: the sizes of all files, and the work queue."""
SLOW_RETRY_S = 5.0
"""The same while something of that could not be asked."""
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sample:
    """One number with its labels, in the order in which the metric names them."""

    metric: Metric
    value: float
    labels: tuple[str, ...] = ()


@dataclass
class SlowGauges:
    """What is found out once a minute, by a thread of its own."""

    lab: Lab
    samples: tuple[Sample, ...] = ()

    def run(self, stopping: Callable[[float], bool]) -> None:
        """Look until `stopping(0)`; `stopping(seconds)` waits that long unless the end comes first."""
        while not stopping(0):
            found = tuple(self._measure())
            self.samples = found
            missing = any(one.metric is names.SOURCE_UP and not one.value for one in found)
            stopping(SLOW_RETRY_S if missing else SLOW_INTERVAL_S)

    def _measure(self) -> Iterator[Sample]:
        yield from query_source("disk", lambda: disk(self.lab))
        yield from query_source("queue", lambda: [Sample(names.UNREAD, requests.unread(self.lab))])


def query_source(source: str, ask: Callable[[], Iterable[Sample]]) -> list[Sample]:
    """What `source` shows, and whether it could be asked."""
    try:
        found = list(ask())
    except (LabError, OSError) as error:
        log.warning("%s shows nothing: %s", source, error, extra=fields(event="metrics.unknown"))
        return [Sample(names.SOURCE_UP, 0, (source,))]
    return [*found, Sample(names.SOURCE_UP, 1, (source,))]


def now(lab: Lab, ledger: LedgerClient) -> Iterator[Sample]:
    """All that is found out at once."""
    yield Sample(names.BUILD, 1, (__version__,))
    yield from query_source("supervisor", lambda: processes(lab.supervisor.status().processes))
    yield from query_source("ledger", lambda: jobs(ledger))
    yield from query_source("circuits", lambda: circuits(ledger))
    yield from query_source("gpu", gpus)


def processes(rows: Iterable[ProcessRow]) -> Iterator[Sample]:
    """The lab's processes."""
    for row in rows:
        at = (row.name,)
        yield Sample(names.PROCESS_UP, row.state == State.READY, at)
        yield Sample(names.RESTARTS, row.restarts, at)
        if row.rss_mb is not None and row.cpu_seconds is not None:
            yield Sample(names.PROCESS_RSS, row.rss_mb * 1e6, at)
            yield Sample(names.PROCESS_CPU, row.cpu_seconds, at)


def jobs(ledger: LedgerClient) -> Iterator[Sample]:
    """Jobs and gates by state, and how far the views are behind the log."""
    counts = ledger.counts()
    yield Sample(names.HEAD, counts.head)
    for metric, found in (
        (names.JOBS, counts.jobs),
        (names.GATES, counts.gates),
        (names.QUEUED, counts.queued_by_lane),
    ):
        for label, number in found.items():
            yield Sample(metric, number, (label,))
    for view, seq in ledger.positions().items():
        # Asked for later than the head, a view may be ahead of it.
        yield Sample(names.VIEW_LAG, max(0, counts.head - int(seq)), (view,))


def circuits(ledger: LedgerClient) -> Iterator[Sample]:
    """Circuit breakers, and the rates that are used up."""
    for one in ledger.breakers():
        for state in CircuitState:
            yield Sample(names.BREAKER, one.state is state, (one.policy, one.key, state.value))
    for spent in ledger.rates():
        yield Sample(names.RATE_LIMIT, spent.rate_per_s, (spent.policy, spent.key))
        yield Sample(names.RATE_WAIT, spent.wait_s, (spent.policy, spent.key))


def disk(lab: Lab) -> Iterator[Sample]:
    """What the lab takes on disk, and what is left."""
    for part, size in disk_use.parts(lab.locations).items():
        yield Sample(names.DISK, size, (part,))
    yield Sample(names.DISK_FREE, status.free_mb(lab) * 1e6)


def gpus() -> Iterator[Sample]:
    """The GPUs of this machine; nothing where there are none."""
    for gpu in nvml.gauges():
        at = (str(gpu.index), gpu.name)
        yield Sample(names.GPU_USED, gpu.used_mib * _MIB, at)
        yield Sample(names.GPU_TOTAL, gpu.total_mib * _MIB, at)
        for metric, value in ((names.GPU_LOAD, gpu.load), (names.GPU_HEAT, gpu.celsius), (names.GPU_POWER, gpu.watts)):
            if value is not None:
                yield Sample(metric, value, at)
