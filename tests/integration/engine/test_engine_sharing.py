"""More than one engine: they share the queue, what is urgent goes first, and the GPU has one place for all of them."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from medkg_lab.engine.gpu_lock import GpuLock
from medkg_lab.ledger.client import LedgerClient
from tests.integration.engine.processes import Lab, all_events, register, running_ledger, spec, states, topology
from tests.told import specs
from tests.waiting import wait_until

SHORT = topology("short", "ingest", "parse", "chunk")


@pytest.fixture
def lab(short_tmp: Path) -> Iterator[Lab]:
    with running_ledger(short_tmp / "lab") as made:
        made.settings(profile="tiny", lease_seconds=5.0, batch_limit=1)
        yield made


def submit(client: LedgerClient, *texts: str, priority: int = 0) -> list[str]:
    register(client, SHORT)
    jobs = [spec(SHORT, uuid4().hex, content=text) | {"priority": priority} for text in texts]
    client.submit(specs(jobs))
    return [job["job_id"] for job in jobs]


def start(lab: Lab, name: str) -> None:
    lab.start("medkg_lab.engine", "--name", name, "--lane", "compute")


def held(lab: Lab) -> int:
    return len(list((lab.home / "flags").glob("held-*")))


def claims(client: LedgerClient) -> list[dict[str, Any]]:
    return [event for event in all_events(client) if event["type"] == "job.claimed"]


def test_two_engines_share_the_work(lab: Lab) -> None:
    with lab.client() as client:
        for name in ("engine-compute", "engine-compute-2"):
            start(lab, name)
        jobs = submit(client, "hold one", "hold two")
        wait_until(lambda: held(lab) == 2, 30, "both documents to be worked on at once")
        lab.flag("release").touch()
        wait_until(lambda: set(states(client, jobs).values()) == {"completed"}, 30, "both to complete")
        assert {event["data"]["worker"] for event in claims(client)} == {"engine-compute", "engine-compute-2"}


def test_what_is_urgent_goes_first(lab: Lab) -> None:
    with lab.client() as client:
        start(lab, "engine-compute")
        first = submit(client, "hold")
        wait_until(lambda: held(lab) == 1, 30, "the engine to be busy")
        later = submit(client, "one", "two")
        urgent = submit(client, "three", priority=5)
        lab.flag("release").touch()
        wait_until(lambda: set(states(client, [*later, *urgent]).values()) == {"completed"}, 30, "all to complete")
        assert [event["jobs"] for event in claims(client)] == [[job_id] for job_id in [*first, *urgent, *later]]


def _hold(path: Path, name: str, told: Connection) -> None:
    with GpuLock(path).acquired():
        told.send(name)
        signal.pause()


def test_the_gpu_has_one_place_and_a_dead_holder_leaves_it(short_tmp: Path) -> None:
    context = multiprocessing.get_context("spawn")
    # A queue has a lock of its own, which the holder that is killed could keep.
    told, tell = context.Pipe(duplex=False)
    holders = {name: context.Process(target=_hold, args=(short_tmp / "gpu.lock", name, tell)) for name in ("a", "b")}
    for process in holders.values():
        process.start()
    assert told.poll(60)
    first = told.recv()
    second = next(name for name in holders if name != first)
    waits = f"/proc/{holders[second].pid}/wchan"
    wait_until(lambda: "lock" in Path(waits).read_text() or not os.access(waits, os.R_OK), 30, "the other to wait")
    assert not told.poll(0), "only one holds the place"
    os.kill(holders[first].pid or 0, signal.SIGKILL)
    assert told.poll(60)
    assert told.recv() == second
    holders[second].kill()
    for process in holders.values():
        process.join()
