"""The one thread that looks at the lab about once a second and posts what it saw."""

import contextlib
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from medkg_lab.errors import LabError, LabNotRunning
from medkg_lab.lab import job_queries
from medkg_lab.lab.facade import Lab
from medkg_lab.lab.flow import WINDOW_S, StageFlow, stage_flows
from medkg_lab.ledger.answers import Counts
from medkg_lab.ledger.state import values_of
from medkg_lab.supervisor.answers import LabStatus
from medkg_lab.tui.messages import Snapshot, SnapshotTaken, WatchedLab, WatchedProcess

if TYPE_CHECKING:
    from medkg_lab.gpu.nvml import Gauge

POLL_EVERY_S = 1.0
KEPT_RATES_S = 300
"""Seconds of throughput that are kept."""
GPU_EVERY, NO_GPU_EVERY = 1.0, 30.0
"""Seconds between two looks at the GPUs, and between two looks for one."""
FLOW_EVERY_S, FLOW_SHARE = 2.0, 10
"""Seconds between two questions about the stages, and how many times as long as the answer took."""
REFUSED_EVERY_S, REFUSED_FIRST_S = 10.0, 2.0
"""Seconds between two looks at the dead letters, and from the start to the first."""
T = TypeVar("T")


class Poller:
    """Takes snapshots of `lab` until it is stopped, and gives each to `post`, which must be safe to call from a thread."""

    def __init__(self, lab: Lab, post: Callable[[SnapshotTaken], Any]) -> None:
        self._lab = lab
        self._post = post
        self._stopped = threading.Event()
        self._woken = threading.Event()
        self._seen = Snapshot()
        self._rates: deque[float] = deque(maxlen=KEPT_RATES_S)
        self._finished: tuple[float, int] | None = None
        self._flow_head, self._flow_asked = -1, (-FLOW_EVERY_S, 0.0)
        self._dead_letters, self._refused_asked = (-1, 0), time.monotonic() - REFUSED_EVERY_S + REFUSED_FIRST_S
        self._cpu: dict[str, tuple[float, float]] = {}
        self._gpu: tuple[float, tuple[Gauge, ...]] = (-NO_GPU_EVERY, ())
        self._thread = threading.Thread(target=self._run, name="poller", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End soon; does not wait."""
        self._stopped.set()
        self._woken.set()

    def hurry(self) -> None:
        """Look now, because something was changed."""
        self._refused_asked = -REFUSED_EVERY_S
        self._woken.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            began = time.monotonic()
            is_first = not self._seen.at
            snapshot = self._polled()
            if not self._stopped.is_set():
                self._post(SnapshotTaken(snapshot))
            if is_first and snapshot.lab is not None:
                continue  # what takes longer than the first frame may
            starting = snapshot.lab is None or not snapshot.is_ready
            pause = (0.25 if starting else POLL_EVERY_S) - (time.monotonic() - began)
            self._woken.wait(max(0.05, pause))
            self._woken.clear()

    def _polled(self) -> Snapshot:
        try:
            return self.poll()
        except Exception as error:  # noqa: BLE001 - thread boundary: a full disk or a bug is told, and looking goes on
            self._seen = replace(self._seen, at=time.time(), trouble=f"{type(error).__name__}: {error}")
            return self._seen

    def poll(self) -> Snapshot:
        """Take a snapshot; what does not answer keeps its last value and is named in `behind`.

        The first has only what is quick to ask: the processes and the ledger, not the machine and the pipelines' files.
        """
        now, is_first = time.time(), not self._seen.at
        try:
            status: LabStatus | None = self._lab.supervisor.status()
            trouble = ""
        except LabNotRunning:
            status, trouble = None, ""
        except LabError as error:
            status, trouble = None, str(error)
        watched = None if status is None else self._with_cpu(status)
        seen = replace(self._seen, at=now, lab=watched, trouble=trouble)
        if status is not None:
            seen = self._ledger(seen)
            seen = replace(seen, refused=self._refused(seen))
            if not is_first:
                seen = replace(seen, machine=self._machine(seen), stages=self._stages(seen))
        self._seen = seen
        return seen

    def _ledger(self, seen: Snapshot) -> Snapshot:
        if not seen.is_up("ledgerd"):
            return replace(seen, behind={"ledger": seen.behind.get("ledger", seen.at)} if self._was_up() else {})
        try:
            ledger = self._lab.ledger
            counts = ledger.counts()
            seen = replace(
                seen,
                counts=counts,
                positions=ledger.positions(),
                breakers=tuple(ledger.breakers()),
                gates=tuple(ledger.gates(state="waiting")),
                flow=job_queries.flow(ledger),
                totals=job_queries.totals(ledger),
                stage_flows=self._flows(seen, counts),
                acknowledged=self._acknowledged(seen, counts),
                behind={},
            )
        except LabNotRunning:
            return seen
        except LabError:
            return replace(seen, behind={"ledger": seen.behind.get("ledger", seen.at)})
        return replace(seen, throughput=self._throughput(counts))

    def _acknowledged(self, seen: Snapshot, counts: Counts) -> Mapping[str, int]:
        """The failures that someone has seen: asked anew when the ledger has moved, and only while there are failures."""
        if not any(counts.jobs.get(state) for state in ("failed", "dead")):
            return {}
        if seen.counts is not None and counts.head == seen.counts.head:
            return seen.acknowledged
        return job_queries.acknowledged(self._lab.ledger)

    def _stages(self, seen: Snapshot) -> Mapping[str, Sequence[str]]:
        try:
            known = self._lab.catalog.topologies()
        except LabError:
            return seen.stages
        return {name: [stage.name for stage in topology.stages] for name, topology in known.items()}

    def _flows(self, seen: Snapshot, counts: Counts) -> Mapping[str, Mapping[str, StageFlow]]:
        """How the stages have done: asked anew when the ledger has moved, and as often as it is quick to say."""
        head, asked, took = counts.head, *self._flow_asked
        now = time.monotonic()
        is_old = now - asked >= max(FLOW_EVERY_S, FLOW_SHARE * took)
        if not is_old or (head == self._flow_head and now - asked < WINDOW_S):
            return seen.stage_flows
        found = stage_flows(self._lab.ledger, seen.at)
        self._flow_head, self._flow_asked = head, (now, time.monotonic() - now)
        return found

    def _refused(self, seen: Snapshot) -> int:
        """Requests that became dead letters, looked for now and then: once the broker is up."""
        now = time.monotonic()
        if seen.is_up("broker") and now - self._refused_asked >= REFUSED_EVERY_S:
            # Here, so that the first frame does not wait for the broker's client library.
            from medkg_lab.lab.failures import seen_refusals
            from medkg_lab.lab.requests import dead_letters

            self._refused_asked = now
            with contextlib.suppress(LabError):
                self._dead_letters = dead_letters(self._lab, self._dead_letters)
                return max(0, self._dead_letters[1] - seen_refusals(self._lab.ledger))
        return seen.refused

    def _was_up(self) -> bool:
        return bool(self._seen.counts)

    def _throughput(self, counts: Counts) -> tuple[float, ...]:
        done = sum(counts.jobs.get(state, 0) for state in ("completed", "failed", "dead", "cancelled"))
        now = time.monotonic()
        if self._finished is not None:
            before, had = self._finished
            rate = max(0, done - had) / max(0.001, now - before)
            self._rates.extend([rate] * min(KEPT_RATES_S, max(1, round((now - before) / POLL_EVERY_S))))
        self._finished = (now, done)
        return tuple(self._rates)

    def _with_cpu(self, status: LabStatus) -> WatchedLab:
        now = time.monotonic()
        watched = []
        for one in status.processes:
            used, key = one.cpu_seconds, f"{one.name} {one.pid}"
            share = None
            if used is not None:
                before, had = self._cpu.get(key, (now, used))
                share = max(0.0, used - had) / (now - before) if now - before > 0.2 else None
                if share is not None or key not in self._cpu:
                    self._cpu[key] = (now, used)
            watched.append(WatchedProcess(**values_of(one), cpu=share))
        return WatchedLab(**{**values_of(status), "processes": tuple(watched)})

    def _machine(self, seen: Snapshot) -> dict[str, Any]:
        # Here, so that the first frame does not wait for it.
        import psutil

        rss = sum(one.rss_mb or 0 for one in seen.processes)
        return {
            "cores": psutil.cpu_count() or 1,
            "busy": sum(one.cpu or 0 for one in seen.processes),
            "rss_mb": rss,
            "memory_mb": psutil.virtual_memory().total / 1e6,
            "disk_free_mb": _free(self._lab) / 1e6,
            "gpus": self._gpus(),
            "durability": self._durability(),
        }

    def _gpus(self) -> "tuple[Gauge, ...]":
        asked, found = self._gpu
        if time.monotonic() - asked >= (GPU_EVERY if found else NO_GPU_EVERY):
            # Here, so that the first frame does not wait for NVIDIA's library.
            from medkg_lab.gpu.nvml import gauges

            found = gauges()
            self._gpu = (time.monotonic(), found)
        return found

    def _durability(self) -> str:
        from medkg_lab.broker.engine import choose

        try:
            return choose(self._lab.locations, self._lab.settings).durability()
        except (LabError, OSError) as error:
            return str(error)


def _free(lab: Lab) -> int:
    try:
        return shutil.disk_usage(lab.locations.data).free
    except OSError:
        return 0
