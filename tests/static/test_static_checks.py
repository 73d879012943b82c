"""Formatter, linter, type checker and import contracts find nothing in the repository."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = Path(sys.executable).parent


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("ruff", "check", "."), id="ruff-check"),
        pytest.param(("ruff", "format", "--check", "."), id="ruff-format"),
        pytest.param(("mypy", "medkg_lab", "scripts"), id="mypy"),
        pytest.param(("lint-imports", "--no-logo"), id="import-contracts"),
    ],
)
def test_the_tool_finds_nothing(command: tuple[str, ...]) -> None:
    tool, *arguments = command
    result = subprocess.run([str(TOOLS / tool), *arguments], cwd=ROOT, capture_output=True, text=True, timeout=580)
    assert result.returncode == 0, result.stdout + result.stderr
