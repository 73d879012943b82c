"""A real Prometheus for tests: on the path, or in the folder that MEDKG_PROMETHEUS names."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from medkg_lab.ports import free_port
from tests.waiting import wait_until

VARIABLE = "MEDKG_PROMETHEUS"


def program(name: str) -> str:
    """The path of `prometheus` or `promtool`; without it the test is skipped."""
    places = os.pathsep.join(filter(None, (os.environ.get(VARIABLE), os.environ.get("PATH"))))
    found = shutil.which(name, path=places)
    if found is None:
        pytest.skip(f"{name} is not installed: {VARIABLE} names the folder that has it")
    return found


@dataclass(frozen=True)
class Prometheus:
    """One that runs, at `url`."""

    url: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an instant query."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": expression}, timeout=30).json()
        assert answer["status"] == "success", (expression, answer)
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def values(self, expression: str, *labels: str) -> dict[tuple[str, ...], float]:
        """The values of an instant query by these labels."""
        found = self.query(expression)
        return {tuple(one["metric"].get(label, "") for label in labels): float(one["value"][1]) for one in found}

    def rules(self) -> list[dict[str, Any]]:
        """The alert rules as they stand."""
        groups = httpx.get(f"{self.url}/api/v1/rules", timeout=30).json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]


@contextlib.contextmanager
def running(folder: Path, config: str, alerts: str) -> Iterator[Prometheus]:
    """Prometheus with this configuration, for the time of the block."""
    path, port = program("prometheus"), free_port()
    (folder / "prometheus.yml").write_text(config)
    (folder / "alerts.yaml").write_text(alerts)
    command = [
        path,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        one = Prometheus(f"http://127.0.0.1:{port}")
        wait_until(lambda: _is_ready(one), 60, f"readiness: {(folder / 'prometheus.log').read_text()[-2000:]}")
        yield one
    finally:
        process.terminate()
        process.wait(timeout=30)


def _is_ready(one: Prometheus) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"{one.url}/-/ready", timeout=5).status_code == 200
    return False
