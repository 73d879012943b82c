"""Fixtures that every area's tests share."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says more of the machine than of the code.
settings.register_profile("lab", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lab")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="also run the long fault, load and evaluation tests")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--full"):
        return
    skip = pytest.mark.skip(reason="long: runs with --full")
    for item in items:
        if item.get_closest_marker("full"):  # not the keywords, which hold the folders' names too
            item.add_marker(skip)


@pytest.fixture
def short_tmp() -> Iterator[Path]:
    """A private folder with a short path: Unix socket paths are limited to 108 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="mk", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real public documents; tests that need it skip when it is not there."""
    folder = os.environ.get("MEDKG_SHARED_DATA")
    if not folder:
        pytest.skip("MEDKG_SHARED_DATA is not set")
    return Path(folder).resolve()


@pytest.fixture(scope="session")
def shared_cases() -> Path:
    """The folder of cases, inputs that once went wrong; tests that need it skip when it is not there."""
    folder = os.environ.get("MEDKG_SHARED_CASES")
    if not folder:
        pytest.skip("MEDKG_SHARED_CASES is not set")
    return Path(folder).resolve()
