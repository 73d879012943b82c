"""Storages that keep nothing: an engine's Dagster runs leave no trace but the ledger's events.

They are Dagster's in-memory storages whose writes are left out, so everything that Dagster asks of a storage is still answered.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from dagster import DagsterInstance, DagsterRun
from dagster._core.events import DagsterEvent
from dagster._core.events.log import EventLogEntry
from dagster._core.instance.types import InstanceType
from dagster._core.launcher.sync_in_memory_run_launcher import SyncInMemoryRunLauncher
from dagster._core.run_coordinator import DefaultRunCoordinator
from dagster._core.storage.event_log import InMemoryEventLogStorage
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager
from dagster._core.storage.root import TemporaryLocalArtifactStorage
from dagster._core.storage.runs import InMemoryRunStorage


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
