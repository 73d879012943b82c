"""Running labs for tests: the real command line, real processes, in folders of their own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medkg_lab import linux


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Its stdout as JSON."""
        return json.loads(self.out)


@dataclass(frozen=True)
class TestLab:
    """A lab at `home`, driven by its command line."""

    __test__ = False

    home: Path
    cache: Path

    @property
    def environment(self) -> dict[str, str]:
        """What its commands see: an empty HOME, so that nothing outside the lab's folder is used."""
        kept = {
            name: os.environ[name]
            for name in ("PATH", "LANG", "MEDKG_SHARED_DATA", "MEDKG_SHARED_CASES")
            if name in os.environ
        }
        return kept | {
            "MEDKG_LAB_HOME": str(self.home),
            "MEDKG_LAB_CACHE": str(self.cache),
            "HOME": str(self.home / "nobody"),
        }

    def popen(
        self, *arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> "subprocess.Popen[str]":
        """Start a command, with more in its environment and in another folder if asked to."""
        command = [sys.executable, "-m", "medkg_lab.cli.main", *arguments]
        pipe = subprocess.PIPE
        seen = self.environment | dict(env or {})
        return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=seen, cwd=cwd)

    def run(
        self, *arguments: str, timeout: float = 300, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> Done:
        """Run a command to its end."""
        process = self.popen(*arguments, env=env, cwd=cwd)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return Done(process.returncode, out, err)

    def ok(self, *arguments: str, timeout: float = 300) -> Any:
        """Run a command with --json that must succeed, and return its JSON."""
        done = self.run(*arguments, "--json", timeout=timeout)
        assert done.code == 0, f"{arguments} ended with {done.code}: {done.err[-2000:]} {done.out[-2000:]}"
        return done.json()

    def pids(self) -> dict[str, int]:
        """The pid of every running process by name, the supervisor's included."""
        status = self.ok("status")
        running = {one["name"]: one["pid"] for one in status["processes"] if one["pid"]}
        return running

    def leftovers(self) -> list[str]:
        """Command lines of processes that still belong to this lab."""
        found = []
        for entry in Path("/proc").iterdir():
            if (
                entry.name.isdigit()
                and int(entry.name) != os.getpid()
                and linux.start_time(int(entry.name)) is not None
            ):
                try:
                    line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                except OSError:
                    continue
                if str(self.home) in line:
                    found.append(line)
        return found
