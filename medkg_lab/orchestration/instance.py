"""The Dagster instance of a lab: its folder, its configuration, and opening it."""

import os
from pathlib import Path

import yaml
from dagster import DagsterInstance

from medkg_lab.files import replace_private
from medkg_lab.locations import HOME_VARIABLE, Locations

CONFIG_FILE = "dagster.yaml"


def folder(locations: Locations) -> Path:
    """Dagster's folder in the lab."""
    return locations.state / "dagster"


def open_instance(locations: Locations) -> DagsterInstance:
    """Write Dagster's configuration and open its instance.

    Sets the variables by which Dagster and the lab's code location find the folder.
    """
    home = folder(locations)
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    replace_private(home / CONFIG_FILE, yaml.safe_dump(configuration(locations)))
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ[HOME_VARIABLE] = str(locations.home)
    return DagsterInstance.get()


def configuration(locations: Locations) -> dict[str, object]:
    """What stands in dagster.yaml: the lab's storages and launcher, no telemetry, no queue of Dagster's own."""
    home = folder(locations)
    ours = "medkg_lab.orchestration"
    return {
        "telemetry": {"enabled": False},
        "nux": {"enabled": False},
        "run_storage": _use(f"{ours}.storage", "LabRunStorage", base_dir=str(home / "runs")),
        "event_log_storage": _use(f"{ours}.storage", "LabEventLogStorage", base_dir=str(home / "events")),
        "schedule_storage": _use(f"{ours}.compat", "SqliteScheduleStorage", base_dir=str(home / "schedules")),
        "compute_logs": _use(f"{ours}.step_logs", "StepLogs", folder=str(locations.state / "logs")),
        "run_coordinator": _use(f"{ours}.compat", "DefaultRunCoordinator"),
        "run_launcher": _use(f"{ours}.launcher", "LedgerRunLauncher", socket=str(locations.socket("ledger"))),
        "sensors": {"use_threads": False},
        "auto_materialize": {"enabled": False},
        "retention": {"sensor": {"purge_after_days": {"skipped": 1, "success": 30, "failure": 30}}},
    }


def _use(module: str, name: str, **config: str) -> dict[str, object]:
    return {"module": module, "class": name, "config": config}
