"""Which artifacts are needed, and the removal of those that are not.

A job that is kept needs all that its stages ever made, what it was submitted with, and what stands behind its fields. A payload,
a list of submissions, and what a plug-in's stage made name further artifacts.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from medkg_lab.artifacts import sweep
from medkg_lab.artifacts.naming import are_named
from medkg_lab.artifacts.store import ArtifactDamaged, ArtifactMissing, ArtifactStore
from medkg_lab.lab import catching_up
from medkg_lab.lab.catching_up import LabBehind
from medkg_lab.lab.facade import Lab
from medkg_lab.ledger.named_queries import Named

FOLDER = "artifacts"
_HASH = re.compile(rb"[0-9a-f]{64}")
_NAMES_NOTHING = frozenset({"document", "chunks", "embeddings", "extraction", "index_receipt", "kg_receipt"})
"""The kinds of value that name no other artifact."""


def sweep_unneeded(lab: Lab, superseded_before: float = 0.0) -> sweep.Swept:
    """Remove the artifacts that no kept job needs.

    A job is not kept when its document was deleted, or when it ended before `superseded_before`, in seconds since the epoch, and
    a newer job of its document has completed. Raises SweepRuns and LabBehind.
    """
    root = lab.locations.data / FOLDER
    with sweep.alone(root):
        begun = sweep.begin(root)
        if not are_named(root, catching_up.WITHIN_S):
            raise LabBehind(what="a submission", lag="some documents")
        catching_up.wait_for_intake(lab)
        catching_up.wait_for_batches(lab)
        return sweep.finish(root, begun, needed(lab, superseded_before).__contains__)


def needed(lab: Lab, superseded_before: float) -> set[str]:
    """The artifacts that are needed, by sha256."""
    names: set[str] = set()
    naming: set[str] = set()
    after = ""
    while True:
        [[last, named]] = lab.ledger.rows(Named.HASHES_KEPT, [after, superseded_before], timeout_s=60).rows
        if last is None:
            break
        names.update(named)
        made = lab.ledger.rows(Named.ARTIFACTS_KEPT, [after, superseded_before], limit=100_000, timeout_s=60)
        assert not made.truncated, "a job has fewer outputs than that"
        for sha256, kind in made.rows:
            names.add(str(sha256))
            if kind not in _NAMES_NOTHING:
                naming.add(str(sha256))
        after = str(last)
    return names.union(_named_in(lab.locations.data / FOLDER, naming))


def _named_in(root: Path, values: Iterable[str]) -> Iterator[str]:
    """What these artifacts name themselves."""
    store = ArtifactStore(root)
    try:
        for sha256 in values:
            try:
                yield from (found.decode() for found in _HASH.findall(store.get(sha256)))
            except (ArtifactMissing, ArtifactDamaged):
                continue
    finally:
        store.close()
