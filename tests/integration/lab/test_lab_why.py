"""Why a running job is not moving, by what really blocks it: a rate that is used up, and a GPU that another process has."""

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medkg_lab import linux
from medkg_lab.engine.gpu_lock import GpuLock
from medkg_lab.event_loop import LoopThread
from medkg_lab.lab.facade import Lab
from medkg_lab.lab.status import GPU_LOCK, blockers, explain_job
from medkg_lab.ledger.answers import JobDetail
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.resilience.policies import BackoffStrategy, ResiliencePolicyConfig
from medkg_lab.resilience.resilient_call import BreakerRegistry, ResilientCall
from medkg_lab.supervisor.answers import LabStatus
from medkg_lab.topology.catalog import Catalog
from medkg_lab.topology.versions import to_json, version_of
from tests import answers
from tests.integration.ledger.harness import LedgerProcess
from tests.told import specs
from tests.unit.ledger.worlds import spec, started
from tests.waiting import wait_until

PIPELINE, STAGE = "expand", "ingest"


async def _nothing() -> None:
    return


class Running:
    """What the supervisor would say of the processes that a test has started."""

    def __init__(self, **pids: int) -> None:
        self._pids = {name.replace("_", "-"): pid for name, pid in pids.items()}

    def status(self) -> LabStatus:
        """Its processes."""
        return answers.lab(*(answers.process(name, pid=pid) for name, pid in self._pids.items()))

    def is_running(self) -> bool:
        """It is."""
        return True


@pytest.fixture
def process(short_tmp: Path) -> Iterator[LedgerProcess]:
    with LedgerProcess(short_tmp / "home") as made:
        made.start()
        yield made


def lab_of(process: LedgerProcess, **pids: int) -> Lab:
    """The lab of this ledger and of these processes."""
    lab = Lab(process.locations)
    assert process.process is not None
    lab.supervisor = Running(ledgerd=process.process.pid, **pids)  # type: ignore[assignment]
    return lab


def running_job(client: LedgerClient, catalog: Catalog, worker: str) -> JobDetail:
    """A job that `worker` has begun a stage of."""
    topology = catalog.topology(PIPELINE)
    client.register("topology", PIPELINE, version_of(topology), to_json(topology))
    client.submit(specs([spec("j", PIPELINE) | {"pipeline_version": version_of(topology), "lane": "compute"}]))
    batch = client.claim(worker, ["compute"], 1, 60.0)
    assert batch is not None
    client.record(batch.batch_id, [started(STAGE, ["j"])])
    job = client.get("j")
    assert job is not None
    return job


def policy(name: str, per_second: float) -> ResiliencePolicyConfig:
    return ResiliencePolicyConfig(
        name=name,
        max_attempts=1,
        backoff_strategy=BackoffStrategy.NONE,
        timeout_seconds=60,
        rate_limit_per_second=per_second,
    )


def test_a_rate_that_is_used_up_is_named(process: LedgerProcess) -> None:
    with process.client() as client:
        lab = lab_of(process)
        job = running_job(client, lab.catalog, "engine-compute")
        name = lab.catalog.topology(PIPELINE).stage(STAGE).policy
        assert "used up" not in explain_job(lab, job)
        call = ResilientCall(
            policy(name, 0.5),
            "ingest:pmc",
            registry=BreakerRegistry(state_store=process.client(), owner="engine-compute"),
        )
        calls = LoopThread("calls")
        calls.run(call.call(_nothing))
        waiting = calls.submit(call.call(_nothing))
        said = wait_until(lambda: (told := explain_job(lab, job)) and "used up" in told and told, 20, "the sentence")
        assert f"Policy {name} allows 0.5 calls a second to ingest:pmc" in str(said)
        waiting.result(30)
        wait_until(lambda: "used up" not in explain_job(lab, job), 20, "the rate being free again")


def _take(path: Path, told: Any, done: Any) -> None:
    with GpuLock(path).acquired():
        told.put("has it")
        done.get()


@contextmanager
def on_the_gpu(path: Path) -> Iterator[tuple[Any, Any]]:
    """A process that asks for the GPU's place; it says when it has it, and leaves when told."""
    context = multiprocessing.get_context("spawn")
    told, done = context.Queue(), context.Queue()
    made = context.Process(target=_take, args=(path, told, done))
    made.start()
    try:
        yield made, told
    finally:
        done.put(None)
        made.join(30)


def test_who_has_the_gpu_is_named(process: LedgerProcess) -> None:
    path = process.locations.state / GPU_LOCK
    with process.client() as client, on_the_gpu(path) as (first, told):
        told.get(timeout=60)
        with on_the_gpu(path) as (second, later):
            lab = lab_of(process, engine_compute=first.pid, engine_compute_2=second.pid)
            job = running_job(client, lab.catalog, "engine-compute-2")
            wait_until(lambda: linux.file_lock(path, {second.pid}).waiting, 30, "the second to wait")
            assert f"{STAGE} waits for the GPU: engine-compute has it" in explain_job(lab, job)
            assert "engine-compute-2 waits for the GPU, which engine-compute has." in blockers(lab)
            assert "GPU" not in explain_job(lab, replace(job, worker="engine-compute")), "who has it does not wait"
            assert later.empty()
            first.kill()
            assert later.get(timeout=60) == "has it"
            wait_until(lambda: "GPU" not in explain_job(lab, job), 30, "nobody waiting any more")


def test_locks_are_read_as_linux_writes_them() -> None:
    lines = [
        "1: POSIX  ADVISORY  WRITE 11 fe:00:77 0 EOF",
        "2: FLOCK  ADVISORY  WRITE 12 fe:00:77 0 EOF",
        "2: -> FLOCK  ADVISORY  WRITE 13 fe:00:77 0 EOF",
        "2: -> FLOCK  ADVISORY  WRITE 14 fe:00:77 0 EOF",
        "3: FLOCK  ADVISORY  WRITE 13 fe:00:78 0 EOF",
        "4: OFDLCK ADVISORY  READ -1 fe:00:77 0 EOF",
    ]
    assert linux.lock_from(lines, 77, {11, 12, 13}) == linux.FileLock(12, (13,))
    assert linux.lock_from(lines, 78, {11, 12, 13}) == linux.FileLock(13)
    assert linux.file_lock(Path("/nowhere"), {1}) == linux.FileLock()
