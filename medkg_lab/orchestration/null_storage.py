"""Storages that keep nothing: an engine's Dagster runs leave no trace but the ledger's events.

They are Dagster's in-memory storages whose writes are skipped, so everything that Dagster asks of a storage is still answered.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from dagster import DagsterInstance, DagsterRun

from medkg_lab.orchestration.compat import (
    DagsterEvent,
    DefaultRunCoordinator,
    EventLogEntry,
    InMemoryEventLogStorage,
    InMemoryRunStorage,
    InstanceType,
    NoOpComputeLogManager,
    SyncInMemoryRunLauncher,
    TemporaryLocalArtifactStorage,
)


class NullRunStorage(InMemoryRunStorage):
    """Knows no run and keeps none."""

    def add_run(self, dagster_run: DagsterRun) -> DagsterRun:
        """Keep nothing."""
        return dagster_run

    def handle_run_event(self, run_id: str, event: DagsterEvent, update_timestamp: Any = None) -> None:
        """Change nothing."""

    def add_run_tags(self, run_id: str, new_tags: Mapping[str, str]) -> None:
        """Keep nothing."""


class NullEventLogStorage(InMemoryEventLogStorage):
    """Keeps no event."""

    def store_event(self, event: EventLogEntry) -> None:
        """Keep nothing."""

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Keep nothing."""


class NullInstance(DagsterInstance):
    """A Dagster instance on null storages that leaves Python's logging as it is."""

    def get_handlers(self) -> Sequence[logging.Handler]:
        """None: the usual ones store events, and making them resets the process's logging by `dictConfig` at each run."""
        return []


def null_instance() -> NullInstance:
    """Make an instance that writes nothing anywhere, telemetry included."""
    return NullInstance(
        instance_type=InstanceType.EPHEMERAL,
        local_artifact_storage=TemporaryLocalArtifactStorage(),  # type: ignore[no-untyped-call]
        run_storage=NullRunStorage(),
        event_storage=NullEventLogStorage(),
        compute_log_manager=NoOpComputeLogManager(),
        run_coordinator=DefaultRunCoordinator(),
        run_launcher=SyncInMemoryRunLauncher(),
        settings={"telemetry": {"enabled": False}},
    )
