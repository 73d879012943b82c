"""What the Replay mode shows, as rows and lines: pure functions of an incident and of where its run is."""

from collections import Counter
from collections.abc import Mapping, Sequence

from medkg_lab.models.event_codec import data_to_json
from medkg_lab.models.events import Event
from medkg_lab.repro.manifest import Manifest
from medkg_lab.repro.runs import Run, Step, counted
from medkg_lab.tui import glyphs
from medkg_lab.tui.formatting import clock, duration, number, plural
from medkg_lab.tui.glyphs import State, sign
from medkg_lab.tui.screens.replay.incident import ReplayState
from medkg_lab.tui.theme import Line, Span
from medkg_lab.tui.widgets.line_view import Column
from medkg_lab.tui.widgets.panel import wrapped
from medkg_lab.tui.widgets.table import Cell, Row

Key = tuple[str, str, int]

STEPS = (
    Column("BREAK", 6),
    Column("STAGE", 12),
    Column("DOCUMENT", 0, middle=True),
    Column("RECORDED", 11),
    Column("THIS RUN", 11),
    Column("ANSWERED BY", 13, wide=100),
)
HOW = {"recorded": "the recording", "ran": "running it", "live": "the outside"}
"""Where the outcome of a step comes from."""
CYCLE = ("", "before", "after")
"""What one key makes of a stage's breakpoint, one after the other."""
IMPORT = "medkg-lab repro import FILE --home FOLDER"
STEP = "medkg-lab repro step"
_LOUD = ("failed", "dead", "rejected", "expired")


def nothing(reading: bool) -> list[Line]:
    """What stands where no incident is shown: while it is being read, or where none was imported."""
    if reading:
        return [[("  Reading the incident…", "text")]]
    return [
        [("  No incident was imported into this home.", "text")],
        [],
        [("  ", "text"), (IMPORT, "accent")],
        [("    puts an archive into a home of its own;", "text")],
        [("  ", "text"), ("medkg-lab screen --no-start --home FOLDER", "accent")],
        [("    then shows it here.", "text")],
    ]


def keys(recorded: Run, steps: Sequence[Step]) -> list[Key]:
    """The steps of the incident in their order, then those that only the run has."""
    return list(dict.fromkeys([step.key for step in (*recorded.steps, *steps)]))


def row_key(key: Key) -> str:
    """What a row is known by."""
    return "\n".join(map(str, key))


def step_rows(recorded: Run, moment: ReplayState, stops: frozenset[str]) -> list[Row]:
    """A row for each step: what was recorded and what this run made of it."""
    then, now = recorded.by_key(), {step.key: step for step in moment.steps}
    different = {(one.job, one.stage) for one in moment.report.divergences} if moment.report else set()
    return [
        _row(key, then.get(key), now.get(key), breakpoint_of(key[1], stops), moment, key[:2] in different)
        for key in keys(recorded, moment.steps)
    ]


def _row(key: Key, then: Step | None, now: Step | None, stop: str, moment: ReplayState, differs: bool) -> Row:
    is_here = at_present(key, then, now, moment)
    known = now or then
    cells = (
        Cell(stop, "wait"),
        Cell(key[1] + (f" {key[2] + 1}" if key[2] else ""), "accent bold" if is_here else "text"),
        Cell(known.doc_id if known else key[0], "text" if is_here else "muted"),
        _state(then),
        Cell(*_HERE[moment.where]) if is_here and now is None else _DIFFERS if differs else _state(now),
        Cell(HOW[now.how] if now else "", "wait" if now and now.how == "recorded" else "muted"),
    )
    return Row(row_key(key), cells)


_HERE: Mapping[str, tuple[str, str, str, str]] = {
    "before": ("held", "wait bold", "‖", "wait"),
    "running": ("running", "run", sign(glyphs.RUNNING), "run"),
}
_DIFFERS = Cell("differs", "bad", sign(glyphs.FAILED_CHECK), "bad")


def at_present(key: Key, then: Step | None, now: Step | None, moment: ReplayState) -> bool:
    """Whether the run is at this step: held before it or after it, or running it."""
    if key[1] != moment.stage or key[0] not in moment.jobs or moment.where not in ("before", "after", "running"):
        return False
    same = [step for step in moment.steps if (step.job, step.stage) == key[:2]]
    wanted = len(same) - 1 if moment.where == "after" else len(same)
    return key[2] == wanted and (then is not None or now is not None)


def present(recorded: Run, moment: ReplayState) -> int | None:
    """Which row the run is at first."""
    then, now = recorded.by_key(), {step.key: step for step in moment.steps}
    rows = keys(recorded, moment.steps)
    return next((at for at, key in enumerate(rows) if at_present(key, then.get(key), now.get(key), moment)), None)


def _state(step: Step | None) -> Cell:
    if step is None:
        return Cell("", "muted")
    if step.status == "pages_missing":
        state = State(glyphs.MISSING.glyph, "pages out", "warn", glyphs.MISSING.plain)
    else:
        state = glyphs.RETRYING if step.tries and step.status == "completed" else glyphs.of_stage(step.status)
    word = f"done, try {len(step.tries) + 1}" if state is glyphs.RETRYING else state.word
    return Cell(word, "muted" if state.token == "ok" else state.token, sign(state), state.token)


def breakpoint_of(stage: str, stops: frozenset[str]) -> str:
    """`before`, `after`, or nothing."""
    return next((when for when in CYCLE[1:] if f"{when} {stage}" in stops), "")


def following(stop: str, is_stage: bool) -> str:
    """The breakpoint that the key makes of `stop`; a gate is only held after, since nothing announces it."""
    kinds = CYCLE if is_stage else ("", "after")
    return kinds[(kinds.index(stop) + 1) % len(kinds)]


# The incident in some lines


def head(manifest: Manifest, events: Sequence[Event], runs: int) -> list[Line]:
    """What the incident is."""
    states = Counter(job.state for job in manifest.jobs)
    ends: list[Span] = []
    for state, count in states.most_common():
        shown = glyphs.of_job(state)
        ends += [("  ", "text"), (sign(shown), shown.token), (f" {number(count)} {shown.word}", "text")]
    jobs = plural(len(manifest.jobs), "job")
    pipelines = ", ".join(dict.fromkeys(job.pipeline for job in manifest.jobs))
    kept = f"{plural(runs, 'run')} kept" if runs else ""
    parts = [kept, f"{manifest.profile} profile" if manifest.profile else "", "redacted" if manifest.redacted else ""]
    if events:
        span = duration(events[-1].ts - events[0].ts)
        parts = [f"{clock(events[0].ts)}, {span}", *parts]
    event_lines = " · ".join(part for part in parts if part)
    lines: list[Line] = [[(f"{jobs} of {pipelines}", "text bold"), *ends, (f"  {event_lines}", "muted")]]
    if manifest.missing:
        lines.append([("▲ ", "warn"), (f"missing: {'; '.join(manifest.missing)}", "text")])
    return lines


def verdict(moment: ReplayState) -> list[Line]:
    """Where the run is, and the first thing in which it differs from what was recorded."""
    if moment.where == "not run":
        return [[("○ ", "muted"), ("as recorded, not run again yet: n holds before the first stage, R runs", "text")]]
    if moment.is_busy:
        what = f"running {moment.stage} for {plural(len(moment.jobs), 'job')}" if moment.stage else "starting"
        return [
            [(f"{sign(glyphs.RUNNING)} ", "run"), (f"run {moment.run} {what}".replace("run  ", "run "), "text bold")]
        ]
    if moment.is_held:
        where = f"held {moment.where} {moment.stage} of {plural(len(moment.jobs), 'job')}"
        line: Line = [
            ("‖ ", "wait bold"),
            (f"run {moment.run} {where}", "text bold"),
            (f" at {clock(moment.now)}", "muted"),
        ]
    else:
        line = [("■ ", "muted"), (f"run {moment.run} ended", "text bold"), (f" · {_how(moment.steps)}", "muted")]
    if moment.report is not None and moment.report.divergences:
        line = [*line, (f" · {plural(len(moment.report.divergences), 'divergence')}, D lists them", "text")]
    return [line, *_divergence(moment)]


def _how(steps: Sequence[Step]) -> str:
    event_lines = {"ran": "ran", "recorded": "answered from the recording", "live": "asked the outside"}
    return ", ".join(f"{number(count)} {event_lines[how]}" for how, count in counted(steps).items())


def _divergence(moment: ReplayState) -> list[Line]:
    report = moment.report
    if report is None or report.first is None:
        many = plural(report.compared if report else 0, "step")
        return [[(f"{sign(glyphs.PASSED)} ", "ok"), (f"no divergence from what was recorded in {many}", "text")]]
    where, *values = str(report.first).splitlines()
    lines: list[Line] = [
        [(f"{sign(glyphs.FAILED_CHECK)} ", "bad"), ("first divergence: ", "bad"), (where, "text bold")]
    ]
    return [*lines, *([(value, "text")] for value in values)]


def divergences(moment: ReplayState) -> list[Line]:
    """All that differs, by stage, and what was different about the runs."""
    report = moment.report
    if report is None or report.first is None:
        return _divergence(moment)
    lines: list[Line] = [[("different: ", "muted"), (cause, "text")] for cause in report.causes]
    for stage, found in report.by_stage().items():
        lines += [[], [(f"{stage}: {number(len(found))}", "accent bold")]]
        lines += [[(part, "text")] for one in found for part in str(one).splitlines()]
    return lines


def value_lines(texts: Sequence[str], width: int) -> list[Line]:
    """Values as JSON, keys quieter than what they hold; sentences are broken into lines of `width` cells."""
    return [line for text in texts for line in _value_lines(text, width)]


def _value_lines(text: str, width: int) -> Sequence[Line]:
    if not text.startswith((" ", "{", "}", "[", "]", "…")):
        return wrapped(text, width, "accent")
    name, colon, value = text.partition('": ')
    return [[(name + colon, "muted"), (value, "text")] if colon else [(text, "text")]]


# The line of time


def kind_of(event: Event) -> State | None:
    """The state that an event stands for on the line of time; None for what goes its usual way."""
    kind = event.type.value
    what, _, how = kind.partition(".")
    if how in _LOUD:
        return {"dead": glyphs.DEAD, "rejected": glyphs.REJECTED, "expired": glyphs.LOST}.get(how, glyphs.FAILED)
    if what == "breaker":
        return glyphs.PASSED if how == "closed" else glyphs.BREAKER_OPEN
    if what == "gate":
        return glyphs.AT_GATE if how == "waiting" else glyphs.OPEN
    return glyphs.RETRYING if how == "retrying" else None


_WEIGHT = (glyphs.FAILED, glyphs.DEAD, glyphs.BREAKER_OPEN, glyphs.LOST, glyphs.REJECTED, glyphs.RETRYING)


def scale(events: Sequence[Event], width: int) -> list[int]:
    """The cell of each event on a line of `width` cells; time is even along it."""
    if not events or width < 1:
        return []
    start, end = events[0].ts, max(event.ts for event in events)
    span = (end - start) or 1.0
    return [max(0, min(width - 1, round((event.ts - start) / span * (width - 1)))) for event in events]


def time_line(events: Sequence[Event], cursor: int, width: int, now: float | None = None) -> Line:
    """The events along their time, what matters most in each cell, the cursor reversed; a run's future is quiet."""
    cells = scale(events, width)
    if not cells:
        return [("nothing happened", "muted")]
    strongest: dict[int, State | None] = {}
    for cell, event in zip(cells, events, strict=True):
        strongest[cell] = stronger(strongest.get(cell), kind_of(event))
    passed = max(
        (cell for cell, event in zip(cells, events, strict=True) if now is None or event.ts <= now), default=-1
    )
    spans: list[Span] = []
    for cell in range(width):
        state = strongest.get(cell)
        text, token = (sign(state), state.token) if state else ("•" if cell in strongest else "─", "text")
        token = token if state else ("text" if cell <= passed else "muted")
        spans.append((text, f"{token} reverse" if cell == cells[cursor] else token))
    return spans


def stronger(first: State | None, second: State | None) -> State | None:
    """The one of two states that matters more."""
    if first is None or second is None:
        return first or second
    rank = {id(state): at for at, state in enumerate(_WEIGHT)}
    return min(first, second, key=lambda state: rank.get(id(state), len(_WEIGHT)))


def event_lines(events: Sequence[Event], cursor: int) -> list[Line]:
    """The event under the cursor."""
    if not events:
        return [[]]
    event = events[cursor]
    state = kind_of(event)
    since = event.ts - events[0].ts
    line: list[Span] = [(f"{sign(state)} ", state.token)] if state else [("• ", "muted")]
    line += [(event.type.value, "text bold"), (f" {event.stage or ''}", "accent")]
    line.append((f"  {plural(len(event.jobs), 'job')}" if event.jobs else "", "text"))
    line.append((f"  {clock(event.ts)} · {duration(since)} after the first · {cursor + 1} of {len(events)}", "muted"))
    return [line, [(_facts(data_to_json(event.data)), "text")]]


_FACTS = (
    "policy",
    "key",
    "attempt",
    "delay_s",
    "kind",
    "reason",
    "how",
    "field",
    "value",
    "missing_pages",
    "implementation",
)


def _facts(data: Mapping[str, object]) -> str:
    evidence = data.get("evidence")
    merged = {**(evidence if isinstance(evidence, Mapping) else {}), **data}
    return " · ".join(f"{name} {merged[name]}" for name in _FACTS if merged.get(name) not in (None, "", [], {}))


def last_before(events: Sequence[Event], now: float) -> int:
    """The last event that had happened by `now`."""
    return max((at for at, event in enumerate(events) if event.ts <= now), default=0)


def next_notable(events: Sequence[Event], cursor: int, by: int) -> int:
    """The next gate, retry, breaker or failure in the direction `by`, else where the cursor is."""
    places = range(cursor + 1, len(events)) if by > 0 else range(cursor - 1, -1, -1)
    return next((at for at in places if kind_of(events[at]) is not None), cursor)
