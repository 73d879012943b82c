"""How the lab is: its processes, its jobs, how far its views are, and what blocks."""

import shutil
import time
from typing import Any

from medkg_lab import settings
from medkg_lab.broker.engine import choose
from medkg_lab.errors import LabError
from medkg_lab.lab.facade import Lab
from medkg_lab.lab.why import why_job, why_process
from medkg_lab.ledger.client import LedgerClient

BLOCKED_SHOWN = 20
DISK_LOW_MB = 500
PATIENCE = 3.0
"""Seconds to wait for the ledger: a status that hangs tells less than one that says who does not answer."""


def status(lab: Lab) -> dict[str, Any]:
    """Everything `medkg-lab status` shows. Raises LabNotRunning; parts that cannot be asked now are null with the reason."""
    supervised = lab.supervisor.status()
    engine = choose(lab.locations, lab.settings)
    answer = {
        "home": supervised["home"],
        "profile": supervised["profile"],
        "processes": supervised["processes"],
        "rss_mb": round(sum(one["rss_mb"] or 0 for one in supervised["processes"]), 1),
        "broker": {
            "engine": lab.settings.broker.engine,
            "bootstrap": str(lab.bootstrap),
            "durability": engine.durability(),
        }
        | engine.details(),
        "ports": settings.ports(lab.locations),
        "dagster_url": lab.dagster_url,
        "disk_free_mb": shutil.disk_usage(lab.locations.data).free // 1_000_000,
        "jobs": None,
        "gates": None,
        "lag": None,
    }
    try:
        ledger = LedgerClient(lab.locations.socket("ledger"), deadline=PATIENCE)
        counts = ledger.counts()
        positions = ledger.positions()
    except LabError as error:
        answer["ledger_error"] = str(error)
        return answer
    head = int(counts["head"])
    answer["jobs"] = counts["jobs"]
    answer["gates"] = counts["gates"]
    answer["lag"] = {
        "outbox": head - int(positions.get("outbox", 0)),
        "recorder": head - int(positions.get("recorder", 0)),
    }
    return answer


def explain_job(lab: Lab, job: dict[str, Any]) -> str:
    """One sentence on why the job is not moving, or how it ended."""
    processes = {one["name"]: one for one in lab.supervisor.status()["processes"]}
    before = 0
    if job["state"] == "queued":
        before = max(0, int(lab.ledger.counts()["queued_by_lane"].get(job["lane"], 0)) - 1)
    return why_job(job, processes, before, time.time(), _breaker(lab, job) if job["state"] == "running" else None)


def _breaker(lab: Lab, job: dict[str, Any]) -> dict[str, Any] | None:
    """The open circuit of the policy that the job's stage is called by."""
    opened = [one for one in lab.ledger.breakers() if one["state"] == "open"]
    if not opened or not job.get("stage"):
        return None
    try:
        policy = lab.catalog.topology(job["pipeline"]).stage(job["stage"]).policy
    except (LabError, KeyError):
        return None  # the pipeline was changed or removed since: which policy holds for the job is not known here
    return next((one for one in opened if one["policy"] == policy), None)


def blockers(lab: Lab) -> list[str]:
    """What keeps the lab's processes and unfinished jobs from moving, a sentence each."""
    processes = lab.supervisor.status()["processes"]
    found = [why_process(one) for one in processes if one["state"] != "ready"]
    if (free := shutil.disk_usage(lab.locations.data).free // 1_000_000) < DISK_LOW_MB:
        found.append(
            f"The disk of {lab.locations.data} has only {free} MB left: writes are refused until there is room."
        )
    if any(one["name"] == "ledgerd" and one["state"] != "ready" for one in processes):
        return found
    for state in ("waiting_gate", "queued", "running"):
        for job in lab.ledger.jobs(state=state, limit=BLOCKED_SHOWN):
            found.append(f"{job['doc_id']}: {explain_job(lab, lab.ledger.get(job['job_id']) or job)}")
    return found
