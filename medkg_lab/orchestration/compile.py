"""A topology as Dagster jobs: one for each part between gates."""

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from dagster import (
    DependencyDefinition,
    ExecutorDefinition,
    GraphDefinition,
    In,
    InitLoggerContext,
    JobDefinition,
    LoggerDefinition,
    MetadataValue,
    NodeInvocation,
    Nothing,
    OpDefinition,
    OpExecutionContext,
    Out,
)

from medkg_lab.orchestration.errors import RunElsewhere
from medkg_lab.orchestration.executor import step_executor
from medkg_lab.orchestration.runs import TAG_HALF, TAG_PIPELINE, TAG_VERSION
from medkg_lab.topology.graph import Phase, phases
from medkg_lab.topology.models import StageDefinition, Topology
from medkg_lab.topology.versions import to_json, version_of


def refuse_step(stage: str) -> None:
    """What a step does in a process that executes none. Raises RunElsewhere."""
    raise RunElsewhere(stage=stage)


def compile_topology(topology: Topology, run_step: Callable[[str], None] = refuse_step) -> dict[str, JobDefinition]:
    """Make the Dagster job of each half of `topology`, by the half's name, in order.

    A step's key is its stage's name; the gate that ends a half is its last step, where nothing executes. `run_step` is called
    with a step's key when a run in this process reaches it.
    """
    version = version_of(topology)
    executor = step_executor(run_step)
    parts = phases(topology)
    taken = {half.name for half in parts}
    return {half.name: _job(topology, version, half, taken, executor) for half in parts}


def _job(topology: Topology, version: str, half: Phase, taken: set[str], executor: ExecutorDefinition) -> JobDefinition:
    stages = [topology.stage(name) for name in (*half.stages, *([half.gate] if half.gate else []))]
    inside = {stage.name for stage in stages}
    base = topology.name.replace("-", "_")
    names = {stage.name: _op_name(base, stage.name, taken) for stage in stages}
    needs = {stage.name: [other for other in stage.depends_on if other in inside] for stage in stages}
    graph = GraphDefinition(
        name=half.name,
        description=topology.description or None,
        node_defs=[_op(names[stage.name], stage, needs[stage.name]) for stage in stages],
        dependencies={
            NodeInvocation(names[name], alias=name): {other: DependencyDefinition(other) for other in others}
            for name, others in needs.items()
        },
    )
    return graph.to_job(
        executor_def=executor,
        tags={TAG_PIPELINE: topology.name, TAG_VERSION: version, TAG_HALF: str(half.index)},
        metadata={"topology": MetadataValue.json(json.loads(to_json(topology)))},
        logger_defs={"quiet": LoggerDefinition(_quiet_logger)},
        config={"loggers": {"quiet": {}}},
    )


def _op_name(base: str, stage: str, taken: Iterable[str]) -> str:
    # Graphs and ops share one namespace per repository: a stage called `post` would meet the half of that name.
    name = f"{base}__{stage}"
    return f"{name}_stage" if name in taken else name


def _op(name: str, stage: StageDefinition, needs: Iterable[str]) -> OpDefinition:
    def compute(context: OpExecutionContext, inputs: Mapping[str, object]) -> Iterator[Any]:
        raise RunElsewhere(stage=stage.name)

    return OpDefinition(
        compute_fn=compute,
        name=name,
        ins={other: In(Nothing) for other in needs},
        outs={"result": Out(Nothing)},
        description=_describe(stage),
        tags={"medkg/type": stage.type.value, "medkg/policy": stage.policy},
    )


def _describe(stage: StageDefinition) -> str:
    if stage.is_gate and stage.condition is not None:
        return f"Gate: waits until {stage.condition.ledger_field} is {stage.condition.equals}"
    chosen = f", implementation {stage.implementation}" if stage.implementation else ""
    return f"{stage.type.value}, policy {stage.policy}{chosen}"


def _quiet_logger(_: InitLoggerContext) -> logging.Logger:
    """A logger that drops everything: what happens in a run stands in the ledger, and the console would only say it again."""
    logger = logging.Logger("medkg_lab.dagster_run", level=logging.CRITICAL + 1)
    logger.addHandler(logging.NullHandler())
    return logger
