"""Reading a job for the screen: its record with all that belongs to it, and the beginning of what a stage made."""

from medkg_lab.errors import LabError
from medkg_lab.lab import artifacts, windows
from medkg_lab.lab.facade import Lab
from medkg_lab.tui.formatting import number
from medkg_lab.tui.screens.jobs.render import JobDetail
from medkg_lab.tui.theme import Line
from medkg_lab.tui.widgets.panel import wrapped

EVENTS_SHOWN = 1000


def detail_of(lab: Lab, job_id: str) -> JobDetail | None:
    """All that is shown of a job; None while the ledger does not know it."""
    job = lab.ledger.get(job_id)
    if job is None:
        return None
    events = lab.ledger.events(0, EVENTS_SHOWN, job_id=job_id)["events"]
    policy = ""
    if job.get("stage"):
        try:
            policy = lab.catalog.topology(job["pipeline"]).stage(job["stage"]).policy
        except (LabError, KeyError):
            policy = ""  # the pipeline was changed or removed since: then the policy of that time is not known here
    return JobDetail(job, events, windows.inputs(lab.ledger, job_id), windows.lineage(lab.ledger, job_id), policy)


def beginning(lab: Lab, sha256: str) -> list[Line]:
    """How an artifact begins. Raises ArtifactMissing and ArtifactDamaged."""
    seen = artifacts.look(lab, sha256)
    size = f"{number(seen.size)} bytes"
    if not seen.text:
        return [[(f"  {size} that are no text", "muted")]]
    lines: list[Line] = [[(f"  {size}" + ("" if seen.whole else ", which begin:"), "muted")], []]
    for text in seen.text.splitlines() or [""]:
        lines += wrapped(text, 100, "muted")
    return lines
