"""What the lab relies on of Dagster beyond its public API, as JSON: signatures, enums, stored forms, tables.

`python -m tests.unit.orchestration.dagster_shape` records it anew, after a change that was looked at.
"""

import enum
import importlib
import inspect
import json
import pkgutil
import re
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus

from medkg_lab import orchestration
from medkg_lab.locations import locate
from medkg_lab.orchestration import compat, templates
from medkg_lab.orchestration.instance import folder, open_instance
from medkg_lab.orchestration.storage import events_file, runs_file
from medkg_lab.topology.catalog import Catalog

RECORDED = Path(__file__).resolve().parents[2] / "fixtures" / "dagster_shape.json"
CALLED = {
    compat.ExecutionPlan: ("get_steps_to_execute_in_topo_order", "get_all_steps_in_topo_order"),
    compat.ExecutionStep: ("key", "handle", "node_handle", "kind"),
    compat.ContextCreationData: ("_replace",),
    compat.PlanOrchestrationContext: ("job_name",),
    compat.IWorkspaceProcessContext: ("reload_code_location",),
    compat.SqlPollingEventWatcher: ("watch_run", "unwatch_run", "close"),
    compat.DagsterDaemon: ("run_daemon_loop", "daemon_type"),
    compat.SqliteRunStorage: ("from_local", "add_job_snapshot", "add_execution_plan_snapshot"),
    DagsterInstance: (
        "get_run_by_id", "get_run_records", "get_runs", "get_run_step_stats", "get_required_daemon_types",
        "report_run_canceled", "report_run_canceling", "report_runless_asset_event",
    ),
    DagsterRun: ("_replace", "is_finished", "tags_for_storage", "step_keys_to_execute", "resolved_op_selection"),
}  # fmt: skip
"""What is called of a class beside what the lab's subclasses override."""
TABLES = {runs_file: ("runs", "run_tags"), events_file: ("event_logs", "asset_event_tags")}


def shape() -> dict[str, Any]:
    """The shape of the Dagster that is installed; each leaf is a text."""
    with tempfile.TemporaryDirectory() as home:
        locations = locate(Path(home))
        locations.create()
        with open_instance(locations) as instance:
            return {
                "names": {name: _of_name(getattr(compat, name)) for name in compat.__all__},
                "members": {
                    f"{base.__name__}.{name}": _signature(getattr(base, name))
                    for base, name in sorted({*_overridden(), *_called()}, key=lambda one: (one[0].__name__, one[1]))
                },
                "statuses": {status.name: templates.STATUS_NAMES[status.value] for status in DagsterRunStatus},
                "stored": _stored(instance),
                "tables": {
                    name: _columns(path(folder(locations)), name) for path, names in TABLES.items() for name in names
                },
            }


def differences(before: Any, now: Any, place: str = "") -> Iterator[str]:
    """A line for each leaf that is not the same."""
    if isinstance(before, dict) and isinstance(now, dict):
        for name in sorted({*before, *now}):
            where = f"{place}/{name}"
            if name not in now:
                yield f"{where} is gone (was {before[name]})"
            elif name not in before:
                yield f"{where} is new: {now[name]}"
            else:
                yield from differences(before[name], now[name], where)
    elif before != now:
        yield f"{place} was {before}, is {now}"


def _of_name(thing: Any) -> str | dict[str, str]:
    if isinstance(thing, type) and issubclass(thing, enum.Enum):
        return {each.name: str(each.value) for each in thing}
    # A record's own signature says one thing until the first one was made, and another from then on: its fields do not.
    fields = getattr(thing, "__record_annotations__", None)
    return _signature(thing) if fields is None else ", ".join(fields)


def _signature(thing: Any) -> str:
    if isinstance(thing, property):
        return "property"
    if not callable(thing):
        return type(thing).__name__
    try:
        found = inspect.signature(thing)
    except ValueError:
        return "callable"
    # Names, kinds and whether there is a default: annotations and the defaults' values change without harm.
    return ", ".join(
        f"{'*' * (one.kind is one.VAR_POSITIONAL) or '**' * (one.kind is one.VAR_KEYWORD)}{one.name}"
        f"{'' if one.default is one.empty else '=…'}{' (keyword)' if one.kind is one.KEYWORD_ONLY else ''}"
        for one in found.parameters.values()
    )


def _called() -> Iterator[tuple[type, str]]:
    return ((base, name) for base, names in CALLED.items() for name in names)


def _overridden() -> Iterator[tuple[type, str]]:
    """Each method of a class of Dagster that one of the lab's classes replaces."""
    for module in pkgutil.iter_modules(orchestration.__path__):
        if module.name == "__main__":
            continue
        loaded = importlib.import_module(f"{orchestration.__name__}.{module.name}")
        for own in vars(loaded).values():
            if isinstance(own, type) and own.__module__ == loaded.__name__:
                yield from _replaced_by(own)


def _replaced_by(own: type) -> Iterator[tuple[type, str]]:
    for name, value in vars(own).items():
        if name.startswith("__") or not (callable(value) or isinstance(value, property | classmethod)):
            continue
        base = next((each for each in own.__mro__[1:] if name in vars(each)), None)
        if base is not None and base.__module__.startswith("dagster"):
            yield base, name


def _stored(instance: DagsterInstance) -> dict[str, Any]:
    """The texts that the recorder writes, from Dagster's own serialiser, of the pipeline with a gate."""
    topology = Catalog(locate(Path(instance.root_directory))).topologies()["pdf-two-phase"]
    first = templates.build(instance, topology)[0]
    step = first.steps[0]
    entries = {f"{kind} {key or 'run'}": each for (kind, key), each in first.events.items() if key in ("", step)}
    return {
        "run": _json(first.visible.body),
        "line": _json(first.lines[step]),
        "entries": {name: _json(each) for name, each in sorted(entries.items())},
    }


def _json(template: templates.Template) -> str:
    values: dict[str, Any] = dict.fromkeys(templates.GAPS, "x") | {"time": 1.5, "ms": 2.5}
    text = template.fill(values)
    text = text.replace(json.dumps(sys.executable), '"python"')
    text = re.sub(r'"(pid|pipeline_snapshot_id|execution_plan_snapshot_id)": ("[0-9a-f]+"|\d+)', r'"\1": "…"', text)
    return re.sub(r'"tags": \{[^{}]*\}', '"tags": "…"', text)  # the lab's own, which say nothing of Dagster


def _columns(path: Path, table: str) -> str:
    with sqlite3.connect(path) as connection:
        return ", ".join(f"{row[1]} {row[2]}" for row in connection.execute(f"PRAGMA table_info({table})"))


def record(write: Callable[[str], Any] = RECORDED.write_text) -> None:
    """Record the shape of the Dagster that is installed."""
    text = json.dumps({"version": dagster.__version__, **shape()}, indent=1, ensure_ascii=False, sort_keys=True)
    write(text + "\n")


if __name__ == "__main__":
    record()
