"""Every part of Dagster that its public API does not give: the one module that imports `dagster._*` and `dagster_shared`.

What the lab relies on of each (signatures, fields, stored forms, tables) is recorded in `tests/fixtures/dagster_shape.json`; the
contract test says what another version of Dagster changed.
"""

from typing import Any

from dagster._core.definitions.dependency import NodeHandle
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.errors import DagsterExecutionStepNotFoundError
from dagster._core.events import DagsterEvent, DagsterEventType, JobCanceledData, JobFailureData, RunFailureReason
from dagster._core.events.log import EventLogEntry
from dagster._core.execution.api import ExecuteRunWithPlanIterable, create_execution_plan, job_execution_iterator
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.context_creation_job import (
    ContextCreationData,
    PlanOrchestrationContextManager,
    create_context_creation_data,
    create_executor,
    create_log_manager,
    create_plan_data,
)
from dagster._core.execution.plan.handle import StepHandle
from dagster._core.execution.plan.objects import StepFailureData, StepSuccessData
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.plan.step import ExecutionStep
from dagster._core.execution.retries import RetryMode
from dagster._core.instance.types import InstanceType
from dagster._core.launcher.base import (
    CheckRunHealthResult,
    LaunchRunContext,
    ResumeRunContext,
    RunLauncher,
    WorkerStatus,
)
from dagster._core.launcher.sync_in_memory_run_launcher import SyncInMemoryRunLauncher
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.remote_representation.code_location import InProcessCodeLocation
from dagster._core.run_coordinator import DefaultRunCoordinator
from dagster._core.snap import snapshot_from_execution_plan
from dagster._core.storage.compute_log_manager import ComputeIOType
from dagster._core.storage.event_log import InMemoryEventLogStorage
from dagster._core.storage.event_log.polling_event_watcher import SqlPollingEventWatcher
from dagster._core.storage.event_log.sqlite.consolidated_sqlite_event_log import ConsolidatedSqliteEventLogStorage
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager
from dagster._core.storage.root import TemporaryLocalArtifactStorage
from dagster._core.storage.runs import InMemoryRunStorage, SqliteRunStorage
from dagster._core.storage.schedules import SqliteScheduleStorage
from dagster._core.storage.tags import BACKFILL_ID_TAG
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import (
    IWorkspaceProcessContext,
    WorkspaceProcessContext,
    WorkspaceRequestContext,
)
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster._daemon.controller import create_daemon_of_type
from dagster._daemon.daemon import DaemonIterator, DagsterDaemon, SensorDaemon
from dagster._daemon.sensor import execute_sensor_iteration
from dagster._serdes import ConfigurableClass, ConfigurableClassData, serialize_value, whitelist_for_serdes
from dagster_shared.error import SerializableErrorInfo

from medkg_lab.orchestration.asgi import App

__all__ = [
    "BACKFILL_ID_TAG",
    "CheckRunHealthResult",
    "ComputeIOType",
    "ConfigurableClass",
    "ConfigurableClassData",
    "ConsolidatedSqliteEventLogStorage",
    "ContextCreationData",
    "DaemonIterator",
    "DagsterDaemon",
    "DagsterEvent",
    "DagsterEventType",
    "DagsterExecutionStepNotFoundError",
    "DefaultRunCoordinator",
    "EventLogEntry",
    "ExecuteRunWithPlanIterable",
    "ExecutionPlan",
    "ExecutionStep",
    "IWorkspaceProcessContext",
    "InMemoryEventLogStorage",
    "InMemoryJob",
    "InMemoryRunStorage",
    "InProcessCodeLocation",
    "InProcessCodeLocationOrigin",
    "InProcessWorkspaceLoadTarget",
    "InstanceType",
    "JobCanceledData",
    "JobFailureData",
    "LaunchRunContext",
    "LoadableTargetOrigin",
    "NoOpComputeLogManager",
    "NodeHandle",
    "PlanOrchestrationContext",
    "PlanOrchestrationContextManager",
    "RemoteJobOrigin",
    "RemoteRepositoryOrigin",
    "ResumeRunContext",
    "RetryMode",
    "RunFailureReason",
    "RunLauncher",
    "SensorDaemon",
    "SerializableErrorInfo",
    "SqlPollingEventWatcher",
    "SqliteRunStorage",
    "SqliteScheduleStorage",
    "StepFailureData",
    "StepHandle",
    "StepSuccessData",
    "SyncInMemoryRunLauncher",
    "TemporaryLocalArtifactStorage",
    "WorkerStatus",
    "WorkspaceProcessContext",
    "WorkspaceRequestContext",
    "create_context_creation_data",
    "create_daemon_of_type",
    "create_execution_plan",
    "create_executor",
    "create_log_manager",
    "create_pages",
    "create_plan_data",
    "execute_sensor_iteration",
    "job_execution_iterator",
    "serialize_value",
    "snapshot_from_execution_plan",
    "whitelist_for_serdes",
]


def create_pages(context: "IWorkspaceProcessContext[Any]") -> App:
    """Dagster's pages and GraphQL endpoint as an ASGI application.

    Imported here, because an engine, which shows none, would otherwise load the web server as well.
    """
    from dagster_webserver.app import create_app_from_workspace_process_context

    return create_app_from_workspace_process_context(context)
