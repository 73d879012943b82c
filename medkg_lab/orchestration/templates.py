"""What the recorder writes into Dagster's tables, as texts with gaps.

Each text is made once per job by Dagster's own serialiser from a run or event full of placeholders; filling the gaps costs
microseconds where building and serialising the object costs a millisecond. A gap is filled in one pass, so nothing that a
document says of itself can reach another gap.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, JobDefinition

from medkg_lab.orchestration.compat import (
    DagsterEvent,
    DagsterEventType,
    EventLogEntry,
    JobCanceledData,
    JobFailureData,
    NodeHandle,
    RunFailureReason,
    SerializableErrorInfo,
    StepFailureData,
    StepHandle,
    StepSuccessData,
    create_execution_plan,
    serialize_value,
    snapshot_from_execution_plan,
)
from medkg_lab.orchestration.compile import compile_topology
from medkg_lab.orchestration.runs import (
    LAB,
    TAG_BATCH,
    TAG_DOC,
    TAG_EXECUTION,
    TAG_JOB,
    TAG_LAUNCHED_BY,
    TAG_TENANT,
)
from medkg_lab.orchestration.workspace import job_origin
from medkg_lab.topology.graph import phases
from medkg_lab.topology.models import Topology

GAPS = ("run", "message", "error", "job", "doc", "tenant", "batch", "execution")
_TIME, _MILLISECONDS = 1234567890.25, 98765.4375
_NUMBERS = {repr(_TIME): "time", repr(_MILLISECONDS): "ms"}
_GAP = re.compile("|".join([*(f"@@{name}@@" for name in GAPS), *map(re.escape, _NUMBERS)]))

STATUS_NAMES = {status.value: serialize_value(status) for status in DagsterRunStatus}
"""How each run status stands in a stored run, by its value."""


class Template:
    """A JSON text with gaps."""

    def __init__(self, text: str) -> None:
        self._parts = _GAP.split(text)
        self._gaps = [_NUMBERS.get(found, found.strip("@")) for found in _GAP.findall(text)]

    def fill(self, values: Mapping[str, object]) -> str:
        """The text with each gap filled: strings JSON-escaped, numbers as they print."""
        filled = [self._parts[0]]
        for name, part in zip(self._gaps, self._parts[1:], strict=True):
            value = values[name]
            filled += (json.dumps(value)[1:-1] if isinstance(value, str) else repr(value), part)
        return "".join(filled)


@dataclass(frozen=True)
class RunTemplate:
    """The stored form of a run that has just started; in `tags`, the rows of the tag table, a gap's mark stands for its value."""

    job_name: str
    snapshot_id: str
    body: Template
    tags: Mapping[str, str]

    def tag_rows(self, values: Mapping[str, object]) -> dict[str, str]:
        """The tags of a run with these values."""
        return {
            name: str(values[text.strip("@")]) if _GAP.fullmatch(text) else text for name, text in self.tags.items()
        }


@dataclass(frozen=True)
class PhaseTemplates:
    """Everything that is written about one half of a pipeline version; `events` by (event type, step key or "")."""

    name: str
    steps: tuple[str, ...]
    gate: str | None
    visible: RunTemplate
    events: Mapping[tuple[str, str], Template]
    lines: Mapping[str, Template]
    """A plain line of the log, by the step that it is about."""


def build(instance: DagsterInstance, topology: Topology) -> tuple[PhaseTemplates, ...]:
    """Make the templates of each half of `topology` and keep its snapshots in the instance's run storage."""
    jobs = compile_topology(topology)
    return tuple(_phase_templates(instance, jobs[half.name], half.gate) for half in phases(topology))


def _phase_templates(instance: DagsterInstance, job: JobDefinition, gate: str | None) -> PhaseTemplates:
    plan = create_execution_plan(job)
    steps = tuple(step.key for step in plan.get_all_steps_in_topo_order())
    snapshot = instance.run_storage.add_job_snapshot(job.get_job_snapshot())
    plan_snapshot = instance.run_storage.add_execution_plan_snapshot(snapshot_from_execution_plan(plan, snapshot))
    visible = {TAG_JOB: "@@job@@", TAG_DOC: "@@doc@@", TAG_TENANT: "@@tenant@@", TAG_EXECUTION: "@@execution@@"}
    visible |= {TAG_BATCH: "@@batch@@", TAG_LAUNCHED_BY: LAB}

    def run(tags: Mapping[str, str]) -> RunTemplate:
        made = DagsterRun(
            job_name=job.name,
            run_id="@@run@@",
            status=DagsterRunStatus.STARTED,
            tags={**job.run_tags, **tags},
            job_snapshot_id=snapshot,
            execution_plan_snapshot_id=plan_snapshot,
            remote_job_origin=job_origin(job.name),
        )
        return RunTemplate(job.name, snapshot, Template(serialize_value(made)), made.tags_for_storage())

    return PhaseTemplates(
        name=job.name,
        steps=steps,
        gate=gate,
        visible=run(visible),
        events=_events(job.name, steps),
        lines={step: Template(_entry(job.name, step, None)) for step in steps},
    )


def _events(job: str, steps: tuple[str, ...]) -> dict[tuple[str, str], Template]:
    kinds = DagsterEventType
    error = SerializableErrorInfo("@@message@@", [], "@@error@@")
    of_run: dict[DagsterEventType, Any] = {
        kinds.PIPELINE_START: None,
        kinds.PIPELINE_SUCCESS: None,
        kinds.PIPELINE_FAILURE: JobFailureData(error=error, failure_reason=RunFailureReason.STEP_FAILURE),
        kinds.PIPELINE_CANCELED: JobCanceledData(error=None),
    }
    of_step: dict[DagsterEventType, Any] = {
        kinds.STEP_START: None,
        kinds.STEP_SUCCESS: StepSuccessData(_MILLISECONDS),  # type: ignore[no-untyped-call]
        kinds.STEP_FAILURE: StepFailureData(error=error, user_failure_data=None),  # type: ignore[no-untyped-call]
        kinds.STEP_SKIPPED: None,
    }
    made = {(kind.value, ""): Template(_entry(job, None, (kind, data))) for kind, data in of_run.items()}
    for step in steps:
        for kind, data in of_step.items():
            made[kind.value, step] = Template(_entry(job, step, (kind, data)))
    return made


def _entry(job: str, step: str | None, event: tuple[DagsterEventType, Any] | None) -> str:
    dagster_event = None
    if event is not None:
        dagster_event = DagsterEvent(
            event_type_value=event[0].value,
            job_name=job,
            step_handle=StepHandle(NodeHandle(step, None)) if step else None,
            node_handle=NodeHandle(step, None) if step else None,
            step_kind_value="COMPUTE" if step else None,
            event_specific_data=event[1],
            message="@@message@@",
            logging_tags={},
            pid=os.getpid(),
        )
    return serialize_value(
        EventLogEntry(  # type: ignore[no-untyped-call]
            error_info=None,
            level=20,
            user_message="" if event else "@@message@@",
            run_id="@@run@@",
            timestamp=_TIME,
            step_key=step,
            job_name=job,
            dagster_event=dagster_event,
        )
    )
