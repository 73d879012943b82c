"""Many open the same gate: exactly one wins, also when the ledger dies between the opening and its answer."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from medkg_lab.ledger.client import LedgerClient
from tests.integration.ledger.harness import LedgerProcess, register, to_gate
from tests.told import logged
from tests.unit.ledger.worlds import BEHIND

GATES = 40
ROUNDS = 20
RIVALS = 6

_RIVAL = """
import json, sys
from pathlib import Path
from medkg_lab.ledger.client import LedgerClient
from tests.told import logged
from medkg_lab.ledger.errors import GateNotWaiting
socket, name, jobs = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
won = []
with LedgerClient(socket, 60.0) as client:
    print("here", flush=True)
    sys.stdin.readline()
    for job in jobs:
        try:
            client.gate_open(job, by=name, partial=True, id=f"{name}-{job}")
            won.append(job)
        except GateNotWaiting:
            pass
print(json.dumps(won))
"""


@pytest.fixture
def process(short_tmp: Path) -> Iterator[LedgerProcess]:
    with LedgerProcess(short_tmp / "home") as made:
        made.start()
        yield made


@pytest.fixture
def client(process: LedgerProcess) -> Iterator[LedgerClient]:
    """A client of a ledger where many jobs wait at the gate, with a document that lacks a page."""
    with process.client() as made:
        register(made)
        jobs = [f"j{n}" for n in range(GATES)]
        to_gate(made, *jobs)
        for job_id in jobs:
            made.set_field(job_id, "pdf_ir_ready", False, "pdf", replace(BEHIND, missing_pages=(1,)))
        yield made


def rivals(process: LedgerProcess) -> list["subprocess.Popen[str]"]:
    """Processes that are about to open all gates."""
    socket, jobs = str(process.locations.socket("ledger")), json.dumps([f"j{n}" for n in range(GATES)])
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _RIVAL, socket, f"r{n}", jobs],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(RIVALS)
    ]
    for each in started:
        assert each.stdout is not None
        assert each.stdout.readline() == "here\n"
    return started


def release(started: list["subprocess.Popen[str]"]) -> None:
    """Let them go."""
    for each in started:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()


def winners(started: list["subprocess.Popen[str]"]) -> Counter[str]:
    """How many won each gate."""
    outputs = [each.communicate(timeout=90)[0] for each in started]
    return Counter(job for output in outputs for job in json.loads(output))


def check(client: LedgerClient, won: Counter[str]) -> None:
    """Each gate was won once and opened once."""
    assert won == Counter({f"j{n}": 1 for n in range(GATES)})
    opened = [event for event in logged(client, 0, limit=10_000) if event["type"] == "gate.opened"]
    assert sorted(job for event in opened for job in event["jobs"]) == sorted(won)
    assert client.counts().gates == {"open": GATES}


def test_one_of_six_wins_each_gate(process: LedgerProcess, client: LedgerClient) -> None:
    started = rivals(process)
    release(started)
    check(client, winners(started))


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("round_", range(ROUNDS))
def test_one_of_six_wins_each_gate_again_and_again(process: LedgerProcess, client: LedgerClient, round_: int) -> None:
    started = rivals(process)
    release(started)
    check(client, winners(started))


def test_the_winner_hears_of_it_after_a_crash(process: LedgerProcess, client: LedgerClient) -> None:
    started = rivals(process)
    release(started)
    while client.counts().gates.get("open", 0) < GATES // 3:
        pass
    process.kill()
    process.start()
    check(client, winners(started))
