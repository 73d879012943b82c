"""A lab in a folder of its own for a measurement: set up, started, looked at, stopped and removed."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
import yaml

from medkg_lab.bench import work
from medkg_lab.lab.facade import Lab
from medkg_lab.supervisor.client import SupervisorClient

VIEWS = ("outbox", "recorder")
VIEWS_TIMEOUT_S = 120.0


class ScratchLab:
    """A running lab that knows the bench's stages: what it uses of the machine, and whether it is at rest."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def add_pipeline(self, name: str, ms: float, gate_after: str | None = None) -> None:
        """Give the lab a pipeline of the bench's stages; it needs no restart."""
        self.add(name, work.pipeline(name, ms, gate_after))

    def add(self, name: str, pipeline: Mapping[str, object]) -> None:
        """Give the lab a pipeline; it needs no restart."""
        folder = self.lab.locations.config / "pipelines"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(dict(pipeline), sort_keys=False))

    def cpu_seconds(self) -> dict[str, float]:
        """CPU seconds that each process has used since it started."""
        used: dict[str, float] = {}
        for one in self.lab.supervisor.status().processes:
            if one.pid:
                times = psutil.Process(one.pid).cpu_times()
                used[one.name] = times.user + times.system
        return used

    def rss_mb(self) -> dict[str, float]:
        """Resident memory of each process in MiB."""
        return {one.name: one.rss_mb or 0.0 for one in self.lab.supervisor.status().processes}

    def bytes_on_disk(self) -> dict[str, int]:
        """Bytes of each part of the lab's data and state."""
        roots = (self.lab.locations.data, self.lab.locations.state)
        parts = [part for root in roots for part in root.iterdir() if part.is_dir() and part.name != "logs"]
        return {part.name: _size(part) for part in parts}

    def wait_for_views(self) -> float:
        """Wait until every view has caught up with the ledger; how many seconds that took."""
        began = time.monotonic()
        head = self.lab.ledger.counts().head
        while any(int(self.lab.ledger.positions().get(view, 0)) < head for view in VIEWS):
            if time.monotonic() - began > VIEWS_TIMEOUT_S:
                break
            time.sleep(0.05)
        return time.monotonic() - began


def _size(folder: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


@contextmanager
def scratch_lab(keep: Path | None = None) -> Iterator[ScratchLab]:
    """Start a whole lab in a new folder, and stop and remove it at the end; `keep` names a folder that stays."""
    home = keep or Path(tempfile.mkdtemp(prefix="medkg-bench-"))
    site = home / "site"
    if not site.exists():
        work.publish(site)
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(site), *([before] if before else [])])
    lab = Lab.at(home)
    supervisor: SupervisorClient = lab.supervisor
    try:
        supervisor.up(die_with_parent=True)
        supervisor.wait_ready()
        yield ScratchLab(lab)
    finally:
        if supervisor.is_running():
            supervisor.down()
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
        if keep is None:
            shutil.rmtree(home, ignore_errors=True)
