"""What the Jobs mode shows, as rows and lines: pure functions of jobs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from medkg_lab.lab.job_queries import ListedJob, began_at
from medkg_lab.ledger import answers
from medkg_lab.ledger.state import FINISHED, JobState, StageRun
from medkg_lab.models.events import ACKNOWLEDGED, NO_EVIDENCE, Event
from medkg_lab.tui import glyphs
from medkg_lab.tui.formatting import clock, duration, milliseconds, number, plural, short_id
from medkg_lab.tui.screens.events.rows import Decoder
from medkg_lab.tui.screens.jobs import gantt
from medkg_lab.tui.theme import Line, Span
from medkg_lab.tui.widgets.line_view import Column
from medkg_lab.tui.widgets.panel import wrapped
from medkg_lab.tui.widgets.table import Cell, Row

LIST = (
    Column("DOCUMENT", 0, share=4, middle=True),
    Column("STATE", 12),
    Column("STAGE", 14),
    Column("PIPELINE", 15, wide=140),
    Column("TRY", 3, right=True, wide=150),
    Column("NOTE", 0, wide=100, share=3),
    Column("JOB", 8, wide=160),
    Column("AGE", 7, right=True),
    Column("TOOK", 7, right=True, wide=130),
)
TIMELINE = (
    Column("STAGE", 14),
    Column("TIME", 0),
    Column("STATE", 12),
    Column("TOOK", 12, right=True),
    Column("MADE", 12, right=True, wide=100),
)
EVENTS = (Column("TIME", 12), Column("WHAT", 14), Column("STAGE", 14), Column("TOOK", 8, right=True), Column("NOTE", 0))
IN_OUT = (
    Column("STAGE", 14),
    Column("INPUT_KINDS", 24),
    Column("OUTPUT_KIND", 16),
    Column("ITEMS", 6, right=True),
    Column("SHA-256 OF WHAT IT GIVES", 0),
    Column("BY", 20, wide=110),
)
TEXT = (Column("", 0),)
LINEAGE = (Column("KIND", 18), Column("ARTIFACTS", 9, right=True), Column("ITEMS", 10, right=True), Column("", 0))
_REMEDIES = {
    "bad_input": "The document itself is at fault: fix or replace it and submit it again. A retry alone changes nothing.",
    "service": "Whatever did not answer may do so now: r tries again.",
    "rate_limited": "The other side asked to be called less often: r tries again; the policy's rate can be lowered.",
    "breaker_open": "The service failed too often and is left alone for a while; Lab shows until when. r tries again then.",
    "gpu_unavailable": "No GPU was there for it: another profile runs on the processor.",
    "gpu_oom": "The GPU's memory was too small: a smaller batch, or another profile, needs less.",
    "timeout": "It took longer than its policy allows: raise the policy's timeout, or r tries again.",
    "not_configured": "A setting is missing; the sentence above names it. r tries again once it is there.",
    "mixed_models": "The index was made with another model: index everything again with one model.",
}


@dataclass(frozen=True)
class JobDetail:
    """All that is shown of one job: the ledger's record, its events, what each stage took, what was made, the policy."""

    job: answers.JobDetail
    events: Sequence[Event] = ()
    inputs: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    made: Sequence[tuple[str, int, int]] = ()
    policy: str = ""

    def run_of(self, stage: str) -> StageRun | None:
        """The newest run of a stage, of whatever execution."""
        return next((run for run in reversed(self.job.stages) if run.stage == stage), None)


def job_row(job: ListedJob, now: float) -> Row:
    """A job in the list."""
    state = glyphs.of_job(job.state)
    quiet = job.state is JobState.COMPLETED
    kind = f"{job.failure_kind}: " if job.failure_kind else ""
    ended = job.state in FINISHED
    took = duration(job.updated_at - job.began_at) if ended else ""
    return Row(
        job.job_id,
        (
            Cell(job.doc_id, "text" if quiet else "text bold"),
            Cell(state.word, "muted" if quiet else state.token, glyphs.sign(state), state.token),
            Cell(job.current_stage or "", "muted"),
            Cell(job.pipeline_name, "muted"),
            Cell(str(job.attempt or ""), "muted"),
            Cell(f"{kind}{job.reason or ''}", "text"),
            Cell(short_id(job.job_id), "muted"),
            Cell(duration(now - job.created_at), "muted"),
            Cell(took, "muted"),
        ),
    )


def verdict(job: answers.JobDetail, now: float) -> list[Line]:
    """How a job stands, in a line, and the reason in another."""
    state = glyphs.of_job(job.state)
    since = duration(now - job.updated_at)
    words = {
        "completed": f"took {duration(job.updated_at - began_at(job))}",
        "running": f"at {job.stage or 'its first stage'} on {job.worker or 'an engine'}",
        "waiting_gate": f"at {job.stage} for {since}",
        "queued": f"for {since} in lane {job.lane}",
    }.get(job.state, f"{job.failure_kind or ''} at {job.stage or 'the start'}, {since} ago".strip())
    line: list[Span] = [*glyphs.span(state), (f"  {words}", "text")]
    if job.fields.get(ACKNOWLEDGED) == job.execution:
        line.append(("  acknowledged", "ok"))
    line.append((f"  {job.pipeline} {job.pipeline_version}", "muted"))
    return [line, [(job.reason, "text")]] if job.reason else [line]


def timeline(detail: JobDetail, width: int, now: float) -> list[Row]:
    """The stages as bars, and those that are still to come."""
    bars = gantt.bars(detail.job, now)
    over = gantt.axis(bars, width)
    counts = {run.stage: run for run in detail.job.stages}
    return [
        Row(
            one.name,
            (
                Cell(one.name, "text"),
                Cell(gantt.drawn(one, over, width), one.state.token),
                Cell(one.state.word, one.state.token, glyphs.sign(one.state), one.state.token),
                Cell(one.note, "muted"),
                Cell(_made(counts.get(one.name)), "muted"),
            ),
        )
        for one in bars
    ]


def _made(run: StageRun | None) -> str:
    if run is None or run.count is None:
        return ""
    return f"{number(run.count)} {run.kind or ''}".strip()


def event_rows(detail: JobDetail) -> list[Row]:
    """What happened to the job, the newest last."""
    job_id = detail.job.job_id
    decoded = [row for row in Decoder().rows(detail.events) if row.job == job_id]
    return [
        Row(
            f"{one.seq}",
            (
                Cell(clock(one.ts), "muted"),
                Cell(one.state.word, one.state.token, glyphs.sign(one.state), one.state.token),
                Cell(one.stage, "text"),
                Cell(milliseconds(one.ms), "muted"),
                Cell(one.note, "text"),
            ),
        )
        for one in decoded
    ]


def in_out(detail: JobDetail) -> list[Row]:
    """What each stage took and gave."""
    last = {run.stage: run for run in detail.job.stages}
    return [
        Row(
            name,
            (
                Cell(name, "text"),
                Cell(", ".join(kind for kind, _ in detail.inputs.get(name, ())) or "the submission", "muted"),
                Cell(run.kind or "nothing", "text" if run.kind else "muted"),
                Cell(number(run.count) if run.count is not None else "", "muted"),
                Cell(run.ref or "", "muted"),
                Cell(f"{run.implementation or ''} {run.device or ''}".strip(), "muted"),
            ),
        )
        for name, run in last.items()
    ]


def error_rows(detail: JobDetail, width: int) -> list[Row]:
    """What went wrong in a sentence, what helps, and the policy that was applied."""
    job = detail.job
    kind = job.failure_kind
    if not kind and not job.reason:
        return [_text("Nothing went wrong.", "muted", 0)]
    lines: list[tuple[str, str]] = [(f"{kind or job.state} at {job.stage or 'the start'}", "bad bold")]
    lines += [(line[0][0], "text") for line in wrapped(job.reason or "no reason was given", width)]
    if remedy := _REMEDIES.get(str(kind)):
        lines += [(line[0][0], "accent") for line in wrapped(f"→ {remedy}", width)]
    if detail.policy:
        lines.append((f"policy {detail.policy} · {plural(job.attempt or 1, 'attempt')}", "muted"))
    if job.error:
        lines.append(("y shows the trace", "muted"))
    return [_text(text, token, at) for at, (text, token) in enumerate(lines)]


def _text(text: str, token: str, at: int) -> Row:
    return Row(f"line-{at}", (Cell(text, token),))


def lineage(detail: JobDetail) -> list[Row]:
    """From the bytes to what can be searched: what the job made, with counts."""
    submitted = detail.job.submitted_content
    rows = [("bytes", 1, 1, submitted.name)] if submitted is not None else []
    evidence = detail.job.gate.evidence if detail.job.gate is not None else NO_EVIDENCE
    rows += [(kind, artifacts, items, "") for kind, artifacts, items in detail.made]
    if evidence.pages:
        rows.insert(min(2, len(rows)), ("pages", 1, evidence.pages, f"read by {evidence.tool or 'pdf'}"))
    return [
        Row(kind, (Cell(kind), Cell(number(artifacts), "muted"), Cell(number(items), "text"), Cell(note, "muted")))
        for kind, artifacts, items, note in rows
    ]


def stage_lines(detail: JobDetail, stage: str, looks: Sequence[Line]) -> list[Line]:
    """All about one stage of a job: its run, what it took, what it gave, how that begins."""
    run = detail.run_of(stage)
    if run is None:
        return [[("It has not run.", "muted")]]
    facts = {
        "run": f"execution {run.execution}, try {run.attempt}, batch {short_id(run.batch or '')}",
        "began": clock(run.t0) if run.t0 else None,
        "took": milliseconds(run.ms) if run.ms is not None else None,
        "by": f"{run.implementation or '?'} on {run.device or '?'}",
        "error": run.reason or run.error,
    }
    lines: list[Line] = [glyphs.span(glyphs.of_stage(run.status)), []]
    for name, value in facts.items():
        if value:
            first, *rest = wrapped(str(value), 92)
            lines += [[(name.ljust(8), "muted"), *first], *([("        ", "text"), *row] for row in rest)]
    lines += [[], [("takes", "accent bold")]]
    taken = detail.inputs.get(stage, ())
    lines += [[(f"  {kind.ljust(12)} ", "text"), (sha256, "muted")] for kind, sha256 in taken]
    lines += [] if taken else [[("  the submission", "muted")]]
    lines += [[], [("gives", "accent bold")]]
    lines.append([(f"  {(run.kind or 'nothing').ljust(12)} ", "text"), (run.ref or "", "muted")])
    return [*lines, *looks]
