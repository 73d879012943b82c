"""What the Gate mode shows, as rows and lines: pure functions of gates."""

from collections.abc import Mapping, Sequence

from medkg_lab.lab.gates import Decided, Evidence
from medkg_lab.lab.why import condition_of, needs_person
from medkg_lab.ledger.answers import AnyGate, GateRow, SubmittedContent
from medkg_lab.ledger.state import GateState
from medkg_lab.text import one_line
from medkg_lab.tui import glyphs
from medkg_lab.tui.formatting import clock, duration, number, plural, short_id, size
from medkg_lab.tui.glyphs import State
from medkg_lab.tui.screens.events.rows import Decoder
from medkg_lab.tui.theme import Line, Span
from medkg_lab.tui.widgets.line_view import Column
from medkg_lab.tui.widgets.panel import wrapped
from medkg_lab.tui.widgets.table import Cell, Row

WAITING = (
    Column("DOCUMENT", 0, middle=True),
    Column("PAGES", 7, right=True),
    Column("WAITS", 7, right=True, wide=62),
    Column("EVIDENCE", 13),
)
READING = State("◐", "being read", "run", "~")
PAGES_IN_STRIP = 400


ShownGate = AnyGate | Decided


def pages_of(gate: ShownGate) -> tuple[int, Sequence[int]]:
    """How many pages a gate's document has, and which are missing; none for one of the list of those that were decided."""
    return (0, ()) if isinstance(gate, Decided) else (gate.evidence.pages or 0, gate.evidence.missing_pages)


def state_of(gate: ShownGate) -> tuple[State, str]:
    """How a gate stands: its state with words."""
    if isinstance(gate, Decided) or gate.state is not GateState.WAITING:
        state = glyphs.of_gate(gate.state)
        return state, state.word
    pages, missing = pages_of(gate)
    if missing:
        return glyphs.MISSING, f"{len(missing)} missing"
    if needs_person(gate):
        return glyphs.UNSET, "not set"
    return (glyphs.READY, "ready") if pages else (READING, "being read")


def gate_row(gate: ShownGate, now: float) -> Row:
    """A gate in the list; those that are decided are quiet."""
    state, word = state_of(gate)
    quiet = gate.state is not GateState.WAITING
    pages, missing = pages_of(gate)
    read = f"{pages - len(missing)}/{pages}" if pages else ""
    until = gate.opened_at or (None if quiet else now)
    waited = duration(until - gate.waiting_since) if until else ""
    return Row(
        gate.job_id,
        (
            Cell(gate.doc_id, "muted" if quiet else "text bold"),
            Cell(read, "muted"),
            Cell(waited, "muted"),
            Cell(word, "muted" if quiet else state.token, glyphs.sign(state), state.token),
        ),
    )


def verdict(seen: Evidence) -> list[Line]:
    """The sentence that says whether the gate should be opened."""
    gate = seen.gate
    pages, missing = pages_of(gate)
    if gate.state != "waiting":
        state, word = state_of(gate)
        word = f"{word} by {gate.opened_by}" if gate.opened_by else word
        when = f" at {clock(gate.opened_at)}" if gate.opened_at else ""
        line = [(f"{glyphs.sign(state)} ", state.token), (f"{one_line(word).capitalize()}{when}.", "text bold")]
        return [line, [("  ", "text"), (gate.why, "text")]] if gate.why else [line]
    if needs_person(gate) and not missing:
        sentence = f"It waits for {condition_of(gate)}, and no process of the lab sets that."
        return [[("◇ ", "wait"), (sentence, "text bold")], [("  o opens it by hand.", "text")]]
    if not pages:
        return [
            [("◐ ", "run"), ("Its text is being read; the gate opens by itself when every page is there.", "text bold")]
        ]
    if not missing:
        return [[("✓ ", "ok"), ("Ready: every check passes.", "text bold")]]
    named = ", ".join(map(str, missing[:12])) + (" …" if len(missing) > 12 else "")
    is_one = len(missing) == 1
    return [
        [
            ("✗ ", "bad"),
            (f"Not ready: page{'' if is_one else 's'} {named} {'is' if is_one else 'are'} missing.", "text bold"),
        ],
        [("  ", "text"), (f"Opening by hand would go on with {pages - len(missing)} of {pages} pages.", "text")],
    ]


def checks(seen: Evidence) -> list[Line]:
    """Each check: pass, fail or not set."""
    gate, content = seen.gate, seen.job.submitted_content or SubmittedContent()
    evidence = gate.evidence
    pages, missing = pages_of(gate)
    field = gate.condition.ledger_field
    value = seen.job.fields.get(field)
    file = " · ".join(
        part
        for part in (
            content.name or seen.job.doc_key,
            _bytes(seen.file_size),
            f"sha256 {short_id(str(content.sha256 or evidence.source or ''))}…",
        )
        if part
    )
    lines: list[Line] = [_check(glyphs.PASSED if seen.file_size is not None else glyphs.UNSET, "file", file)]
    if not pages:
        lines.append(_check(glyphs.UNSET, "pages", "not read yet"))
    else:
        words = f"{pages - len(missing)} of {pages}" + (f" · missing {', '.join(map(str, missing))}" if missing else "")
        lines.append(_check(glyphs.FAILED_CHECK if missing else glyphs.PASSED, "pages", words))
    if seen.text is not None:
        words = f"{seen.text.schema} · {plural(seen.text.blocks, 'block')}, {plural(seen.text.tables, 'table')}"
        lines.append(_check(glyphs.PASSED, "text", words))
        lines.append(_check(glyphs.PASSED, "hash", f"{short_id(evidence.document or '')}… matches the stored file"))
    elif seen.damage:
        lines.append(_check(glyphs.FAILED_CHECK, "text", seen.damage))
    else:
        lines.append(_check(glyphs.UNSET, "text", "not read yet"))
    if evidence.tool:
        lines.append(_check(glyphs.PASSED, "reader", f"{evidence.tool} {evidence.tool_version or ''}"))
    wanted = gate.condition.equals
    state = glyphs.PASSED if value == wanted else glyphs.UNSET
    lines.append(_check(state, "field", f"{field} = {str(value).lower()}, wanted {str(wanted).lower()}"))
    return lines


def _bytes(count: int | None) -> str:
    if count is None:
        return ""
    return size(count / 1e6) if count >= 1e6 else f"{max(1, count // 1000)} kB"


def _check(state: State, name: str, words: str) -> list[Span]:
    return [*glyphs.span(state, 9), (name.ljust(8), "muted"), (words, "text")]


def strip(seen: Evidence, width: int) -> list[Line]:
    """A mark for each page; one that is missing is its number."""
    pages, missing = pages_of(seen.gate)
    if not pages:
        return []
    gone = set(missing)
    lines: list[Line] = []
    row: list[Span] = []
    used = 0
    for page in range(1, min(pages, PAGES_IN_STRIP) + 1):
        mark, token = (f"✗{page} ", "bad bold") if page in gone else ("■ ", "ok")
        if used + len(mark) > width:
            lines.append(row)
            row, used = [], 0
        row.append((mark, token))
        used += len(mark)
    lines.append(row)
    return lines


def missing_lines(seen: Evidence, width: int) -> list[Line]:
    """What is known of the missing pages, and what can be done."""
    _, missing = pages_of(seen.gate)
    if not missing:
        return [[("No page is missing.", "muted")]]
    tool = seen.gate.evidence.tool or "the reader"
    what = (
        "The gate opens by itself once a reader delivers them; o opens it without them."
        if seen.gate.state == "waiting"
        else "The document went on without them."
        if seen.gate.state in {"open", "released"}
        else "The gate was not opened."
    )
    sentence = (
        f"{tool} found no text on {'page' if len(missing) == 1 else 'pages'} {', '.join(map(str, missing))}: "
        f"most often a scan, a picture or a blank page. {what}"
    )
    return list(wrapped(sentence, width))


def opening(seen: Evidence) -> list[Line]:
    """What would run if the gate were opened, how long it takes, and as what."""
    stages = seen.gate.stages
    known = [seen.stage_ms[stage] for stage in stages if stage in seen.stage_ms]
    took = f", about {duration(sum(known) / 1000)} by the last documents" if known else ""
    return [
        [("◆ ", "ok"), ("open → " + " → ".join(stages), "text")],
        [(f"{plural(len(stages), 'stage')}{took}", "muted")],
        [(f"as {seen.job.pipeline} {seen.job.pipeline_version}", "muted")],
        [("an opened gate cannot be closed again", "muted")],
    ]


def touches(seen: Evidence) -> list[Line]:
    """Who touched this gate and when."""
    job_id = seen.job.job_id
    rows = [row for row in Decoder().rows(seen.touches) if row.job == job_id]
    return [[(f"{clock(row.ts)}  ", "muted"), *glyphs.span(row.state, 13), (row.note, "text")] for row in rows] or [
        [("Nobody yet.", "muted")]
    ]


def today_words(counted: Mapping[str, int]) -> str:
    """How many gates were opened today, by whom."""
    parts = [
        f"{number(counted[how])} {word}"
        for how, word in (("condition", "by pdf"), ("manual", "by hand"))
        if counted.get(how)
    ]
    return ", ".join(parts) or "none"


def summary(gates: Sequence[GateRow], today: Mapping[str, int]) -> list[Span]:
    """The mode's sentence for the now-line."""
    ready = sum(1 for gate in gates if state_of(gate)[0] is glyphs.READY)
    missing = sum(1 for gate in gates if state_of(gate)[0] is glyphs.MISSING)
    reading = len(gates) - ready - missing
    if not gates:
        return [
            ("◇ ", "muted"),
            ("nothing waits at a gate", "text bold"),
            (f" · opened today: {today_words(today)}", "muted"),
        ]
    spans: list[Span] = [("◇ ", "wait"), (f"{plural(len(gates), 'document')} at a gate", "text bold")]
    counted = (
        (ready, glyphs.READY, "ready"),
        (missing, glyphs.MISSING, "incomplete"),
        (reading, READING, "being read"),
    )
    for count, state, word in counted:
        if count:
            spans += [(" · ", "muted"), (f"{glyphs.sign(state)} ", state.token), (f"{count} {word}", "text")]
    return [*spans, (f" · opened today: {today_words(today)}", "muted")]
