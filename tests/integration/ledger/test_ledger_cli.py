"""`medkg-lab ledger` on a home where no lab runs, and the measurement that `bench ledger` makes."""

import json
from dataclasses import asdict
from pathlib import Path

import orjson
import pytest

from medkg_lab import exit_codes
from medkg_lab.bench.ledger import PER_JOB, Options, measure
from medkg_lab.broker.client import Producer
from medkg_lab.broker.engine import choose
from medkg_lab.broker.topics import LEDGER_LOG as TOPIC
from medkg_lab.cli.main import main
from medkg_lab.lab.engines import running
from medkg_lab.lab.facade import Lab
from medkg_lab.ledger.chain import Epoch, Link, signed
from medkg_lab.signing import LEDGER_LOG, signer
from tests.brokers import ensure_topics
from tests.integration.ledger.harness import LedgerProcess, submit
from tests.told import logged


@pytest.fixture
def killed(ledger: LedgerProcess) -> LedgerProcess:
    """A ledger that was killed with all it has in its write-ahead log."""
    with ledger.client() as client:
        for n in range(30):
            submit(client, f"j{n}")
        client.flush()
    ledger.kill()
    return ledger


def call(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, dict[str, object]]:
    code = main(argv)
    return code, json.loads(capsys.readouterr().out)


def test_views_are_made_again_without_a_lab(killed: LedgerProcess, capsys: pytest.CaptureFixture[str]) -> None:
    code, report = call(capsys, "ledger", "rebuild", "--home", str(killed.home), "--json")
    assert code == exit_codes.OK
    assert (report["head"], report["differing"]) == (32, [])


@pytest.mark.timeout(180)
def test_what_cannot_be_recovered_is_told(killed: LedgerProcess, capsys: pytest.CaptureFixture[str]) -> None:
    """No broker runs either: that is told, and what is there is used."""
    log = killed.folder / "ledger.duckdb.wal"
    log.write_bytes(log.read_bytes()[: log.stat().st_size // 2])
    arguments = ("ledger", "recover", "--home", str(killed.home), "--json")
    code, report = call(capsys, *arguments)
    head = report["head"]
    assert isinstance(head, int)
    assert (code, report["installed"], report["lost"]) == (exit_codes.FAILED, False, [head + 1, 32])
    assert "topic" in dict(report["problems"])  # type: ignore[call-overload]
    code, report = call(capsys, *arguments, "--accept-loss")
    assert (code, report["installed"], report["head"]) == (exit_codes.OK, True, head)
    killed.start()
    with killed.client() as client:
        assert client.counts().head == head


def test_a_lab_that_is_down_runs_its_broker_to_get_the_events_back(
    killed: LedgerProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    killed.start()
    with killed.client() as client:
        events = logged(client, 0, limit=10_000)
    killed.kill()
    lab, last = Lab.at(killed.home), Link.first(Epoch(1, 0))
    with running(choose(lab.locations, lab.settings)) as address:
        ensure_topics(address)
        with Producer(address) as producer:
            for event in events:
                value = orjson.dumps(event)
                last, headers = signed(signer(lab.locations, LEDGER_LOG), last, event["seq"], value)
                producer.send(TOPIC, value, headers=headers)
            forged = {**events[-1], "seq": last.seq + 1, "id": "forged"}
            producer.send(TOPIC, orjson.dumps(forged), headers=headers)
    log = killed.folder / "ledger.duckdb.wal"
    log.write_bytes(log.read_bytes()[: log.stat().st_size // 2])
    code, report = call(capsys, "ledger", "recover", "--home", str(killed.home), "--json")
    assert (code, report["installed"], report["lost"], report["head"]) == (exit_codes.OK, True, None, last.seq)
    killed.start()
    with killed.client() as client:
        assert logged(client, 0, limit=10_000) == events


@pytest.mark.parametrize("argv", [("snapshot",), ("prune",), ("migrate", "old.jsonl")])
def test_what_needs_a_lab_says_so(short_tmp: Path, capsys: pytest.CaptureFixture[str], argv: tuple[str, ...]) -> None:
    code, answer = call(capsys, "ledger", *argv, "--home", str(short_tmp), "--json")
    assert code == exit_codes.NOT_READY
    assert "No lab is running" in str(answer["error"])


@pytest.mark.full
def test_the_measurement_counts_what_it_offers() -> None:
    found = asdict(measure(Options(seconds=1.0, rate=280)))
    detail = found["detail"]
    assert detail["offered"] == detail["acknowledged"] == detail["events_written"] == 4 * 10 * PER_JOB
    assert (detail["jobs_completed"], detail["gate"]["n"]) == (40, 10)
    assert [target["target"] for target in found["targets"]] == [1.0, 120.0, 120.0, 8.0]
