"""The whole way in a real terminal: from an empty home by keys alone."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from medkg_lab.topology import bundled
from tests.labs import TestLab
from tests.tui.test_tui_pipelines_mode import broken
from tests.waiting import wait_until

pytestmark = [pytest.mark.full, pytest.mark.timeout(600)]
SESSION = "screen"


class Terminal:
    """A tmux session of its own server."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def _tmux(self, *words: str) -> str:
        # The size is the terminal's: what a test runner says of its own would be believed instead.
        environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
        command = ["tmux", "-S", str(self._socket), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment).stdout

    def start(self, command: list[str], environment: dict[str, str], width: int = 120, height: int = 40) -> None:
        """Run a command in a terminal of that size."""
        config = self._socket.with_suffix(".conf")
        config.write_text(f"set -g default-size {width}x{height}\nset -g remain-on-exit on\n")
        settings = [word for name, value in environment.items() for word in ("-e", f"{name}={value}")]
        size = ["-x", str(width), "-y", str(height)]
        self._tmux("-f", str(config), "new-session", "-d", "-s", SESSION, *size, *settings, *command)

    def keys(self, *keys: str) -> None:
        """Press keys, named as tmux names them."""
        self._tmux("send-keys", "-t", SESSION, *keys)

    def type(self, text: str) -> None:
        """Type text as it is."""
        self._tmux("send-keys", "-t", SESSION, "-l", text)

    def paste(self, text: str) -> None:
        """Paste text, as a terminal does it."""
        self._tmux("set-buffer", text)
        self._tmux("paste-buffer", "-p", "-t", SESSION)

    @property
    def text(self) -> str:
        """What is seen now."""
        return self._tmux("capture-pane", "-t", SESSION, "-p")

    def sees(self, *texts: str, seconds: float = 60.0) -> None:
        """Wait until all texts are seen."""
        try:
            wait_until(lambda: all(text in self.text for text in texts), seconds, f"seeing {texts}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.text}") from None

    @property
    def has_ended(self) -> bool:
        """Whether the command has ended."""
        return "1" in self._tmux("display-message", "-t", SESSION, "-p", "#{pane_dead}")

    def close(self) -> None:
        """End it."""
        self._tmux("kill-server")


@pytest.fixture
def terminal(short_tmp: Path) -> Iterator[Terminal]:
    """A terminal, where tmux is installed."""
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    found = Terminal(short_tmp / "tmux")
    yield found
    found.close()


def test_from_an_empty_home_to_a_search_by_keys_alone(terminal: Terminal, short_tmp: Path) -> None:
    lab = TestLab(short_tmp / "lab", short_tmp / "cache")
    environment = lab.environment | {"LANG": "C.UTF-8", "TERM": os.environ.get("TERM", "xterm-256color")}
    terminal.start([sys.executable, "-m", "medkg_lab.cli.main"], environment)
    try:
        terminal.sees("Starting · ", "ledgerd", seconds=60)
        terminal.sees("The lab is up", "runs the demo", seconds=120)
        terminal.keys("d")
        terminal.sees("Run the demo", "esc Cancel")
        terminal.keys("d")
        terminal.sees("documents submitted", seconds=60)
        terminal.sees("1 needs you", "27 jobs completed", seconds=240)
        terminal.keys("5")
        terminal.sees("Not ready: page 3 is missing")
        terminal.keys("o")
        terminal.sees("Open with 2 of 3 pages")
        terminal.type("the scan is the last page")
        terminal.keys("Enter")
        terminal.sees("the scan is the last page", "opened today: 5 by pdf, 1 by hand", seconds=90)
        terminal.keys("6")
        terminal.sees("what to look for")
        terminal.type("warfarin time in therapeutic range")
        terminal.keys("Enter")
        terminal.sees("passages for warfarin", "[warfarin]")
        terminal.keys("4")
        terminal.sees("auto.yaml · in use", "Versions · 1", "23/23", "✓ valid")
        terminal.keys("e")
        terminal.keys("End")
        terminal.type(" # mine")
        terminal.sees("draft", "# mine")
        terminal.keys("F7")
        terminal.paste(broken())
        terminal.sees("1 error", "gpu-bond", "did you mean")
        terminal.keys("C-s")
        terminal.sees("Not saved")
        terminal.keys("F7")
        terminal.paste(broken().replace("gpu-bond", "local"))
        terminal.sees("valid; ^s saves it")
        terminal.keys("C-s")
        terminal.sees("Saved auto")
        terminal.keys("Escape")
        again = lab.ok("submit", str(bundled.folder() / "demo" / "trials"), "--again")["jobs"][0]["job_id"]
        wait_until(lambda: lab.ok("jobs", "show", again)["stage"] == "review", 60, "the new version's gate")
        terminal.keys("2")
        terminal.sees("review", "◇ at gate", "✗ failed")
        terminal.keys("q")
        terminal.sees("Leave the screen", "Keep the lab running")
        terminal.keys("s")
        wait_until(lambda: terminal.has_ended, 60, "the screen being left")
        # tmux names the lab's folder in its own command line.
        wait_until(lambda: all(line.startswith("tmux") for line in lab.leftovers()), 30, "the lab being stopped")
    finally:
        lab.run("down")
