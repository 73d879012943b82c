"""The broker and the bridge of these tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers import BrokerProcess, broker
from tests.integration.bridge.bridges import Bridge
from tests.integration.engine.processes import Lab

__all__ = ["broker"]


@pytest.fixture
def bridge(broker: BrokerProcess, short_tmp: Path) -> Iterator[Bridge]:
    """The real bridge between a broker and a ledger of their own."""
    broker.start()
    lab = Lab(short_tmp / "home")
    lab.settings(broker=broker.as_external())
    try:
        lab.start("medkg_lab.ledger")
        lab.start("medkg_lab.bridge")
        yield Bridge(broker, lab)
    finally:
        lab.stop()
