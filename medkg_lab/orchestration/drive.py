"""Dagster's engine over one batch: plan, executor and step events, in this process, with nothing stored."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from dagster import DagsterRun, DagsterRunStatus, JobDefinition

from medkg_lab.orchestration.compat import (
    ContextCreationData,
    DagsterEvent,
    DagsterExecutionStepNotFoundError,
    ExecuteRunWithPlanIterable,
    InMemoryJob,
    PlanOrchestrationContext,
    PlanOrchestrationContextManager,
    create_context_creation_data,
    create_execution_plan,
    create_executor,
    create_log_manager,
    create_plan_data,
    job_execution_iterator,
)
from medkg_lab.orchestration.compile import compile_topology
from medkg_lab.orchestration.errors import StepUnknown
from medkg_lab.orchestration.null_storage import null_instance
from medkg_lab.topology.models import Topology

PREPARED = 128
"""How many runs (a half and the stages to run of it) stay prepared."""


class Driver:
    """Runs Dagster's engine over batches, one at a time.

    Two Dagster runs in threads of one process can deadlock, and Dagster replaces the signal handlers of a run in the main
    thread: use one driver per process, in a thread of its own.
    """

    def __init__(self) -> None:
        self._instance = null_instance()
        self._current: Callable[[str], None] | None = None
        self._failure: Exception | None = None
        self._prepared = lru_cache(PREPARED)(self._prepare)

    def compile(self, topology: Topology) -> dict[str, JobDefinition]:
        """The Dagster jobs of `topology` by half, whose steps this driver runs."""
        return compile_topology(topology, self._run_step)

    def drive(
        self, job: JobDefinition, batch_id: str, stages: Sequence[str], run_step: Callable[[str], None]
    ) -> list[DagsterEvent]:
        """Run `stages` of `job`, one that `compile` made, as the Dagster run `batch_id` and return the run's events.

        `run_step` is called with each stage's name in dependency order; what it raises ends the run and is raised again here.
        Raises StepUnknown when the job has no such stage.
        """
        if not stages:
            return []
        prepared = self._prepared(job, tuple(stages))
        run = prepared.dagster_run._replace(run_id=batch_id)
        self._current, self._failure = run_step, None
        try:
            events = list(_iterate(prepared._replace(dagster_run=run)))
        finally:
            self._current = None
        if self._failure is not None:
            raise self._failure
        return events

    def _run_step(self, stage: str) -> None:
        assert self._current is not None, "a step ran outside drive()"
        try:
            self._current(stage)
        except Exception as error:
            self._failure = error
            raise

    def _prepare(self, job: JobDefinition, stages: tuple[str, ...]) -> ContextCreationData:
        """All of a run but its id: plan, resolved configuration, executor. Raises StepUnknown."""
        try:
            plan = create_execution_plan(job, step_keys_to_execute=list(stages))
        except DagsterExecutionStepNotFoundError as error:
            raise StepUnknown(pipeline=job.name, stages=", ".join(error.step_keys)) from error
        run = DagsterRun(job_name=job.name, status=DagsterRunStatus.STARTED)
        return create_context_creation_data(InMemoryJob(job), plan, {}, run, self._instance)


def _iterate(data: ContextCreationData) -> ExecuteRunWithPlanIterable:
    return ExecuteRunWithPlanIterable(
        execution_plan=data.execution_plan,
        iterator=job_execution_iterator,
        execution_context_manager=PlanOrchestrationContextManager(
            # Dagster's own generator validates the same empty configuration anew for every run.
            context_event_generator=lambda *_, **__: _contexts(data),
            job=data.job,
            execution_plan=data.execution_plan,
            run_config={},
            dagster_run=data.dagster_run,
            instance=data.instance,
        ),
    )


def _contexts(data: ContextCreationData) -> Iterator[Any]:
    executor = create_executor(data)
    yield PlanOrchestrationContext(
        plan_data=create_plan_data(
            data,
            raise_on_error=False,
            retry_mode=executor.retries,
            step_dependency_config=executor.step_dependency_config,
        ),
        log_manager=create_log_manager(data),
        executor=executor,
        output_capture=None,
    )
