"""Dagster is as the lab's use of its private parts expects it, and a version that is not says where."""

import json

import dagster

from tests.unit.orchestration.dagster_shape import RECORDED, differences, shape


def test_dagster_has_the_shape_that_was_recorded() -> None:
    recorded = json.loads(RECORDED.read_text())
    version = recorded.pop("version")
    changed = list(differences(recorded, shape()))
    assert not changed, f"Dagster {dagster.__version__} differs from {version}:\n" + "\n".join(changed)


def test_each_kind_of_change_is_named() -> None:
    before = {"names": {"f": "a, b", "gone": "c"}, "tables": {"runs": "id INTEGER"}}
    now = {"names": {"f": "a, b, d=…", "new": "e"}, "tables": {"runs": "id INTEGER"}}
    assert list(differences(before, now)) == [
        "/names/f was a, b, is a, b, d=…",
        "/names/gone is gone (was c)",
        "/names/new is new: e",
    ]


def test_what_is_recorded_covers_signatures_stored_forms_and_tables() -> None:
    recorded = json.loads(RECORDED.read_text())
    assert recorded["members"]["SensorDaemon.core_loop"] == "self, workspace_process_context, shutdown_event"
    assert '"EventLogEntry"' in recorded["stored"]["line"]
    assert "run_id" in recorded["tables"]["event_logs"]
