"""Taking an older ledger's jobs into a running lab, row by row."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from medkg_lab.bridge.specs import job_spec
from medkg_lab.errors import LabError
from medkg_lab.lab.facade import Lab
from medkg_lab.ledger.legacy import LegacyEntry
from medkg_lab.models.events import ImportedJob
from medkg_lab.models.submission import Submission
from medkg_lab.topology import versions
from medkg_lab.topology.models import Topology
from medkg_lab.validation import first_flaw

AT_ONCE = 500


@dataclass(frozen=True)
class Row:
    """What became of one row (from 1): `migrated`, `skipped` (the job is here already) or `failed`, with the reason."""

    row: int
    job_id: str | None
    outcome: str
    pipeline: str | None = None
    state: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Migrated:
    """How many rows became what, and each of them."""

    migrated: int
    skipped: int
    failed: int
    rows: Sequence[Row]


def migrate(lab: Lab, path: Path, table: str | None = None) -> Migrated:
    """Import all entries of `path` that are not in the ledger yet.

    The same file again changes nothing. Raises LabNotRunning and LegacyUnreadable.
    """
    from medkg_lab.ledger.legacy_files import entries

    migration = _Migration(lab)
    rows = list(migration.migrate(entries(path, table)))
    counts = Counter(row.outcome for row in rows)
    migrated, skipped, failed = (counts[name] for name in ("migrated", "skipped", "failed"))
    return Migrated(migrated, skipped, failed, rows)


class _Migration:
    def __init__(self, lab: Lab) -> None:
        self._ledger = lab.ledger
        self._topologies = lab.catalog.topologies()
        self._registered: set[str] = set()

    def migrate(self, found: Iterable[Mapping[str, object] | str]) -> Iterator[Row]:
        """What becomes of each entry, in order; imported in groups."""
        group: list[tuple[int, LegacyEntry, ImportedJob]] = []
        for number, raw in enumerate(found, start=1):
            try:
                entry = LegacyEntry.model_validate(raw)
                group.append((number, entry, self._imported(entry)))
            except (ValidationError, LabError) as error:
                job_id = raw.get("job_id") if isinstance(raw, Mapping) else None
                reason = raw if isinstance(raw, str) else _error_text(error)
                yield Row(number, job_id if isinstance(job_id, str) else None, "failed", reason=reason)
            if len(group) >= AT_ONCE:
                yield from self._import(group)
                group = []
        yield from self._import(group)

    def _imported(self, entry: LegacyEntry) -> ImportedJob:
        topology = self._topology(entry.pipeline_name)
        submission = Submission(
            tenant_id=entry.tenant_id,
            source=entry.source,
            key=entry.document,
            pipeline=topology.name,
            correlation_id=entry.correlation_id,
        )
        now = time.time()
        spec = job_spec(submission, topology, entry.created_at or now)
        named = replace(spec, job_id=entry.job_id, correlation_id=entry.correlation_id or entry.job_id)
        return entry.imported(named, now)

    def _topology(self, name: str) -> Topology:
        topology = self._topologies.get(name)
        if topology is None:
            raise PipelineUnknown(name=name, known=", ".join(self._topologies))
        if name not in self._registered:
            self._ledger.register("topology", name, versions.version_of(topology), versions.to_json(topology))
            self._registered.add(name)
        return topology

    def _import(self, group: Sequence[tuple[int, LegacyEntry, ImportedJob]]) -> Iterator[Row]:
        if not group:
            return
        seen: set[str] = set()
        answers = {each.job_id: each for each in self._ledger.import_jobs([imported for *_, imported in group])}
        for number, entry, _ in group:
            answer = answers[entry.job_id]
            new = answer.new and entry.job_id not in seen
            seen.add(entry.job_id)
            reason = None if new else "the ledger has this job already"
            outcome = "migrated" if new else "skipped"
            yield Row(number, entry.job_id, outcome, entry.pipeline_name, answer.state, reason)


class PipelineUnknown(LabError):
    """There is no pipeline {name!r} here. Known are: {known}."""


def _error_text(error: ValidationError | LabError) -> str:
    if isinstance(error, LabError):
        return str(error)
    return first_flaw(error.errors()).text("entry")
