"""One lab that ran the demo, shared by the tests of this folder."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.kept_homes import copied_lab, kept_home
from tests.labs import TestLab

SUMMARY = "summary.json"


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestLab, dict[str, Any]]]:
    """A lab that ran `demo --keep`, running, and the summary that it printed."""
    with copied_lab(kept_home(tmp_path_factory, "demo", run_demo)) as lab:
        lab.ok("up")
        yield lab, json.loads((lab.home / SUMMARY).read_text())


def run_demo(lab: TestLab) -> None:
    """Run the demo, and keep what it printed and how it ended."""
    done = lab.run("demo", "--keep", "--json", "--home", str(lab.home), timeout=400)
    assert done.out, done.err[-3000:]
    (lab.home / SUMMARY).write_text(json.dumps(done.json() | {"code": done.code}))
