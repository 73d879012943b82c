"""A lab that has worked on a few documents, shared by the tests of this folder."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from medkg_lab import Lab
from medkg_lab.topology import bundled
from tests.packaging.installers import ROOT

EXAMPLES = ROOT / "examples"
WAITING = "papers/warfarin-time-in-range.pdf"
"""A page of it is a scan, so its gate waits for a person."""


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    folder = Path(tempfile.mkdtemp(prefix="mk", dir="/tmp"))
    demo = bundled.folder() / "demo"
    one = Lab(folder / "home")
    try:
        one.up()
        submitted = one.submit(demo / "trials", demo / WAITING, demo / "broken", EXAMPLES / "documents")
        one.wait(submitted, seconds=300)
        yield one
    finally:
        if one.is_running():
            one.down()
        shutil.rmtree(folder, ignore_errors=True)
