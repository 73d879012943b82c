"""`python -m medkg_lab.lineage`: tells an OpenLineage service, or a file, what the ledger's events say of runs."""

import logging
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from medkg_lab import process, settings
from medkg_lab.environment import extra_command
from medkg_lab.errors import LabError
from medkg_lab.files import read_regular
from medkg_lab.heartbeat import LoopWatchdog
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.ledger.following import follow
from medkg_lab.ledger.state import RunStatus
from medkg_lab.lineage.derive import Granularity, Known
from medkg_lab.lineage.errors import LineageKeyUnreadable, LineagePackageMissing
from medkg_lab.lineage.notes import JobNote
from medkg_lab.lineage.sinks import FileSink, HttpSink, Sink
from medkg_lab.settings import LineageSettings
from medkg_lab.stages.kinds import INPUT_KINDS
from medkg_lab.topology import versions

NAME = "lineage"
FILE = "events.jsonl"
REFUSED = "refused.jsonl"
MAX_KEY_BYTES = 16 * 1024


def main() -> None:
    """Run until SIGTERM. Raises LineagePackageMissing and LineageKeyUnreadable."""
    _, locations = process.arguments(NAME)
    chosen = settings.load(locations).lineage
    if find_spec("openlineage") is None:
        raise LineagePackageMissing(command=extra_command("lineage"))
    from medkg_lab.lineage.openlineage import Writer
    from medkg_lab.lineage.view import Lineage

    stopping = process.Stopping()
    stopping.listen()
    logging.getLogger("httpx").setLevel(logging.WARNING)
    folder = locations.data / NAME
    folder.mkdir(mode=0o700, exist_ok=True)
    ledger = LedgerClient(locations.socket("ledger"))
    known = Known(_Inputs(ledger), lambda job_id, kept: _recall(ledger, job_id, kept))
    sink = _sink(chosen, folder)
    view = Lineage(folder / "place.sqlite", known, Granularity(chosen.runs), Writer(chosen.namespace), sink)
    watchdog = LoopWatchdog(stopping)
    process.announce(NAME, watchdog.is_alive)
    follow(ledger, NAME, view, watchdog)


def _sink(chosen: LineageSettings, folder: Path) -> Sink:
    if chosen.url is None:
        return FileSink(chosen.file or folder / FILE)
    key = None
    if chosen.api_key_file is not None:
        try:
            key = read_regular(chosen.api_key_file, MAX_KEY_BYTES).decode("ascii").strip()
        except (LabError, OSError, ValueError) as error:
            raise LineageKeyUnreadable(path=chosen.api_key_file, detail=str(error)) from error
    return HttpSink(chosen.url, key, folder / REFUSED)


class _Inputs:
    """The kinds that a stage takes, by the pipelines that the ledger knows."""

    def __init__(self, ledger: LedgerClient) -> None:
        self._ledger = ledger
        self._known: dict[tuple[str, str], dict[str, tuple[str, ...]]] = {}

    def __call__(self, pipeline: str, version: str, stage: str) -> tuple[str, ...]:
        place = pipeline, version
        if place not in self._known:
            found = self._ledger.definitions("topology", name=pipeline, version=version)
            stages = versions.from_json(found[0].content).stages if found else ()
            self._known[place] = {one.name: INPUT_KINDS.get(one.type, ()) for one in stages}
        return self._known[place].get(stage, ())


def _recall(ledger: LedgerClient, job_id: str, kept: Sequence[str]) -> JobNote | None:
    """A job that had ended, with what the stages `kept` have made."""
    job = ledger.get(job_id)
    if job is None:
        return None
    done = {
        run.stage: (run.kind, run.ref)
        for run in job.stages
        if run.stage in kept and run.status is RunStatus.COMPLETED and run.kind and run.ref
    }
    if job.gate is not None and job.gate.gate in kept and job.gate.evidence.document is not None:
        done[job.gate.gate] = ("document", job.gate.evidence.document)
    return JobNote(job_id, job.doc_id, job.tenant_id, job.pipeline, job.pipeline_version, 0, done=done)


if __name__ == "__main__":
    process.run(NAME, main)
