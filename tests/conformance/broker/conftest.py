"""One broker for all of these tests; each uses topics of its own."""

from collections.abc import Iterator

import pytest

from tests.brokers import BrokerProcess


@pytest.fixture(scope="package")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running broker."""
    process = BrokerProcess(tmp_path_factory.mktemp("broker")).start()
    yield process.bootstrap
    process.close()
