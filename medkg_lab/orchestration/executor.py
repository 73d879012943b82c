"""The executor of the lab's jobs: it walks the plan and yields three step events, nothing more.

Dagster's own executors write some fifty events per run and go through the log manager for each; a batch of 48 documents passes
eight stages in less time than that takes. Retries belong to the stages' policies and are off here.
"""

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

from dagster import Executor, ExecutorDefinition, InitExecutorContext

from medkg_lab.orchestration.compat import (
    DagsterEvent,
    DagsterEventType,
    ExecutionPlan,
    ExecutionStep,
    PlanOrchestrationContext,
    RetryMode,
    SerializableErrorInfo,
    StepFailureData,
    StepSuccessData,
)

EXECUTOR_NAME = "medkg_steps"


class StepExecutor(Executor):
    """Calls `run_step` with each step's key in dependency order and stops at the first that raises."""

    def __init__(self, run_step: Callable[[str], None]) -> None:
        self._run_step = run_step

    @property
    def retries(self) -> RetryMode:
        """Off: a stage's policy retries its calls."""
        return RetryMode.DISABLED

    def execute(self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan) -> Iterator[DagsterEvent]:
        """Run the plan's steps one after the other, yielding STEP_START and then STEP_SUCCESS or STEP_FAILURE for each."""
        for step in execution_plan.get_steps_to_execute_in_topo_order():
            yield _event(plan_context.job_name, step, DagsterEventType.STEP_START)
            began = time.perf_counter()
            try:
                self._run_step(step.key)
            except Exception as error:  # noqa: BLE001 - boundary to Dagster: its run must end as failed, whatever went wrong
                info = SerializableErrorInfo(str(error), [], type(error).__name__)
                failure = StepFailureData(error=info, user_failure_data=None)  # type: ignore[no-untyped-call]
                yield _event(plan_context.job_name, step, DagsterEventType.STEP_FAILURE, failure)
                return
            success = StepSuccessData((time.perf_counter() - began) * 1e3)  # type: ignore[no-untyped-call]
            yield _event(plan_context.job_name, step, DagsterEventType.STEP_SUCCESS, success)


def step_executor(run_step: Callable[[str], None]) -> ExecutorDefinition:
    """The executor definition under which a job's steps call `run_step`."""

    def create(_: InitExecutorContext) -> StepExecutor:
        return StepExecutor(run_step)

    return ExecutorDefinition(name=EXECUTOR_NAME, executor_creation_fn=create)


def _event(job_name: str, step: ExecutionStep, kind: DagsterEventType, data: Any = None) -> DagsterEvent:
    # Built directly, as DagsterEvent.step_start_event would need a context with a logger of its own and send it through that.
    return DagsterEvent(
        event_type_value=kind.value,
        job_name=job_name,
        step_handle=step.handle,
        node_handle=step.node_handle,
        step_kind_value=step.kind.value,
        logging_tags={},
        event_specific_data=data,
        message="",
        pid=os.getpid(),
    )
