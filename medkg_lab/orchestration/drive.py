"""Dagster's engine over one batch: plan, executor and step events, in this process, with nothing stored."""

from collections.abc import Callable, Sequence
from functools import lru_cache

from dagster import DagsterRun, DagsterRunStatus, JobDefinition
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.errors import DagsterExecutionStepNotFoundError
from dagster._core.events import DagsterEvent
from dagster._core.execution.api import ExecuteRunWithPlanIterable, create_execution_plan, job_execution_iterator
from dagster._core.execution.context_creation_job import (
    PlanOrchestrationContextManager,
    orchestration_context_event_generator,
)
from dagster._core.execution.plan.plan import ExecutionPlan

from medkg_lab.orchestration.compile import compile_topology
from medkg_lab.orchestration.errors import StepUnknown
from medkg_lab.orchestration.null_storage import null_instance
from medkg_lab.topology.models import Topology

CACHED_PLANS = 128
"""How many plans (a half and the stages to run of it) stay built."""


class Driver:
    """Runs Dagster's engine over batches, one at a time.

    Two Dagster runs in threads of one process can deadlock, and Dagster replaces the signal handlers of a run in the main
    thread: use one driver per process, in a thread of its own.
    """

    def __init__(self) -> None:
        self._instance = null_instance()
        self._current: Callable[[str], None] | None = None
        self._failure: Exception | None = None
        self._plans = lru_cache(CACHED_PLANS)(_plan)

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
        plan = self._plans(job, tuple(stages))
        self._current, self._failure = run_step, None
        try:
            events = list(self._iterate(InMemoryJob(job), plan, batch_id))
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

    def _iterate(self, job: InMemoryJob, plan: ExecutionPlan, batch_id: str) -> ExecuteRunWithPlanIterable:
        run = DagsterRun(job_name=job.get_definition().name, run_id=batch_id, status=DagsterRunStatus.STARTED)
        return ExecuteRunWithPlanIterable(
            execution_plan=plan,
            iterator=job_execution_iterator,
            execution_context_manager=PlanOrchestrationContextManager(
                context_event_generator=orchestration_context_event_generator,
                job=job,
                execution_plan=plan,
                run_config={},
                dagster_run=run,
                instance=self._instance,
                raise_on_error=False,
                executor_defs=None,
                output_capture=None,
                resume_from_failure=False,
            ),
        )


def _plan(job: JobDefinition, stages: tuple[str, ...]) -> ExecutionPlan:
    try:
        return create_execution_plan(job, step_keys_to_execute=list(stages))
    except DagsterExecutionStepNotFoundError as error:
        raise StepUnknown(pipeline=job.name, stages=", ".join(error.step_keys)) from error
