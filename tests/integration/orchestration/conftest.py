"""A ledger that runs, and a Dagster instance on the lab's storages with its recorder, shared by a module's tests."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance

from medkg_lab.ledger.client import LedgerClient
from medkg_lab.orchestration.instance import folder, open_instance
from medkg_lab.orchestration.recorder import Recorder
from medkg_lab.orchestration.run_reader import read_runs
from tests.integration.engine.processes import Lab, running_ledger
from tests.integration.orchestration.dagsters import dagster

__all__ = ["View", "dagster", "view"]


@dataclass
class View:
    """Dagster's side of a lab."""

    lab: Lab
    client: LedgerClient
    instance: DagsterInstance
    recorder: Recorder

    def catch_up(self) -> None:
        """Record everything that is in the ledger."""
        while self.recorder.step(wait_s=0):
            pass

    def runs(self, **wanted: Any) -> list[dict[str, Any]]:
        """The runs as `verify` reads them, oldest first, narrowed down."""
        self.catch_up()
        found: list[dict[str, Any]] = []
        after: str | None = None
        while True:
            page = read_runs(self.instance, after, 100)
            found += map(asdict, page.runs)
            after = page.next
            if after is None:
                return [run for run in found if all(run[key] == value for key, value in wanted.items())]


@pytest.fixture(scope="module")
def view() -> Iterator[View]:
    home = Path(tempfile.mkdtemp(prefix="mk", dir="/tmp"))
    with running_ledger(home) as lab, open_instance(lab.locations) as instance:
        with lab.client() as client:
            yield View(lab, client, instance, Recorder(instance, folder(lab.locations), client))
    shutil.rmtree(home, ignore_errors=True)
