"""Chaos: every process of a lab, met by every way in which a process ends or stands still, while documents are worked on.

`python -m tests.faults.lab.chaos --rounds 3 [--processes ledgerd,knowledge] [--faults kill,restart] [--json]` runs it by hand and
prints how long the lab needed to be ready again. Documents are real ones below MEDKG_SHARED_DATA where that is set, else those
bundled with the demo and small studies of our own. It exits with 1 unless every job is completed, none of them by a person's
hand, and `verify` finds no difference.
"""

import argparse
import contextlib
import itertools
import json
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.labs import TestLab
from tests.waiting import wait_until

PROCESSES = (
    "labd",
    "broker",
    "ledgerd",
    "bridge",
    "engine-compute",
    "engine-network",
    "knowledge",
    "pdf",
    "dagsterd",
)
FAULTS = ("kill", "term", "restart", "stop")
STOPPED_SECONDS = 30.0
READY_WITHIN = 180.0
FINISHED_WITHIN = 1800.0
PER_FAULT = 3
"""Documents that are submitted with each fault, at the least."""
MAX_DOCUMENTS = 126
HERE = Path(__file__).resolve()
DEMO = HERE.parents[3] / "bundled_pipelines" / "demo"
FINAL = {"completed", "failed", "dead", "cancelled"}


@dataclass(frozen=True)
class Step:
    """One fault, and the seconds from it until every process was ready again."""

    process: str
    fault: str
    ready_after: float


@dataclass
class Report:
    """What came of it: `odd` are the jobs that are not completed, `by_hand` those that a person had to run again."""

    steps: list[Step] = field(default_factory=list)
    submitted: int = 0
    states: dict[str, int] = field(default_factory=dict)
    odd: list[list[Any]] = field(default_factory=list)
    by_itself: int = 0
    by_hand: int = 0
    differences: list[Any] = field(default_factory=list)

    @property
    def right(self) -> bool:
        """Whether nothing was lost, failed, or done by hand."""
        all_there = self.states.get("completed", 0) == self.submitted
        return all_there and not self.odd and not self.by_hand and not self.differences


def real_documents(shared: Path) -> list[Path]:
    """Articles, studies and PDFs among the shared data that a lab must be able to take in."""
    articles = sorted((shared / "jats").glob("*.nxml"))
    pdfs = sorted((shared / "pdf" / "paired_with_jats").glob("*.pdf"))[:6]
    return [*pdfs, *articles][:MAX_DOCUMENTS]


def bundled_documents(folder: Path, studies: int) -> list[Path]:
    """The demo's documents, and so many small studies of our own in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(studies):
        protocol = {
            "identificationModule": {"nctId": f"NCT{97000000 + number}", "briefTitle": f"Substance {number}"},
            "descriptionModule": {"briefSummary": f"Substance {number} was compared with placebo. " * 12},
            "conditionsModule": {"conditions": [f"Condition {number % 7}"]},
        }
        (folder / f"{number}.json").write_text(json.dumps({"protocolSection": protocol}))
    papers = sorted((DEMO / "papers").glob("*.pdf"))[:2]
    return [*papers, *sorted((DEMO / "articles").glob("PMC900000[1-6].nxml")), *sorted(folder.glob("*.json"))]


class Chaos:
    """One lab, and the faults that it meets."""

    def __init__(self, lab: TestLab, documents: Sequence[Path], note: Callable[[str], None]) -> None:
        self._lab = lab
        self._documents = list(documents)
        self._note = note
        self.report = Report()

    def run(self, steps: Iterable[tuple[str, str]]) -> Report:
        """Let the lab meet `steps`, documents with each; then wait for all of them, and look at what is left."""
        planned = list(steps)
        each = max(PER_FAULT, -(-len(self._documents) // max(1, len(planned))))
        for process, fault in planned:
            self._submit(each)
            before, began = self._pid(process), time.monotonic()
            getattr(self, f"_{fault}")(process)
            self._wait_ready(process, None if fault == "stop" else before)
            self.report.steps.append(Step(process, fault, round(time.monotonic() - began, 2)))
            self._note(f"{process:15} {fault:8} ready after {self.report.steps[-1].ready_after:6.1f} s")
        self._finish()
        return self.report

    def _submit(self, number: int) -> None:
        """Hand in documents, from the beginning again (and anew) once all of them were."""
        start = self.report.submitted
        places = range(start, start + number)
        for again, group in itertools.groupby(places, lambda place: place // len(self._documents)):
            chosen = [str(self._documents[place % len(self._documents)]) for place in group]
            done = self._lab.run("submit", *chosen, *(["--again"] if again else []))
            assert done.code == 0, done.err
            self.report.submitted += len(chosen)

    def _pid(self, process: str) -> int:
        """The pid; while the process is being started again there is none yet."""
        if process != "labd":
            return wait_until(lambda: self._lab.pids().get(process), READY_WITHIN, f"{process} to run") or 0
        child = next(iter(self._lab.pids().values()))
        return int(Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[1])

    def _kill(self, process: str) -> None:
        self._signal(process, signal.SIGKILL)

    def _term(self, process: str) -> None:
        self._signal(process, signal.SIGTERM)

    def _restart(self, process: str) -> None:
        if process == "labd":
            self._lab.ok("down")
        else:
            self._lab.ok("restart", process)

    def _stop(self, process: str) -> None:
        """Have the process stand still for a while; a supervisor may end it for that meanwhile."""
        pid = self._pid(process)
        os.kill(pid, signal.SIGSTOP)
        until = time.monotonic() + STOPPED_SECONDS
        wait_until(lambda: time.monotonic() > until, STOPPED_SECONDS + 5, "the time to pass")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    def _signal(self, process: str, number: int) -> None:
        pid = self._pid(process)
        os.kill(pid, number)
        if process == "labd":
            wait_until(lambda: not Path(f"/proc/{pid}").exists(), 60, "labd to end")

    def _wait_ready(self, process: str, before: int | None) -> None:
        """Until every process is ready, and `process` is another one than `before`.

        A lab whose supervisor is gone is started again, as its owner would.
        """

        def ready() -> bool:
            status = self._lab.run("status", "--json")
            if status.code == 3:
                self._lab.run("up")
                return False
            found = status.json()["processes"] if status.code == 0 else []
            same = process != "labd" and any(one["name"] == process and one["pid"] == before for one in found)
            return bool(found) and not same and all(one["state"] == "ready" for one in found)

        wait_until(ready, READY_WITHIN, "the lab to be ready")

    def _rows(self, sql: str) -> list[list[Any]]:
        rows: list[list[Any]] = self._lab.ok("sql", sql)["rows"]
        return rows

    def _finish(self) -> None:
        def ended() -> bool:
            counts = dict(self._rows("SELECT state, count(*) FROM job GROUP BY state"))
            self.report.states = counts
            own = "own IS NOT NULL AND own_retries < 2 AND state IN ('failed', 'dead')"
            waiting = self._rows(f"SELECT count(*) FROM job WHERE {own}")
            return sum(counts.values()) >= self.report.submitted and set(counts) <= FINAL and waiting == [[0]]

        with contextlib.suppress(AssertionError):
            wait_until(ended, FINISHED_WITHIN, "all jobs to end")
        columns = "doc_id, state, current_stage, failure_kind, own, reason"
        self.report.odd = self._rows(f"SELECT {columns} FROM job WHERE state <> 'completed'")
        events = self._lab.run("events", "--json", "--after", "0")
        requeued = [json.loads(line) for line in events.out.splitlines() if '"job.requeued"' in line]
        self.report.by_itself = sum(event["data"]["by"] == "lab" for event in requeued)
        self.report.by_hand = len(requeued) - self.report.by_itself
        self.report.differences = self._lab.run("verify", "--json").json()["differences"]


def matrix(rounds: int, processes: Sequence[str], faults: Sequence[str], seed: int) -> list[tuple[str, str]]:
    """Every process with every fault, so many times, each time in another order."""
    chance = random.Random(seed)
    found: list[tuple[str, str]] = []
    for _ in range(rounds):
        found += chance.sample(
            [(process, fault) for process in processes for fault in faults], len(processes) * len(faults)
        )
    return found


@contextlib.contextmanager
def scratch_lab() -> Iterator[tuple[TestLab, Path]]:
    """A lab that runs, in a folder that goes afterwards; and that folder."""
    folder = Path(tempfile.mkdtemp(prefix="mk", dir="/tmp"))
    cache = Path(os.environ.get("MEDKG_LAB_CACHE", str(folder / "cache")))
    lab = TestLab(folder / "home", cache)
    try:
        lab.ok("up")
        yield lab, folder
    finally:
        lab.run("down")
        shutil.rmtree(folder, ignore_errors=True)


def run(
    rounds: int = 1,
    processes: Sequence[str] = PROCESSES,
    faults: Sequence[str] = FAULTS,
    seed: int = 0,
    note: Callable[[str], None] = lambda line: None,
    most: int = MAX_DOCUMENTS,
) -> Report:
    """Run the matrix on a lab of its own with `most` real documents, or more where each fault is to have some."""
    steps = matrix(rounds, processes, faults, seed)
    shared = os.environ.get("MEDKG_SHARED_DATA")
    with scratch_lab() as (lab, folder):
        if shared:
            documents = real_documents(Path(shared))[:most]
        else:
            documents = bundled_documents(folder / "studies", max(12, PER_FAULT * len(steps)))
        return Chaos(lab, documents, note).run(steps)


def print_report(report: Report) -> None:
    """Print the report as tables."""
    print(f"{'process':15} {'fault':8} {'n':>3} {'median s':>9} {'most s':>7}")
    times_of: dict[tuple[str, str], list[float]] = {}
    for step in report.steps:
        times_of.setdefault((step.process, step.fault), []).append(step.ready_after)
    for (process, fault), times in sorted(times_of.items()):
        print(f"{process:15} {fault:8} {len(times):3} {statistics.median(times):9.1f} {max(times):7.1f}")
    again = f"{report.by_itself} run again by the lab, {report.by_hand} by hand"
    print(f"{report.submitted} submitted; {report.states}; {again}")
    for odd in report.odd:
        print("not completed:", *odd)
    print(f"verify: {len(report.differences)} differences")


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.lab.chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1, help="how often each process meets each fault (default 1)")
    parser.add_argument("--processes", default=",".join(PROCESSES), help="only these")
    parser.add_argument("--faults", default=",".join(FAULTS), help="only these")
    parser.add_argument("--seed", type=int, default=0, help="the order of the faults (default 0)")
    parser.add_argument("--json", action="store_true", help="print JSON on stdout")
    args = parser.parse_args()
    chosen = args.processes.split(","), args.faults.split(",")
    report = run(args.rounds, *chosen, args.seed, lambda line: print(line, file=sys.stderr, flush=True))
    if args.json:
        print(json.dumps({**asdict(report), "right": report.right}, indent=2))
    else:
        print_report(report)
    return 0 if report.right else 1


if __name__ == "__main__":
    sys.exit(main())
