"""Processes share a circuit breaker and a rate: one probe among all, also over a crash of the ledger."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from medkg_lab.bridge.outbox import Outbox, Signing
from medkg_lab.events.cloudevents import is_published
from medkg_lab.knowledge.effects import effects
from medkg_lab.lab.verify import fold
from medkg_lab.ledger.chain import START, Link
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.ledger.errors import MalformedCommand
from medkg_lab.models.circuits import CircuitState, CircuitStatus, ProbeVerdict, RateLease
from medkg_lab.models.events import BreakerEvent
from medkg_lab.signing import Signer
from tests.integration.ledger.harness import LedgerProcess
from tests.waiting import wait_until

ENGINES = 4
_ENGINE = """
import sys
from pathlib import Path
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.models.events import BreakerEvent
with LedgerClient(Path(sys.argv[1]), 60.0) as client:
    print("here", flush=True)
    sys.stdin.readline()
    granted = [client.breaker_probe("slow", "core", owner=sys.argv[2]).granted for _ in range(20)]
    print(sum(granted))
"""


def report(client: LedgerClient, outcome: str, reset_s: float = 0.05, owner: str = "e") -> CircuitStatus:
    return client.breaker_report("slow", "core", outcome, threshold=2, reset_s=reset_s, owner=owner)


def test_of_many_processes_one_gets_the_probe(ledger: LedgerProcess, client: LedgerClient) -> None:
    report(client, "failure")
    assert report(client, "failure").state == "open"
    engines = [
        subprocess.Popen(
            [sys.executable, "-c", _ENGINE, str(ledger.locations.socket("ledger")), f"e{n}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(ENGINES)
    ]
    for engine in engines:
        assert engine.stdout is not None
        assert engine.stdout.readline() == "here\n"
    for engine in engines:
        assert engine.stdin is not None
        engine.stdin.write("go\n")
        engine.stdin.flush()
    assert sum(int(engine.communicate(timeout=60)[0]) for engine in engines) == 1


def test_it_is_seen_and_outlives_the_ledger(ledger: LedgerProcess, client: LedgerClient) -> None:
    report(client, "failure")
    (counted,) = client.breakers()
    assert (counted.state, counted.failures, counted.opened_at) == ("closed", 1, None)
    until = report(client, "failure", reset_s=3600.0).until
    ledger.kill()
    ledger.start()
    (circuit,) = client.breakers()
    assert (circuit.policy, circuit.key, circuit.state) == ("slow", "core", "open")
    assert (circuit.failures, circuit.until) == (2, until)
    assert client.breaker_probe("slow", "core", owner="e") == ProbeVerdict(
        granted=False, state=CircuitState.OPEN, until=until
    )


def test_its_events_pass_all_who_follow_the_log(client: LedgerClient) -> None:
    report(client, "failure")
    report(client, "failure")
    wait_until(lambda: client.breaker_probe("slow", "core", owner="e").granted, 10, "the probe")
    assert report(client, "success").state == "closed"
    lines = client.lines(0)
    events = [event for event, _ in lines]
    moves = [(event, line) for event, line in lines if isinstance(event.data, BreakerEvent)]
    assert [event.type.value for event, _ in moves] == ["breaker.opened", "breaker.half_open", "breaker.closed"]
    assert [event.jobs for event, _ in moves] == [(), (), ()]
    assert effects(events) == []
    assert fold(events).cloud_ids == set()
    assert not any(is_published(event.data) for event, _ in moves)
    sent: list[str] = []

    class Sink:
        def send(self, topic: str, value: bytes, **_: Any) -> None:
            sent.append(f"{topic} {json.loads(value)['type']}")

        def flush(self) -> None:
            sent.append("flushed")

    class Names:
        ledger_log = "log"

    signing = Signing(Signer(bytes(32), "log"), Signer(bytes(32), "requests"), Path("/nowhere"))
    Outbox(client, Sink(), None, Names(), signing).publish(moves, Link(1, 0, START))  # type: ignore[arg-type]
    assert sent == ["log breaker.opened", "log breaker.half_open", "log breaker.closed", "flushed"]
    client.flush()
    assert client.positions()["tables"] == events[-1].seq


def test_a_rate_is_leased(client: LedgerClient) -> None:
    assert client.rate_lease("polite", "pmc", 0.01, want=3) == RateLease(granted=1, wait_s=0.0)
    none = client.rate_lease("polite", "pmc", 0.01)
    assert none.granted == 0
    assert 0 < none.wait_s <= 100
    with pytest.raises(MalformedCommand):
        client.rate_lease("polite", "pmc", 0.0)
