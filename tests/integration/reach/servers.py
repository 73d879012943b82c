"""A lab's HTTP API for tests: the command as a person starts it, with its tokens."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from medkg_lab.sdk.lab import Lab


@dataclass(frozen=True)
class Served:
    """Where it answers, and the files with the tokens by scope."""

    url: str
    tokens: dict[str, str]

    def header(self, scope: str) -> dict[str, str]:
        """What a caller with this scope sends."""
        return {"Authorization": f"Bearer {Path(self.tokens[scope]).read_text().strip()}"}

    def client(self, scope: str = "admin:read") -> httpx.Client:
        """A client that sends the token of this scope."""
        return httpx.Client(base_url=self.url, headers=self.header(scope), timeout=60)


@contextlib.contextmanager
def served(lab: Lab, *options: str) -> Iterator[Served]:
    """`medkg-lab serve` for the time of the block."""
    command = [sys.executable, "-m", "medkg_lab.cli.main", "serve", "--home", str(lab.home), "--port", "0", "--json"]
    process = subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=dict(os.environ)
    )
    assert process.stdout is not None
    try:
        text = ""
        while not text.rstrip().endswith("}\n}") and (line := process.stdout.readline()):
            text += line
        told = json.loads(text)
        yield Served(told["url"], told["tokens"])
    finally:
        process.terminate()
        process.wait(timeout=30)
        process.stdout.close()
