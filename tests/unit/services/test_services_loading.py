"""A server is loading for as long as its keeper says so and lives."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from medkg_lab.services.loading import loading, marked
from tests.waiting import wait_until

HOLD = """
import sys, signal
from pathlib import Path
from medkg_lab.services.loading import marked
with marked(Path(sys.argv[1]), "model"):
    print("held", flush=True)
    signal.pause()
"""


def test_only_what_is_marked_is_loading(tmp_path: Path) -> None:
    assert loading(tmp_path, ["a", "b"]) == []
    with marked(tmp_path, "a"):
        assert loading(tmp_path, ["a", "b"]) == ["a"]
        assert loading(tmp_path, []) == []
        with marked(tmp_path, "b"):
            assert loading(tmp_path, ["b", "a"]) == ["b", "a"]
    assert loading(tmp_path, ["a", "b"]) == []


def test_an_error_inside_ends_it(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), marked(tmp_path, "a"):
        raise RuntimeError
    assert loading(tmp_path, ["a"]) == []


def test_a_dead_keeper_loads_nothing(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    assert loading(tmp_path, ["model"]) == ["model"]
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    wait_until(lambda: not loading(tmp_path, ["model"]), 5, "the lock to go")
