"""A lab that has worked on a few documents, shared by the tests of this folder."""

from collections.abc import Iterator

import pytest

from medkg_lab import Lab
from medkg_lab.topology import bundled
from tests.kept_homes import copied_lab, kept_home
from tests.labs import TestLab
from tests.packaging.installers import ROOT

EXAMPLES = ROOT / "examples"
WAITING = "papers/warfarin-time-in-range.pdf"
"""A page of it is a scan, so its gate waits for a person."""


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with copied_lab(kept_home(tmp_path_factory, "reach", put_through)) as copied:
        one = Lab(copied.home)
        one.up()
        yield one


def put_through(lab: TestLab) -> None:
    """Have a few documents go through."""
    one = Lab(lab.home)
    one.up()
    demo = bundled.folder() / "demo"
    one.wait(one.submit(demo / "trials", demo / WAITING, demo / "broken", EXAMPLES / "documents"), seconds=300)
