"""Fixtures of the ledger's unit tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.ledger.worlds import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A ledger of its own."""
    made = World(tmp_path)
    yield made
    made.core.close()
