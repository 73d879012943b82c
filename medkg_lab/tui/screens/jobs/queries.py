"""Reading a job for the screen: its record with all that belongs to it, and the beginning of what a stage made."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from medkg_lab.errors import LabError
from medkg_lab.lab import artifacts, job_queries
from medkg_lab.lab.facade import Lab
from medkg_lab.locations import locate
from medkg_lab.orchestration.runs import visible_run_id
from medkg_lab.tui.formatting import number, short_id
from medkg_lab.tui.screens.jobs.render import JobDetail
from medkg_lab.tui.theme import Line
from medkg_lab.tui.widgets.panel import wrapped

EVENTS_SHOWN = 1000


def detail_of(lab: Lab, job_id: str) -> JobDetail | None:
    """All that is shown of a job; None while the ledger does not know it."""
    job = lab.ledger.get(job_id)
    if job is None:
        return None
    events = lab.ledger.events(0, EVENTS_SHOWN, job_id=job_id).events
    policy = ""
    if job.stage:
        try:
            policy = lab.catalog.topology(job.pipeline).stage(job.stage).policy
        except (LabError, KeyError):
            policy = ""  # the pipeline was changed or removed since: then the policy of that time is not known here
    return JobDetail(
        job, events, job_queries.inputs(lab.ledger, job_id), job_queries.lineage(lab.ledger, job_id), policy
    )


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident that was exported: the archive, the home of its own that it was imported into, and the stage that failed."""

    archive: Path
    home: Path
    stage: str


def export_incident(lab: Lab, job_id: str) -> Incident:
    """Export a job and import that into a home of its own below the lab's state. Raises what `repro export` raises."""
    # Here, so that the first frame does not wait for what replays an incident.
    from medkg_lab.repro import archive, export
    from medkg_lab.repro.workbench import Workbench

    job = lab.ledger.get(job_id)
    made = export.gather(lab, [job_id]).archive
    folders = lab.locations.state / "incidents"
    folders.mkdir(mode=0o700, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{short_id(job_id)}-", dir=folders))
    archive.write(folder / "incident.zip", made)
    Workbench.of(made, locate(folder / "home"))
    return Incident(folder / "incident.zip", folder / "home", (job.stage if job is not None else None) or "")


def run_page(lab: Lab, job_id: str) -> str:
    """The page of Dagster that shows the last run of a job; that of all runs while it has none."""
    job = lab.ledger.get(job_id)
    if job is None or not job.stages:
        return "/"
    return f"/runs/{visible_run_id(job_id, job.half, job.execution)}"


def beginning(lab: Lab, sha256: str) -> list[Line]:
    """How an artifact begins. Raises ArtifactMissing and ArtifactDamaged."""
    seen = artifacts.preview(lab, sha256)
    size = f"{number(seen.size)} bytes"
    if not seen.text:
        return [[(f"  {size} (binary)", "muted")]]
    lines: list[Line] = [[(f"  {size}" + ("" if seen.whole else ", which begin:"), "muted")], []]
    for text in seen.text.splitlines() or [""]:
        lines += wrapped(text, 100, "muted")
    return lines
