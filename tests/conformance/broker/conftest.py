"""One broker for all of these tests; each uses topics of its own.

It is the embedded one, or the cluster at `MEDKG_TEST_BOOTSTRAP`, or a Redpanda that is started from `MEDKG_REDPANDA_HOME`.
"""

import os
from collections.abc import Iterator

import pytest

from medkg_lab.broker.client_settings import Bootstrap
from tests.brokers import BrokerProcess


@pytest.fixture(scope="package")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bootstrap]:
    """The address of a running broker."""
    if external := os.environ.get("MEDKG_TEST_BOOTSTRAP"):
        yield external
        return
    process = BrokerProcess(tmp_path_factory.mktemp("broker")).start()
    yield process.bootstrap
    process.close()


@pytest.fixture
def embedded_only() -> None:
    """Skip where the broker is not the embedded one: it answers these questions in ways of its own."""
    for name in ("MEDKG_TEST_BOOTSTRAP", "MEDKG_REDPANDA_HOME"):
        if os.environ.get(name):
            pytest.skip(f"{name} is set: this is about the embedded broker")
