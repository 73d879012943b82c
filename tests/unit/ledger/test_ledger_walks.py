"""Long random sequences of commands: the fold of the log, the ledger's memory and the tables always say the same."""

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medkg_lab.errors import LabError
from medkg_lab.ledger.commands.breakers import BreakerProbe, BreakerReport
from medkg_lab.ledger.core import Request
from medkg_lab.ledger.reducer import fold
from medkg_lab.ledger.state import FINISHED, State
from medkg_lab.ledger.tables import gate_row, job_row, stage_row
from medkg_lab.models.events import Event, EventData, EventType, JobAdvanced, StageRetrying, StageSkipped
from tests.unit.ledger.worlds import EVIDENCE, World, canonical, completed, done, failed, ids, spec, started, waiting

JOBS = 12
IMPORTS = 4
STEPS = 230


class Walk:
    """Two pipelines, a few documents, engines that work, fail and vanish, people who interfere, and restarts."""

    def __init__(self, folder: Path, seed: int, in_memory: bool = False) -> None:
        self.random = random.Random(seed)
        self.world = World(folder, kept_finished=2, in_memory=in_memory)
        self.batches: list[dict[str, Any]] = []

    def go(self, steps: int) -> None:
        """Take so many steps; work is likelier than trouble."""
        weights = {
            self.submit: 8,
            self.take_in: 2,
            self.claim: 16,
            self.work: 60,
            self.lose: 2,
            self.surrender: 1,
            self.vanish: 2,
            self.retry: 4,
            self.retry_own: 2,
            self.retry_many: 1,
            self.acknowledge: 1,
            self.delete: 2,
            self.cancel: 2,
            self.set_field: 6,
            self.gate: 10,
            self.release: 6,
            self.launch: 2,
            self.call: 12,
            self.project: 4,
            self.restart: 2,
            self.lose_the_views: 1,
        }
        self.world.do("note_act", action="settings.changed", by="someone", subject="batch_limit", count=1)
        for step in self.random.choices(list(weights), list(weights.values()), k=steps):
            step()

    def attempt(self, op: str, **args: Any) -> Any:
        """Carry out a command that may be refused."""
        try:
            return self.world.do(op, **args)
        except LabError:
            return None

    def a_job(self) -> str:
        return f"j{self.random.randrange(JOBS + IMPORTS)}"

    def submit(self) -> None:
        jobs = {f"j{self.random.randrange(JOBS)}" for _ in range(self.random.randint(1, 4))}
        pipeline, offline = self.random.choice(["plain", "gated"]), self.random.random() < 0.5
        self.world.submit(*jobs, pipeline=pipeline, offline=offline, priority=self.random.randint(-1, 1))

    def take_in(self) -> None:
        """Jobs of an older ledger come, some of them finished there."""
        entry = {
            "spec": spec(f"j{JOBS + self.random.randrange(IMPORTS)}"),
            "stage": None,
            "retries": {"parse": 1},
            "reason": None,
            "created_at": 5.0,
        }
        state = self.random.choice(["queued", "completed", "failed"])
        self.world.do("import_jobs", entries=[{**entry, "state": state, "fields": {"pdf_downloaded": True}}])

    def claim(self) -> None:
        batch = self.world.claim(limit=self.random.randint(1, 4), lanes=[self.random.choice(["network", "compute"])])
        if batch is not None:
            self.batches.append(batch)

    def work(self) -> None:
        """One engine does the next thing, which may be to find that its batch was lost."""
        if not self.batches:
            return
        batch = self.random.choice(self.batches)
        live = self.world.core.state.batches.get(batch["batch_id"])
        jobs = list(live.jobs) if live else ids(batch)
        left = [each for each in batch["stages"] if not all(each in self.world.job(job).done for job in jobs)]
        events = self.following(batch, jobs, left)
        if self.attempt("record", batch_id=batch["batch_id"], events=events) is None or not left:
            self.batches.remove(batch)

    def following(self, batch: dict[str, Any], jobs: list[str], left: list[str]) -> list[EventData]:
        """What an engine records next."""
        if left:
            run = self.world.job(jobs[0]).run_of(left[0])
            return self.of_stage(left[0], jobs, begun=run is not None and run.status == "running")
        plan = self.world.core.plans.of(batch["pipeline"], batch["pipeline_version"], batch["jobs"][0]["offline"])
        segment = plan.segments[batch["segment"]]
        if segment.gate:
            return [waiting(jobs)]
        if segment.index + 1 == len(plan.segments):
            return [done(jobs)]
        following = plan.segments[segment.index + 1]
        return [JobAdvanced(tuple(jobs), following.index, following.lane.value)]

    def of_stage(self, stage: str, jobs: list[str], begun: bool) -> list[EventData]:
        """A stage starts, is tried again, ends well for all, for some, or is skipped."""
        skipped = StageSkipped(stage, tuple(jobs), 3.0, "condition")
        if not begun:
            return [skipped] if self.random.random() < 0.1 else [started(stage, jobs)]
        retrying = StageRetrying(stage, tuple(jobs[:1]), 1, 0.5, "service", "busy")
        match self.random.choices(["good", "retry", "bad"], [8, 1, 1])[0]:
            case "good":
                return [completed(stage, jobs)]
            case "retry":
                return [retrying]
            case _:
                own = self.random.choice([None, "knowledge"])
                return [*failed(stage, jobs[0], own), *([completed(stage, jobs[1:])] if jobs[1:] else [])]

    def lose(self) -> None:
        self.world.expire()

    def vanish(self) -> None:
        """Engine after engine is lost with one job at a time."""
        for _ in range(4):
            self.world.claim(limit=1)
            self.world.expire()

    def surrender(self) -> None:
        if self.batches:
            batch = self.batches.pop(self.random.randrange(len(self.batches)))
            self.attempt("surrender", batch_id=batch["batch_id"], stage=None)

    def retry(self) -> None:
        stage = self.random.choice([None, None, "ingest", "download", "gate", "chunk", "nonsense"])
        self.attempt("retry", job_id=self.a_job(), from_stage=stage, by="someone")

    def retry_own(self) -> None:
        self.world.carry_out(*self.world.core.own_failures(1e12))

    def retry_many(self) -> None:
        args = {"job_ids": sorted({self.a_job(), self.a_job()}), "state": "failed", "kind": "bad_input"}
        self.attempt("retry_many", **args, by="someone")

    def acknowledge(self) -> None:
        self.attempt("acknowledge", job_ids=sorted({self.a_job(), self.a_job()}), by="someone")

    def delete(self) -> None:
        job_id = self.a_job()
        document = {"tenant_id": "default", "doc_id": f"file:{job_id}", "job_ids": [job_id]}
        self.attempt("delete_document", **document, by="someone", why="asked for")

    def cancel(self) -> None:
        self.attempt("cancel", job_id=self.a_job(), by="someone", why="changed my mind")

    def set_field(self) -> None:
        evidence = {**EVIDENCE, "missing_pages": [2] if self.random.random() < 0.4 else []}
        value = self.random.random() < 0.7
        args = {"field": "pdf_ir_ready", "value": value, "by": "pdf", "evidence": evidence}
        self.attempt("set_field", job_id=self.a_waiting_job(), **args)

    def a_waiting_job(self) -> str:
        waiting_jobs = [job.id for job in self.world.core.state.jobs.values() if job.state.value == "waiting_gate"]
        return self.random.choice(waiting_jobs or [self.a_job()])

    def gate(self) -> None:
        ways: dict[str, dict[str, Any]] = {
            "gate_open": {"partial": self.random.random() < 0.7},
            "gate_reject": {"why": "unreadable"},
            "gate_fail": {"kind": "bad_input", "reason": "no text"},
        }
        way = self.random.choices(list(ways), [2, 1, 1])[0]
        self.attempt(way, job_id=self.a_waiting_job(), by="someone", **ways[way])

    def release(self) -> None:
        if releases := self.world.do("releases"):
            chosen = self.random.choice(releases)
            self.attempt("launch", run_id=self.run_id(), release_id=chosen["release_id"], by="sensor")

    def launch(self) -> None:
        jobs = sorted({self.a_job() for _ in range(self.random.randint(1, 3))})
        stage = self.random.choice([None, "ingest", "chunk"])
        self.attempt("launch", run_id=self.run_id(), job_ids=jobs, from_stage=stage, by="someone")

    def run_id(self) -> str:
        return f"run-{self.world.clock:.2f}"

    def call(self) -> None:
        """An engine calls a service that often fails, if it may."""
        service = {"policy": "slow", "key": self.random.choice(["a", "b"]), "owner": "e1"}
        world, at = self.world, 2000.0 + self.world.clock
        parsed = BreakerProbe.parse({"id": f"probe-{world.clock}", **service})
        if not world.carry_out(Request(replace(parsed, at=at)))[0]["granted"]:
            return
        outcome = self.random.choice(["failure", "failure", "success", "success", "none"])
        args = {"id": f"report-{world.clock}", **service, "outcome": outcome, "threshold": 2, "reset_s": 0.05}
        report = BreakerReport.parse(args)
        failures = world.core.failure_counts.note(report, world.core.state)
        world.carry_out(Request(replace(report, failures=failures, at=at)))

    def project(self) -> None:
        self.world.core.project()

    def restart(self) -> None:
        before = canonical(self.world.core.state)
        self.world.restart(project=self.random.random() < 0.5)
        assert canonical(self.world.core.state) == before

    def lose_the_views(self) -> None:
        before = canonical(self.world.core.state)
        self.world.core.close()
        if self.world.memory is not None:
            self.world.core.views.discard()
        else:
            (self.world.folder / "views.duckdb").unlink()
        self.world.core = self.world.open()
        assert canonical(self.world.core.state) == before

    def check(self) -> list[Event]:
        """Fold the whole log from nothing, compare it with memory and tables, and return it."""
        core, log = self.world.core, self.world.log()
        core.project()
        folded = State()
        for event in log:
            fold(folded, event)
        assert canonical(folded) == canonical(core.state)
        assert canonical(core.views.reader().load()) == canonical(core.state)
        self.check_tables(folded)
        check_sense(folded, log)
        core.close()
        return log

    def check_tables(self, folded: State) -> None:
        """The tables hold exactly the rows that follow from the fold."""
        connection = self.world.core.views.cursor()
        jobs = list(folded.jobs.values())
        table = {row[0]: row[:-1] for row in connection.execute("SELECT * FROM job").fetchall()}
        assert table == {job.id: job_row(job, "")[:-1] for job in jobs}
        runs = set(connection.execute("SELECT * FROM stage_run").fetchall())
        assert runs == {stage_row(job, n, run) for job in jobs for n, run in enumerate(job.stages)}
        gates = set(connection.execute("SELECT * FROM gate").fetchall())
        assert gates == {gate_row(job, gate) for job in jobs for gate in job.gates}
        published = dict(connection.execute("SELECT doc_id, job_id FROM document").fetchall())
        assert published == {doc: last.job_id for (_, doc), last in folded.documents.items() if last}


def check_sense(folded: State, log: list[Event]) -> None:
    """What must hold whatever happened."""
    assert [event.seq for event in log] == list(range(1, len(log) + 1))
    assert len({event.id for event in log}) == len(log)
    assert sum((+folded.job_counts).values()) == len(folded.jobs)
    assert len(folded.queue) == folded.job_counts["queued"]
    for job in folded.jobs.values():
        assert (job.state.value == "running") == any(job.id in batch.jobs for batch in folded.batches.values())
        assert job.state not in FINISHED or all(run.status != "running" for run in job.stages)
        assert len({(run.execution, run.stage) for run in job.stages}) == len(job.stages)


def walk(folder: Path, seed: int, steps: int) -> Counter[EventType]:
    """Take one walk, check it, and count what happened."""
    one = Walk(folder, seed)
    one.go(steps)
    return Counter(event.type for event in one.check())


def test_walks_agree_and_reach_everything(tmp_path: Path) -> None:
    happened: Counter[EventType] = Counter()
    for seed in range(5):
        folder = tmp_path / str(seed)
        folder.mkdir()
        happened += walk(folder, seed, STEPS)
    assert set(happened) == set(EventType)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(100, 120))
def test_long_walks_agree(tmp_path: Path, seed: int) -> None:
    assert walk(tmp_path, seed, 1500)[EventType.JOB_COMPLETED] > 0
