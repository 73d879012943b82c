"""All that speaks for or against opening a gate: its evidence, the document behind it, what would run, who touched it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from medkg_lab.errors import LabError
from medkg_lab.lab import artifacts
from medkg_lab.lab.facade import Lab
from medkg_lab.lab.job_queries import TIMEOUT_S
from medkg_lab.ledger.answers import JobDetail, JobGate, read
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.ledger.named_queries import GATE_COLUMNS, Named
from medkg_lab.ledger.state import GateState
from medkg_lab.models.events import Event

MAX_BYTES = 64_000_000
RECENT_RUNS = 200
EVENTS = 200


@dataclass(frozen=True)
class Text:
    """What was read from the file: the title, its schema, how many blocks and tables, and the blocks of each page."""

    title: str
    schema: str
    blocks: int
    tables: int
    per_page: Mapping[int, int]


@dataclass(frozen=True)
class Evidence:
    """A gate with what stands behind it; sizes in bytes, times of stages in ms by the last documents."""

    gate: JobGate
    job: JobDetail
    file_size: int | None = None
    text: Text | None = None
    damage: str = ""
    stage_ms: Mapping[str, float] = field(default_factory=dict)
    touches: Sequence[Event] = ()


def evidence(lab: Lab, job_id: str) -> Evidence | None:
    """Look at the gate of a job; None when it has come to none."""
    job = lab.ledger.get(job_id)
    gate = job.gate if job is not None else None
    if job is None or gate is None:
        return None
    text, damage = _text(lab, gate.evidence.document)
    events = lab.ledger.events(0, EVENTS, job_id=job_id).events
    touches = [event for event in events if event.type.startswith(("gate.", "field."))]
    content = job.submitted_content
    source = gate.evidence.source or (content.sha256 if content is not None else None)
    times = stage_times(lab.ledger, gate.stages)
    return Evidence(gate, job, _size(lab, source), text, damage, times, touches)


def _size(lab: Lab, sha256: str | None) -> int | None:
    try:
        return artifacts.preview(lab, sha256, 1).size if sha256 else None
    except LabError:
        return None


class _Place(msgspec.Struct):
    page: int | None = None


class _Block(msgspec.Struct):
    kind: str
    place: _Place


class _Document(msgspec.Struct):
    title: str
    schema_version: str
    blocks: list[_Block]


def _text(lab: Lab, sha256: str | None) -> tuple[Text | None, str]:
    """The document behind a gate; or what is wrong with it."""
    if not sha256:
        return None, ""
    try:
        seen = artifacts.preview(lab, sha256, MAX_BYTES)
        document = msgspec.json.decode(seen.text, type=_Document)
        per_page = dict(Counter(block.place.page or 0 for block in document.blocks))
        tables = sum(block.kind == "table" for block in document.blocks)
        return Text(document.title, document.schema_version, len(document.blocks), tables, per_page), ""
    except LabError as error:
        return None, str(error)
    except msgspec.DecodeError:
        return None, "it is not the document that it should be"


def stage_times(ledger: LedgerClient, stages: Sequence[str]) -> dict[str, float]:
    """The mean ms that each of these stages took for the last documents."""
    if not stages:
        return {}
    asked = [list(stages), RECENT_RUNS * len(stages)]
    return {stage: float(ms or 0) for stage, ms in ledger.rows(Named.STAGE_TIMES, asked, timeout_s=TIMEOUT_S).rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A gate that was decided: by whom, when (seconds since the epoch), why, and whether with pages missing."""

    job_id: str
    doc_id: str
    gate: str
    state: GateState
    waiting_since: float
    opened_at: float | None
    opened_by: str | None
    how: str | None
    why: str | None
    partial: bool


def decided(ledger: LedgerClient, most: int) -> list[Decided]:
    """The gates that were decided last, the newest first."""
    rows = ledger.rows(Named.DECIDED_GATES, [most], limit=max(1, most), timeout_s=TIMEOUT_S).rows
    return read([dict(zip(GATE_COLUMNS, row, strict=True)) for row in rows], list[Decided])


def opened_since(ledger: LedgerClient, moment: float) -> dict[str, int]:
    """How many gates were opened since `moment` (seconds since the epoch): {manual or condition: gates}."""
    return {str(how): int(count) for how, count in ledger.rows(Named.GATES_OPENED, [moment], timeout_s=TIMEOUT_S).rows}
