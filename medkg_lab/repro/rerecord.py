"""Making a redacted archive whole again: where a pseudonym changed what a stage makes of a text, that is recorded anew.

A pseudonym has the length of what it stands for, but a model may read it as more tokens, and a passage then ends a sentence
earlier. Such a step is recorded anew only where the archive ran as recorded before redaction: no evidence is lost.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace

import orjson

from medkg_lab.artifacts.store import ArtifactStore
from medkg_lab.locations import locate
from medkg_lab.models.event_codec import from_line, to_json
from medkg_lab.models.events import Event, StageCompleted
from medkg_lab.repro import manifest as names
from medkg_lab.repro.archive import Archive
from medkg_lab.repro.manifest import Manifest, entries, lines
from medkg_lab.repro.overrides import ReplayOverrides
from medkg_lab.repro.runs import Step
from medkg_lab.repro.workbench import Workbench

Key = tuple[str, str]
"""Job and stage."""


@dataclass(frozen=True)
class _Ran:
    """The steps that ran otherwise than recorded, with the bytes that they gave."""

    steps: dict[Key, Step]
    values: dict[str, bytes]


def rerecord(before: Archive, redacted: Archive) -> Archive:
    """The redacted archive with those steps recorded anew that only redaction made different."""
    changed = _run(redacted)
    if not changed.steps:
        return redacted
    own = _run(before).steps
    anew = {key: step for key, step in changed.steps.items() if key not in own and step.ref}
    return _with(redacted, anew, changed.values)


def _run(archive: Archive) -> _Ran:
    with tempfile.TemporaryDirectory(prefix="medkg-settle-") as home:
        bench = Workbench.of(archive, locate(home))
        run = bench.run(ReplayOverrides())
        differing = {(one.job, one.stage) for one in bench.compare(run.id).divergences}
        steps = {(step.job, step.stage): step for step in run.steps if (step.job, step.stage) in differing}
        store = ArtifactStore(bench.incident.locations.data / "artifacts")
        values = {step.ref: store.get(step.ref) for step in steps.values() if step.ref}
        store.close()
    return _Ran(steps, values)


def _with(archive: Archive, anew: Mapping[Key, Step], values: Mapping[str, bytes]) -> Archive:
    members = dict(archive.members)
    events = map(from_line, members[names.EVENTS].splitlines())
    members[names.EVENTS] = lines([to_json(_anew(event, anew)) for event in events])
    members |= {f"{names.ARTIFACTS}{step.ref}": values[step.ref] for step in anew.values() if step.ref}
    report = orjson.loads(members[names.REDACTION])
    report["recorded_anew"] = sorted(f"{stage} of {job}" for job, stage in anew)
    members[names.REDACTION] = orjson.dumps(report, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)
    members = dict(sorted(members.items()))
    manifest = Manifest.model_validate({**vars(archive.manifest), "files": entries(members)})
    return Archive(manifest, members)


def _anew(event: Event, anew: Mapping[Key, Step]) -> Event:
    data = event.data
    if not isinstance(data, StageCompleted):
        return event
    steps = {output.job_id: anew.get((output.job_id, data.stage)) for output in data.entries}
    own = {job: step for job, step in steps.items() if step is not None and step.batch == data.batch}
    entries = tuple(
        output._replace(ref=step.ref, items=step.count) if (step := own.get(output.job_id)) else output
        for output in data.entries
    )
    return replace(event, data=replace(data, entries=entries))
