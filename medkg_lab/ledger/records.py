"""A job, batch or release as JSON text and back: how a view remembers what the ledger keeps in memory."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from medkg_lab.ledger.spec import JobSpec
from medkg_lab.ledger.state import (
    Batch,
    Circuit,
    CircuitState,
    Gate,
    GateState,
    Job,
    JobState,
    Release,
    StageRun,
    values_of,
)


def job_record(job: Job) -> str:
    """All of a job but its stage runs."""
    values = {name: value for name, value in values_of(job).items() if name != "stages"}
    return orjson.dumps({**values, "spec": job.spec.to_json()}).decode()


def job_from(record: str, stages: Iterable[StageRun]) -> Job:
    """The job of a record, with its stage runs in order."""
    values = orjson.loads(record)
    values["spec"] = JobSpec.parse(values["spec"])
    values["state"] = JobState(values["state"])
    values["done"] = {stage: (kind, ref) for stage, (kind, ref) in values["done"].items()}
    values["gates"] = [Gate(**{**gate, "state": GateState(gate["state"])}) for gate in values["gates"]]
    return Job(**values, stages=list(stages))


def batches_record(batches: Mapping[str, Batch]) -> str:
    """All batches."""
    return orjson.dumps(list(batches.values())).decode()


def batches_from(record: str) -> dict[str, Batch]:
    """The batches of a record."""
    made = [Batch(**{**values, "stages": tuple(values["stages"])}) for values in _list(record)]
    return {batch.id: batch for batch in made}


def releases_record(releases: Mapping[str, Release]) -> str:
    """All releases."""
    return orjson.dumps(list(releases.values())).decode()


def releases_from(record: str) -> dict[str, Release]:
    """The releases of a record."""
    made = [Release(**values) for values in _list(record)]
    return {release.id: release for release in made}


def breakers_record(breakers: Mapping[tuple[str, str], Circuit]) -> str:
    """All circuit breakers."""
    return orjson.dumps(list(breakers.values())).decode()


def breakers_from(record: str) -> dict[tuple[str, str], Circuit]:
    """The circuit breakers of a record."""
    made = [Circuit(**{**values, "state": CircuitState(values["state"])}) for values in _list(record)]
    return {(circuit.policy, circuit.key): circuit for circuit in made}


def own_failures_record(waiting: Mapping[str, float]) -> str:
    """The jobs that the lab runs again by itself."""
    return orjson.dumps(waiting).decode()


def own_failures_from(record: str) -> dict[str, float]:
    """The jobs of a record that the lab runs again by itself."""
    values: dict[str, float] = orjson.loads(record)
    return values


def _list(record: str) -> list[dict[str, Any]]:
    values: list[dict[str, Any]] = orjson.loads(record)
    return values
