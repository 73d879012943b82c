"""A job, batch or release as JSON text and back: how a view remembers what the ledger keeps in memory."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
import orjson

from medkg_lab.ledger.state import Batch, Circuit, Definition, Job, Release, StageRun, State, values_of
from medkg_lab.models.event_codec import evidence_to_json, spec_to_json

T = TypeVar("T")


def job_record(job: Job) -> str:
    """All of a job but its stage runs."""
    evidence = {field: evidence_to_json(each) for field, each in job.evidence.items()}
    return orjson.dumps({**values_of(job), "spec": spec_to_json(job.spec), "evidence": evidence, "stages": ()}).decode()


def job_from(record: str, stages: Iterable[StageRun]) -> Job:
    """The job of a record, with its stage runs in order."""
    values = orjson.loads(record)
    spec = values.pop("spec")
    submission = orjson.dumps(spec["submission"])
    return msgspec.convert(
        {**values, "spec": {**spec, "submission": submission}, "stages": list(stages)}, Job, from_attributes=True
    )


def batches_record(batches: Mapping[str, Batch]) -> str:
    """All batches."""
    return orjson.dumps(list(batches.values())).decode()


def batches_from(record: str) -> dict[str, Batch]:
    """The batches of a record."""
    return {batch.id: batch for batch in _list(record, Batch)}


def releases_record(releases: Mapping[str, Release]) -> str:
    """All releases."""
    return orjson.dumps(list(releases.values())).decode()


def releases_from(record: str) -> dict[str, Release]:
    """The releases of a record."""
    return {release.id: release for release in _list(record, Release)}


def breakers_record(breakers: Mapping[tuple[str, str], Circuit]) -> str:
    """All circuit breakers."""
    return orjson.dumps(list(breakers.values())).decode()


def breakers_from(record: str) -> dict[tuple[str, str], Circuit]:
    """The circuit breakers of a record."""
    return {(circuit.policy, circuit.key): circuit for circuit in _list(record, Circuit)}


def own_failures_record(waiting: Mapping[str, float]) -> str:
    """The jobs that the lab runs again by itself."""
    return orjson.dumps(waiting).decode()


def own_failures_from(record: str) -> dict[str, float]:
    """The jobs of a record that the lab runs again by itself."""
    values: dict[str, float] = orjson.loads(record)
    return values


def state_from(seq: int, definitions: Iterable[Sequence[Any]], memory: Mapping[str, str], jobs: Iterable[Job]) -> State:
    """The state at event `seq`: from the rows of table definition, the records of table memory, and the unfinished jobs."""
    state = State(seq=seq)
    for row in definitions:
        kind, name, version, *rest = row
        state.definitions[kind, name, version] = Definition(kind, name, version, *rest)
    state.batches = batches_from(memory.get("batches", "[]"))
    state.releases = releases_from(memory.get("releases", "[]"))
    state.breakers = breakers_from(memory.get("breakers", "[]"))
    state.own_failures = own_failures_from(memory.get("own_failures", "{}"))
    for job in sorted(jobs, key=lambda job: job.ticket):
        state.adopt(job)
    return state


def _list(record: str, kind: type[T]) -> list[T]:
    return msgspec.json.decode(record, type=list[kind])  # type: ignore[valid-type]
