"""A ledger that runs, for the tests of one module."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.engine.processes import Lab, running_ledger


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    home = Path(tempfile.mkdtemp(prefix="mk", dir="/tmp"))
    with running_ledger(home) as running:
        yield running
    shutil.rmtree(home, ignore_errors=True)
