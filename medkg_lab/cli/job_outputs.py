"""What a stage made of a job's document, as people read it: chunks and blocks with their places, everything else as JSON."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, ClassVar

from medkg_lab import exit_codes
from medkg_lab.cli.output import print_json, print_table, print_text
from medkg_lab.errors import LabError

if TYPE_CHECKING:
    from medkg_lab.lab.facade import Lab
    from medkg_lab.ledger.answers import JobDetail
    from medkg_lab.models.documents import Document
    from medkg_lab.stages.chunk.provenance import SpanPlace, TracedChunk


CONVERTED = "pdf"
"""The name under which the text of a PDF is shown."""


class NoSuchOutput(LabError):
    """The job {job_id} has no output of a stage {stage!r}: {detail}. `medkg-lab jobs show` lists what its stages made."""

    exit_code: ClassVar[int] = exit_codes.FAILED


def show_output(lab: "Lab", job: "JobDetail", stage: str, chunk: str | None, as_json: bool) -> None:
    """Print what `stage` made; `chunk` names one chunk by id or number. Raises NoSuchOutput."""
    from medkg_lab.artifacts.store import ArtifactStore
    from medkg_lab.stages.chunk.provenance import places
    from medkg_lab.stages.kinds import DOCUMENT, KINDS

    kind, name = output_of(job, stage)
    store = ArtifactStore(lab.locations.data / "artifacts")
    try:
        data = store.get(name)
        if kind == "chunks":
            document = DOCUMENT.decode(store.get(_needed(job, "document")))
            _show_chunks(_chosen(places(document, KINDS[kind].decode(data)), chunk, job, stage), as_json)
        elif kind == "document" and not as_json:
            _show_blocks(KINDS[kind].decode(data))
        else:
            # Vectors are a line of JSON that says what they are, then their numbers; every other kind is JSON alone.
            print_json(json.loads(data.partition(b"\n")[0] if kind == "embeddings" else data))
    finally:
        store.close()


def output_of(job: "JobDetail", stage: str) -> tuple[str, str]:
    """Kind and sha256 of what the newest execution of `stage` made. Raises NoSuchOutput.

    The text of a PDF is made before its gate by no stage: `pdf`, or the name of the gate, stands for it.
    """
    if (converted := converted_document(job)) and job.gate is not None and stage in (CONVERTED, job.gate.gate):
        return "document", converted
    made = [one for one in job.stages if one.stage == stage and one.ref]
    if not made:
        detail = "no stage of that name ran" if all(one.stage != stage for one in job.stages) else "it made none"
        raise NoSuchOutput(job_id=job.job_id, stage=stage, detail=detail)
    name = str(made[-1].ref)
    kind = next((kind for kind, sha256 in job.outputs.items() if sha256 == name), None)
    if kind is None:
        raise NoSuchOutput(job_id=job.job_id, stage=stage, detail="a later stage or execution made a newer one")
    return kind, name


def converted_document(job: "JobDetail") -> str | None:
    """The sha256 of the document that a PDF was converted to for the job's gate."""
    return job.gate.evidence.document if job.gate is not None else None


def show_document(lab: "Lab", sha256: str) -> None:
    """Print a document's title, its warnings and its blocks."""
    from medkg_lab.stages.kinds import DOCUMENT

    _show_blocks(DOCUMENT.decode(_artifact(lab, sha256)))


def _artifact(lab: "Lab", sha256: str) -> bytes:
    from medkg_lab.artifacts.store import ArtifactStore

    store = ArtifactStore(lab.locations.data / "artifacts")
    try:
        return store.get(sha256)
    finally:
        store.close()


def _needed(job: "JobDetail", kind: str) -> str:
    if kind not in job.outputs:
        raise NoSuchOutput(job_id=job.job_id, stage="parse", detail=f"it kept no {kind}")
    return job.outputs[kind]


def _chosen(found: "list[TracedChunk]", chunk: str | None, job: "JobDetail", stage: str) -> "list[TracedChunk]":
    if chunk is None:
        return found
    chosen = [one for one in found if chunk in (one.chunk_id, one.chunk_id.rpartition("#")[2])]
    if not chosen:
        raise NoSuchOutput(job_id=job.job_id, stage=stage, detail=f"its {len(found)} chunks have none called {chunk!r}")
    return chosen


def _show_chunks(found: "list[TracedChunk]", as_json: bool) -> None:
    if as_json:
        print_json(list(map(asdict, found)))
        return
    for one in found:
        section = " > ".join(one.section) or "no section"
        print_text(f"{one.chunk_id}  ({one.kind}, {section})")
        print_table(("place", "page", "box", "characters", "text"), (_place(place) for place in one.places))
        print_text("")


def _place(place: "SpanPlace") -> tuple[object, ...]:
    box = " ".join(f"{edge:.3f}" for edge in place.bbox) if place.bbox else ""
    return place.element, place.page, box, f"{place.start}-{place.end}", place.text


def _show_blocks(document: "Document") -> None:
    print_text(f"{document.title}\n")
    for warning in document.warnings:
        print_text(f"warning: {warning}")
    rows = ((n, b.kind.value, b.place.element, b.place.page, b.text) for n, b in enumerate(document.blocks))
    print_table(("block", "kind", "place", "page", "text"), rows)
