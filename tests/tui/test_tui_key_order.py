"""Keys take effect in the order in which they were typed, whatever else the program has to do."""

import json
import os
import pty
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.tui.key_bursts import bursts

FEW, MANY = 30, 200
AT_ONCE = 10
"""Bursts that are written in one go."""


def drain(master: int) -> None:
    """Read what the program paints, so that it never waits for the terminal."""
    try:
        while os.read(master, 65536):
            pass
    except OSError:
        pass


@pytest.mark.parametrize("number", [FEW, pytest.param(MANY, marks=[pytest.mark.full, pytest.mark.timeout(300)])])
def test_mixed_bursts_into_a_busy_program_are_entered_as_typed(short_tmp: Path, number: int) -> None:
    typed, out = bursts(7, number), short_tmp / "entered.json"
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "tests.tui.key_bursts", str(short_tmp / "lab"), str(out), str(number)]
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
    child = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=subprocess.PIPE, env=environment, start_new_session=True
    )
    os.close(slave)
    threading.Thread(target=drain, args=(master,), daemon=True).start()
    assert child.stderr is not None
    try:
        assert child.stderr.readline() == b"ready\n"
        for at in range(0, number, AT_ONCE):
            keys = "".join(keys for keys, _ in typed[at : at + AT_ONCE]).encode()
            while keys:
                keys = keys[os.write(master, keys) :]
        assert child.wait(timeout=240) == 0, child.stderr.read().decode()
    finally:
        child.kill()
        child.wait()
        child.stderr.close()
        os.close(master)
    assert json.loads(out.read_text()) == [text for _, text in typed]
