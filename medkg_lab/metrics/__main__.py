"""`python -m medkg_lab.metrics`: counts the ledger's events in a thread, and answers Prometheus on an event loop."""

import asyncio
import socket
import threading
from collections.abc import Sequence
from functools import partial

from medkg_lab import credentials, linux, process
from medkg_lab.errors import LabError
from medkg_lab.heartbeat import LoopWatchdog
from medkg_lab.lab.facade import Lab
from medkg_lab.ledger.acts import AccessLog
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.ledger.following import follow
from medkg_lab.metrics import gauges
from medkg_lab.metrics.app import make_app
from medkg_lab.metrics.collector import LabCollector
from medkg_lab.metrics.counts import Counts
from medkg_lab.orchestration.connections import PagesServer, limit_repeated_lines, listeners
from medkg_lab.supervisor.decide import State

NAME = "metrics"
UNKNOWN = "unknown"
"""The pipeline of a job that the ledger does not know any more."""
JOIN_S = 5.0


def main() -> None:
    """Run until SIGTERM."""
    _, locations = process.arguments(NAME)
    lab = Lab(locations, gauges.DEADLINE_S)
    listening = listeners(lab.settings.ports.metrics, NAME)
    limit_repeated_lines()
    stopping = process.Stopping()
    ledger = LedgerClient(locations.socket("ledger"))
    folder = locations.data / NAME
    folder.mkdir(mode=0o700, exist_ok=True)
    counts = Counts(folder / "counts.sqlite", partial(_pipeline_of, ledger))
    slow = gauges.SlowGauges(lab)
    asking = LedgerClient(locations.socket("ledger"), gauges.DEADLINE_S)
    collector = LabCollector(counts.totals, lambda: [*gauges.now(lab, asking), *slow.samples])
    counting = LoopWatchdog(stopping)
    access_log = AccessLog(asking)
    work = threading.Thread(target=follow, args=(ledger, NAME, counts, counting), name="counting", daemon=True)
    look = threading.Thread(target=slow.run, args=(stopping,), name="looking", daemon=True)
    app = make_app(
        collector,
        credentials.metrics_token_file(locations),
        lambda: work.is_alive() and counting.is_alive(),
        partial(_problems, lab),
        access_log,
    )
    access_log.start(stopping)
    work.start()
    look.start()
    asyncio.run(_Server(app, linux.raise_open_files()).serve(listening))
    stopping.stop()
    work.join(JOIN_S)


class _Server(PagesServer):
    """A server that says when it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            process.announce(NAME)


def _pipeline_of(ledger: LedgerClient, job_id: str) -> str:
    job = ledger.get(job_id)
    return UNKNOWN if job is None else job.pipeline


def _problems(lab: Lab) -> Sequence[str]:
    """What keeps the lab from being ready, a process each."""
    try:
        rows = lab.supervisor.status().processes
    except LabError as error:
        return [str(error)]
    return [f"{one.name}: {one.state}" for one in rows if one.state != State.READY and not one.slow]


if __name__ == "__main__":
    process.run(NAME, main)
