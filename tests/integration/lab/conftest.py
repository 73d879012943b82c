"""One lab that ran the demo, shared by the tests of this folder."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.labs import TestLab


@pytest.fixture(scope="session")
def demo() -> Iterator[tuple[TestLab, dict[str, Any]]]:
    """A lab that ran `demo --keep`, still running, and the summary that it printed."""
    folder = Path(tempfile.mkdtemp(prefix="mk", dir="/tmp"))
    lab = TestLab(folder / "home", folder / "cache")
    try:
        summary = lab.run("demo", "--keep", "--json", "--home", str(lab.home), timeout=400)
        assert summary.out, summary.err[-3000:]
        yield lab, summary.json() | {"code": summary.code}
    finally:
        lab.run("down")
        shutil.rmtree(folder, ignore_errors=True)
