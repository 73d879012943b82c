"""Homes of labs that are made once and copied by whoever needs one, also by the other workers of a test run."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medkg_lab.ports import PORTS
from tests.labs import TestLab

Making = Callable[[TestLab], None]


def kept_home(factory: pytest.TempPathFactory, name: str, make: Making) -> Path:
    """The home `name` of this test run; the first who asks has `make` fill a running lab, the others wait for it."""
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    kept = shared / name
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            with short_lab() as lab:
                make(lab)
                lab.ok("down")
                # Copies that start at the same moment must not choose the same ports.
                (lab.home / "state" / PORTS).unlink()
                lab.home.rename(kept)
    return kept


@contextlib.contextmanager
def copied_lab(kept: Path) -> Iterator[TestLab]:
    """A lab in a copy of the home `kept`, not yet up."""
    with short_lab() as lab:
        shutil.copytree(kept, lab.home, symlinks=True)
        yield lab


@contextlib.contextmanager
def short_lab() -> Iterator[TestLab]:
    """A lab in a folder with a short path, for the names of sockets are bounded; down and gone in the end."""
    folder = Path(tempfile.mkdtemp(prefix="mk", dir="/tmp"))
    lab = TestLab(folder / "home", folder / "cache")
    try:
        yield lab
    finally:
        lab.run("down")
        shutil.rmtree(folder, ignore_errors=True)
