"""Somebody who gets at the broker of a running lab takes nothing from it, and `verify` says what he did."""

import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from medkg_lab.bridge.intake import GROUP
from medkg_lab.broker.client import Consumer
from medkg_lab.broker.client_settings import client_settings
from medkg_lab.broker.errors import CommitFailed
from medkg_lab.broker.topics import EVENTS, LEDGER_LOG, REQUESTS
from medkg_lab.lab.facade import Lab
from tests.faults.lab.test_faults_kill import TRIALS, write_trials
from tests.labs import TestLab
from tests.waiting import wait_until


@pytest.fixture
def lab() -> Iterator[TestLab]:
    """A lab of this test's own, running."""
    folder = Path(tempfile.mkdtemp(prefix="mk", dir="/tmp"))
    made = TestLab(folder / "home", folder / "cache")
    try:
        made.ok("up")
        yield made
    finally:
        made.run("down")
        shutil.rmtree(folder, ignore_errors=True)


def what(found: dict[str, Any]) -> set[str]:
    return {one["what"] for one in found["differences"]}


class Thieves:
    """Eight members of the intake's group that commit whatever they get."""

    def __init__(self, lab: TestLab) -> None:
        self._consumers = [Consumer(Lab.at(lab.home).bootstrap, GROUP, [REQUESTS]) for _ in range(8)]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self.taken = 0

    def _run(self) -> None:
        while not self._over.is_set():
            for consumer in self._consumers:
                records = consumer.poll(0.05)
                try:
                    consumer.commit(records)
                    self.taken += len(records)
                except CommitFailed:
                    pass  # while the members change

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        for consumer in self._consumers:
            consumer.close()


@pytest.mark.timeout(400)
def test_what_others_take_from_the_queue_is_done_all_the_same(lab: TestLab, tmp_path: Path) -> None:
    thieves = Thieves(lab)
    try:
        wait_until(lambda: any(one["group"] == GROUP and one["members"] for one in lab.ok("broker", "groups")), 60)
        write_trials(tmp_path / "in", 0)
        lab.ok("submit", str(tmp_path / "in"), "--wait", "--timeout", "120")
        wait_until(lambda: thieves.taken >= TRIALS, 60, "everything was taken")
        assert lab.ok("sql", "SELECT count(*) FROM job WHERE state = 'completed'")["rows"] == [[TRIALS]]
        found = lab.run("verify", "--json")
        assert (found.code, what(found.json())) == (1, {f"others are in group {GROUP}"})
    finally:
        thieves.close()
    found = lab.ok("verify")
    assert (found["requests"]["requests"], found["jobs"], found["ok"]) == (TRIALS, TRIALS, True)
    _deletions_are_noticed(lab)


def _deletions_are_noticed(lab: TestLab) -> None:
    admin = AdminClient(client_settings(Lab.at(lab.home).bootstrap))
    places = [TopicPartition(LEDGER_LOG, 0, -1), *(TopicPartition(EVENTS, number, -1) for number in range(4))]
    for future in admin.delete_records(places).values():
        future.result(20)
    found = lab.run("verify", "--json")
    assert found.code == 1
    assert what(found.json()) == {
        "nothing to prove",
        "CloudEvents deleted before their time",
        "records deleted before their time",
    }
    admin.delete_topics([EVENTS])[EVENTS].result(20)
    found = lab.run("verify", "--json")
    assert found.code == 1
    assert "nothing to prove" in what(found.json())
