"""All that speaks for or against opening a gate: its evidence, the document behind it, what would run, who touched it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from medkg_lab.errors import LabError
from medkg_lab.lab import artifacts
from medkg_lab.lab.facade import Lab
from medkg_lab.lab.job_queries import SECONDS
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.models.events import Event

MOST_BYTES = 64_000_000
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

    gate: Mapping[str, Any]
    job: Mapping[str, Any]
    file_size: int | None = None
    text: Text | None = None
    damage: str = ""
    stage_ms: Mapping[str, float] = field(default_factory=dict)
    touches: Sequence[Event] = ()


def evidence(lab: Lab, job_id: str) -> Evidence | None:
    """Look at the gate of a job; None when it has come to none."""
    job = lab.ledger.get(job_id)
    gate = job.get("gate") if job is not None else None
    if job is None or not gate:
        return None
    found = gate.get("evidence") or {}
    text, damage = _text(lab, found.get("document"))
    events = lab.ledger.events(0, EVENTS, job_id=job_id).events
    touches = [event for event in events if event.type.startswith(("gate.", "field."))]
    content = (job.get("submission") or {}).get("content") or {}
    source = found.get("source") or content.get("sha256")
    times = stage_times(lab.ledger, gate.get("stages") or ())
    return Evidence(gate, job, _size(lab, source), text, damage, times, touches)


def _size(lab: Lab, sha256: str | None) -> int | None:
    try:
        return artifacts.look(lab, sha256, 1).size if sha256 else None
    except LabError:
        return None


def _text(lab: Lab, sha256: str | None) -> tuple[Text | None, str]:
    """The document behind a gate; or what is wrong with it."""
    if not sha256:
        return None, ""
    try:
        seen = artifacts.look(lab, sha256, MOST_BYTES)
        document = orjson.loads(seen.text)
        blocks = document["blocks"]
        per_page: dict[int, int] = {}
        for block in blocks:
            page = int(block["place"].get("page") or 0)
            per_page[page] = per_page.get(page, 0) + 1
        tables = sum(block["kind"] == "table" for block in blocks)
        return Text(document["title"], document["schema_version"], len(blocks), tables, per_page), ""
    except LabError as error:
        return None, str(error)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None, "it is not the document that it should be"


def stage_times(ledger: LedgerClient, stages: Sequence[str]) -> dict[str, float]:
    """The mean ms that each of these stages took for the last documents."""
    if not stages:
        return {}
    marks = ", ".join("?" for _ in stages)
    sql = (
        f"SELECT stage, avg(ms) FROM (SELECT stage, ms FROM stage_run WHERE status = 'completed' AND stage IN ({marks}) "
        f"ORDER BY t1 DESC LIMIT {RECENT_RUNS * len(stages)}) GROUP BY stage"
    )
    return {stage: float(ms or 0) for stage, ms in ledger.rows(sql, list(stages), timeout_s=SECONDS).rows}


def decided(ledger: LedgerClient, most: int) -> list[dict[str, Any]]:
    """The gates that were decided last, the newest first."""
    names = ("job_id", "doc_id", "gate", "state", "waiting_since", "opened_at", "opened_by", "how", "why", "partial")
    sql = (
        f"SELECT {', '.join(names)} FROM gate WHERE state != 'waiting' "
        f"ORDER BY coalesce(opened_at, waiting_since) DESC LIMIT {int(most)}"
    )
    return [dict(zip(names, row, strict=True)) for row in ledger.rows(sql, limit=max(1, most), timeout_s=SECONDS).rows]


def opened_since(ledger: LedgerClient, moment: float) -> dict[str, int]:
    """How many gates were opened since `moment` (seconds since the epoch): {manual or condition: gates}."""
    sql = "SELECT how, count(*) FROM gate WHERE opened_at >= ? AND state IN ('open', 'released') GROUP BY how"
    return {str(how): int(count) for how, count in ledger.rows(sql, [moment], timeout_s=SECONDS).rows}
