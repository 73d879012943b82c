"""Fixtures of the ledger's integration tests."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from medkg_lab.ledger.client import LedgerClient
from tests.integration.ledger.harness import LedgerProcess, register


@pytest.fixture
def ledger(short_tmp: Path) -> Iterator[LedgerProcess]:
    """A ledger that runs, with both pipelines registered."""
    with LedgerProcess(short_tmp / "home") as process:
        process.start()
        with process.client() as client:
            register(client)
        yield process


@pytest.fixture(scope="module")
def shared_ledger() -> Iterator[LedgerClient]:
    """A client of a ledger that several tests share: they only ask."""
    folder = Path(tempfile.mkdtemp(prefix="mk", dir="/tmp"))
    with LedgerProcess(folder / "home") as process:
        process.start()
        with process.client() as made:
            yield made
    shutil.rmtree(folder)


@pytest.fixture
def client(ledger: LedgerProcess) -> Iterator[LedgerClient]:
    """A client of it."""
    with ledger.client() as made:
        yield made
