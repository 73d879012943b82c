"""Ledger events as rows of the stream: one per document and transition, made safe and cut where it is decoded. Pure."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from medkg_lab.text import one_line
from medkg_lab.tui import glyphs
from medkg_lab.tui.glyphs import State

NOTE_LENGTH = 240
JOBS_REMEMBERED = 20_000
"""So many jobs' documents are remembered; the ledger is asked for those of older ones."""

SUBMITTED = State("○", "submitted", "muted", "o")
RETRIED = State("○", "retried", "text", "o")
GATE_FAILED = State("✗", "gate failed", "bad", "x")
FIELD_SET = State("✓", "field set", "muted", "v")
REGISTERED = State("✓", "new version", "accent", "v")
HALF_OPEN = State("◐", "half-open", "warn", "~")
TRIPPED = State("▲", "breaker open", "warn", "!")
CLOSED = State("●", "breaker ok", "ok", "*")
GONE = State("▲", "ledger gone", "warn", "!")
BACK = State("●", "ledger back", "ok", "*")

STATES: Mapping[str, State] = {
    "definition.registered": REGISTERED,
    "job.submitted": SUBMITTED,
    "batch.expired": glyphs.LOST,
    "stage.started": glyphs.STARTED,
    "stage.completed": glyphs.COMPLETED,
    "stage.skipped": glyphs.SKIPPED,
    "stage.retrying": glyphs.RETRYING,
    "stage.failed": glyphs.FAILED,
    "gate.waiting": glyphs.AT_GATE,
    "gate.opened": glyphs.OPEN,
    "gate.rejected": glyphs.REJECTED,
    "gate.failed": GATE_FAILED,
    "gate.released": glyphs.RELEASED,
    "job.completed": glyphs.DONE,
    "job.failed": glyphs.FAILED,
    "job.dead": glyphs.DEAD,
    "job.cancelled": glyphs.CANCELLED,
    "job.requeued": RETRIED,
    "field.set": FIELD_SET,
    "breaker.opened": TRIPPED,
    "breaker.half_open": HALF_OPEN,
    "breaker.closed": CLOSED,
}
"""How each type is shown; claims, launches and advances are bookkeeping between stages and have no row."""
LOUD = frozenset({"stage.failed", "job.failed", "job.dead", "gate.failed", "batch.expired", "breaker.opened"})
"""The types that `[` and `]` stop at."""


class EventRow(NamedTuple):
    """A line of the stream. `seq` is the ledger's number (0 for the screen's own remarks), `ts` seconds since the epoch."""

    seq: int
    ts: float
    type: str
    stage: str = ""
    document: str = ""
    job: str = ""
    attempt: int = 0
    ms: float | None = None
    note: str = ""

    @property
    def state(self) -> State:
        """Its glyph and word."""
        return STATES.get(self.type) or (GONE if self.type == "ledger.gone" else BACK)


class Decoder:
    """Makes rows of events, and remembers which document each job is about: only some events say so."""

    def __init__(self) -> None:
        self._documents: OrderedDict[str, str] = OrderedDict()

    def rows(self, events: Sequence[Mapping[str, Any]]) -> list[EventRow]:
        """The rows of these events, in order."""
        return [row for event in events for row in self._of(event)]

    def learn(self, documents: Mapping[str, str]) -> None:
        """Remember which documents these jobs are about."""
        self._remember(list(documents), list(documents.values()))

    def document(self, job_id: str) -> str:
        """The document of a job, as far as an event has told it."""
        return self._documents.get(job_id, "")

    def _of(self, event: Mapping[str, Any]) -> Iterator[EventRow]:
        kind, jobs, data = event["type"], event["jobs"], event["data"]
        if kind == "job.submitted":
            self._remember(jobs, [spec["doc_id"] for spec in data["specs"]])
        elif kind == "job.claimed":
            self._remember(jobs, data.get("docs") or ())
        if kind not in STATES:
            return
        seq, stage = int(event["seq"]), one_line(event.get("stage") or "", 64)
        ts, note = float(data.get("t1") or data.get("t0") or event["ts"]), _note(kind, data)
        ms, counts = _each(data, "ms", len(jobs)), _each(data, "counts", len(jobs))
        whole = (data["t1"] - data["t0"]) * 1000 if kind == "stage.failed" else None
        attempt = int(data.get("attempt") or 0)
        for place, job in enumerate(jobs):
            said = f"{counts[place]} made" if counts[place] is not None else note
            took = whole if ms[place] is None else ms[place]
            yield EventRow(seq, ts, kind, stage, self.document(job), one_line(job, 64), attempt, took, said)
        if not jobs:
            yield EventRow(seq, ts, kind, stage, note=note)

    def _remember(self, jobs: Sequence[str], documents: Sequence[str]) -> None:
        for job, document in zip(jobs, documents, strict=False):
            self._documents[job] = one_line(document, 120)
            self._documents.move_to_end(job)
        while len(self._documents) > JOBS_REMEMBERED:
            self._documents.popitem(last=False)


def _each(data: Mapping[str, Any], key: str, number: int) -> Sequence[Any]:
    """One value per job, or as many times None."""
    values = data.get(key)
    return values if isinstance(values, list) and len(values) == number else [None] * number


def _note(kind: str, data: Mapping[str, Any]) -> str:
    """What happened beyond stage and state, in a few words."""
    match kind:
        case "stage.failed" | "job.failed" | "gate.failed":
            text = f"{data['kind']}: {data['reason']}"
        case "stage.retrying":
            text = f"{data['reason']}, again in {data['delay_s']:.1f} s"
        case "stage.skipped" | "job.dead":
            text = str(data.get("reason") or "")
        case "batch.expired":
            text = f"{data.get('worker')} lost it ({data.get('reason')}); queued again"
        case "gate.waiting":
            text = f"waits for {data['condition']['ledger_field']}"
        case "gate.opened":
            text = f"{data['how']} by {data['by']}{': ' + data['why'] if data.get('why') else ''}"
        case "gate.rejected" | "job.cancelled":
            text = f"by {data.get('by')}: {data.get('why')}"
        case "job.requeued":
            text = f"by {data.get('by')} from {data.get('from_stage') or 'the first open stage'}"
        case "job.completed":
            text = "unchanged" if data.get("unchanged") else ""
        case "field.set":
            text = f"{data['field']} = {data['value']} by {data['by']}"
        case "definition.registered":
            text = f"{data['kind']} {data['name']} {data['version']}"
        case "breaker.opened" | "breaker.half_open" | "breaker.closed":
            text = f"{data.get('policy')} {data.get('key')}"
        case _:
            text = ""
    return one_line(text, NOTE_LENGTH) if text else ""
