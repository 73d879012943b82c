"""The artifact measurement from the command line: what it prints, and that its exit code follows from it."""

import json
import subprocess
import sys
from pathlib import Path


def test_both_ways_are_measured_for_each_size(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "medkg_lab.cli.main",
        "bench",
        "artifacts",
        "--rounds",
        "2",
        "--folder",
        str(tmp_path),
    ]
    ended = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=60, check=False)
    found = json.loads(ended.stdout)
    sizes = found["detail"]["sizes"]
    assert [row["bytes"] for row in sizes] == [500, 8_000, 60_000]
    assert all(row["pack_ms"] > 0 and row["file_ms"] > 0 for row in sizes)
    [target] = found["targets"]
    assert target["value"] == min(row["ratio"] for row in sizes)
    assert ended.returncode == (0 if target["met"] else 1)
    assert not list(tmp_path.iterdir())
