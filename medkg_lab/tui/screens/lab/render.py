"""What the Lab mode shows, as lines and rows: pure functions of a snapshot."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from medkg_lab.lab.flow import StageFlow, progress
from medkg_lab.lab.why import needs_person
from medkg_lab.text import one_line
from medkg_lab.tui import alerts, glyphs
from medkg_lab.tui.dialogs import Choice, Question
from medkg_lab.tui.formatting import bar, clock, duration, milliseconds, number, plural, size, uptime
from medkg_lab.tui.messages import Snapshot, WatchedProcess
from medkg_lab.tui.theme import Line, Span
from medkg_lab.tui.widgets.panel import fit, wrapped
from medkg_lab.tui.widgets.table import Cell, Row

if TYPE_CHECKING:
    from medkg_lab.gpu.nvml import Gauge
    from medkg_lab.lab.doctor import Finding
    from medkg_lab.lab.failures import Refusal

USUAL_START = {"knowledge": 6, "dagsterd": 8, "engine-compute": 6, "engine-network": 6}
"""Seconds that these usually take to load."""
GAUGE = 10
DOCTOR_WIDTH = 96
WIDE = 60
REFUSED_SHOWN = 8
HOT_CELSIUS = 85
"""A GPU as hot as this slows itself down soon."""


def no_lab(seen: Snapshot, starting: bool) -> Line:
    """What stands where no lab runs, or where that is not known."""
    if not seen.at or seen.trouble:
        return alerts.now(seen)
    if starting:
        return [("◐ ", "run"), ("starting the lab …", "text bold")]
    return [
        ("■ ", "muted"),
        ("No lab is running here. ", "text bold"),
        (":start", "accent bold"),
        (" starts it.", "text"),
    ]


def starting_head(seen: Snapshot) -> tuple[str, str]:
    """Title and subtitle while the lab comes up."""
    assert seen.lab is not None
    up = sum(one.state == "ready" for one in seen.processes)
    return f"Starting · {up} of {len(seen.processes)} · {seen.at - seen.lab.since:.1f} s", "nothing is asked"


def nothing(seen: Snapshot) -> list[Span]:
    """The line that says that nothing needs the person."""
    if seen.jobs:
        return [("✓ ", "ok"), ("Nothing needs you.", "text")]
    return [
        ("✓ ", "ok"),
        ("The lab is up. ", "text bold"),
        ("d", "accent bold"),
        (" runs the demo on the bundled documents · ", "text"),
        ("i", "accent bold"),
        (" submits your own · ", "text"),
        ("?", "accent bold"),
        (" shows the keys", "text"),
    ]


def need_line(need: Any, width: int) -> list[Span]:
    """One thing that needs the person, in `width` cells."""
    tail = f"{need.does}"
    room = max(20, width - 13 - len(tail) - 4)
    return [
        *glyphs.span(need.state, 12),
        (fit(one_line(need.sentence), room), "text"),
        ("  ", "text"),
        (need.key, "accent bold"),
        (f" {tail}", "muted"),
    ]


def process_row(one: WatchedProcess, seen: Snapshot, now: float) -> Row:
    """A process as a row."""
    state = glyphs.of_process(one.state)
    quiet = one.state == "ready"
    cpu = f"{one.cpu * 100:.0f} %" if one.cpu is not None else ""
    since = uptime(now - one.since) if one.since and one.pid else ""
    restarts = one.restarts
    return Row(
        one.name,
        (
            Cell(one.name, "text bold" if not quiet else "text"),
            Cell(state.word, "muted" if quiet else state.token, glyphs.sign(state), state.token),
            Cell(_doing(one, seen), "muted" if quiet else "text"),
            Cell(str(restarts), "warn" if restarts else "muted"),
            Cell(cpu, "text" if (one.cpu or 0) > 0.5 else "muted"),
            Cell(size(one.rss_mb) if one.rss_mb else "", "muted"),
            Cell(str(one.port or ("socket" if one.pid else "")), "muted"),
            Cell(since, "muted"),
        ),
    )


def _doing(one: WatchedProcess, seen: Snapshot) -> str:
    name = one.name
    if one.reason:
        return one_line(one.reason, 200)
    if one.state == "starting":
        usual = USUAL_START.get(name)
        return f"loading, usually about {usual} s" if usual else "opening"
    if one.state != "ready" or not seen.counts:
        return ""
    head = seen.head or 0
    queued = seen.queued_by_lane
    if name == "ledgerd":
        return f"ready · {number(head)} events"
    if name == "bridge":
        return f"ready · {_distance(head, seen, 'outbox')}"
    if name == "dagsterd":
        return f"ready · {_distance(head, seen, 'recorder')}"
    if name.startswith("engine-"):
        waiting = queued.get(name.removeprefix("engine-"), 0)
        return f"ready · {plural(waiting, 'job')} queued for it" if waiting else "ready · nothing queued"
    if name == "pdf":
        reading = sum(not needs_person(gate) for gate in seen.gates)
        return f"reading {plural(reading, 'PDF')}" if reading else "ready · no PDF waits for it"
    return "ready"


def _distance(head: int, seen: Snapshot, view: str) -> str:
    behind = max(0, head - int(seen.positions.get(view, 0)))
    return f"{plural(behind, 'event')} behind the ledger" if behind else "up to date"


def behind(seen: Snapshot) -> list[Line]:
    """How much waits, and how far views lag behind the ledger."""
    if seen.counts is None:
        return [[("not known yet", "muted")]]
    head = seen.head or 0
    queued = seen.queued_by_lane
    lines: list[Line] = [
        _fact(
            "queue", plural(seen.jobs.get("queued", 0), "job"), " ".join(f"{n} {lane}" for lane, n in queued.items())
        ),
        _fact("running", plural(seen.jobs.get("running", 0), "job"), ""),
    ]
    for label, view in (("topic", "outbox"), ("dagster", "recorder"), ("search", "knowledge"), ("tables", "tables")):
        if view in seen.positions:
            lag = max(0, head - int(seen.positions[view]))
            lines.append(_fact(label, plural(lag, "event") if lag else "up to date", "", lag > 1000))
    dead = seen.jobs.get("dead", 0)
    lines.append(_fact("dead", plural(dead, "job"), f"of {number(sum(seen.jobs.values()))}", bool(dead)))
    return lines


def _fact(name: str, value: str, rest: str, loud: bool = False) -> list[Span]:
    return [(name.ljust(10), "muted"), (value.ljust(13), "warn bold" if loud else "text"), (rest, "muted")]


def machine(seen: Snapshot, width: int) -> list[Line]:
    """What the machine has and uses, and what a crash would lose, in lines of `width` cells."""
    found = seen.machine
    if not found:
        return [[("not known yet", "muted")]]
    cores, busy, rss = float(found["cores"]), float(found["busy"]), float(found["rss_mb"])
    profile = seen.lab.profile if seen.lab else "?"
    opened = [one for one in seen.breakers if one.state != "closed"]
    breakers = f"▲ {len(opened)} open" if opened else "✓ all closed"
    durable = found["durability"]
    safe = "fdatasync" in durable
    return [
        *_gpus(found["gpus"], profile, width >= WIDE),
        [("cores     ", "muted"), (bar(busy / cores, GAUGE), "run"), (f" {busy:.1f} of {cores:.0f}", "text")],
        [("memory    ", "muted"), (bar(rss / float(found["memory_mb"]), GAUGE), "run"), (f" {size(rss)}", "text")],
        [("disk      ", "muted"), (f"{size(float(found['disk_free_mb']))} free", "text")],
        [("breakers  ", "muted"), (breakers, "warn bold" if opened else "ok")],
        [("durability", "muted"), (" ✓ fsync before ack" if safe else f"{durable}", "ok" if safe else "text")],
    ]


def _gpus(found: "Sequence[Gauge]", profile: str, wide: bool) -> list[Line]:
    """A line for each GPU: how busy it is, its memory, its temperature; a wide one has a gauge, the power and the name too."""
    if not found:
        return [[("GPU       ", "muted"), (f"no GPU: profile {profile}", "text")]]
    return [_gpu(one, wide) for one in found]


def _gpu(one: "Gauge", wide: bool) -> Line:
    hot = one.celsius is not None and one.celsius >= HOT_CELSIUS
    told = [
        "load ?" if one.load is None else f"{one.load * 100:.0f} %",
        f"{one.used_mib / 1024:.1f}/{one.total_mib / 1024:.0f} GiB",
        "" if one.celsius is None else f"{'▲ ' if hot else ''}{one.celsius} °C",
        "" if one.watts is None or not wide else f"{one.watts:.0f} W",
        one.name if wide else "",
    ]
    gauge = f"{bar(one.load or 0.0, GAUGE)} " if wide else ""
    return [
        (f"GPU {one.index}".ljust(10), "muted"),
        (gauge, "run"),
        (" · ".join(each for each in told if each), "warn" if hot else "text"),
    ]


def doctor(findings: "Sequence[Finding]") -> list[Line]:
    """What the profile needs: a line for each check, and how to get what is missing."""
    lines: list[Line] = []
    for one in findings:
        state = glyphs.PASSED if one.ok else glyphs.MISSING
        first, *rest = wrapped(f"{one.name}: {one.found}", DOCTOR_WIDTH)
        lines.append([(f"{glyphs.sign(state)} ", state.token), *first])
        lines += [[("  ", "text"), *row] for row in rest]
        if one.remedy and not one.ok:
            lines += [[("  ", "text"), *row] for row in wrapped(f"→ {one.remedy}", DOCTOR_WIDTH, "accent")]
    return lines


def places(seen: Snapshot, narrow: bool, height: int) -> list[Line]:
    """Documents moving through the stages: each pipeline as a line of its stages, and as a table where there is room for it.

    Those that have something to do come first; a narrow one only shows the stages where documents stand.
    """
    names = sorted(seen.stages, key=lambda name: (not _is_moving(seen, name), name not in seen.totals, name))
    names = [name for name in names if not narrow or seen.flow.get(name)]
    lines: list[Line] = []
    left = height - sum(2 if name in seen.totals else 1 for name in names)
    for name in names:
        more = len(seen.stages[name]) + 1 - 2
        if not narrow and name in seen.totals and more <= left:
            lines += _table(seen, name)
            left -= more
        else:
            lines += _in_a_line(seen, name, narrow)
    if not seen.stages and (not seen.at or seen.lab is not None):
        return [[("Reading …", "muted")]]
    return lines or [_no_documents(seen)]


def _is_moving(seen: Snapshot, name: str) -> bool:
    return any(seen.totals.get(name, {}).get(state) for state in ("queued", "running"))


def _in_a_line(seen: Snapshot, name: str, narrow: bool) -> list[Line]:
    if name not in seen.totals:
        listed = " ─ ".join(seen.stages[name])
        return [[(f"{fit(name, 14)}  ", "muted"), ("no jobs yet", "muted"), (f" · {listed}", "muted")]]
    flow = seen.flow.get(name, {})
    stages = [stage for stage in seen.stages[name] if not narrow or stage in flow]
    line: list[Span] = [(fit(name, 14) + "  ", "text bold")]
    for at, stage in enumerate(stages):
        line += [(" ─ ", "line")] if at else []
        line += _stage_spans(
            stage, flow.get(stage, {}), _through(seen, name, stage), sum(seen.totals.get(name, {}).values())
        )
    return [line, [(" " * 16, "muted"), *_pipeline_words(flow, seen.totals[name])]]


def _through(seen: Snapshot, name: str, stage: str) -> int:
    return seen.stage_flows.get(name, {}).get(stage, StageFlow()).through


def _table(seen: Snapshot, name: str) -> list[Line]:
    """A pipeline with a row for each stage: done of total, rate, p95, what stands there, and which one holds the rest up."""
    flows, standing, totals = seen.stage_flows.get(name, {}), seen.flow.get(name, {}), seen.totals[name]
    now = progress(seen.stages[name], standing, totals, flows)
    eta = (
        f" · about {duration(now.eta_s)} to go"
        if now.eta_s is not None
        else " · no document through yet"
        if now.left
        else ""
    )
    head: list[Span] = [(fit(name, 14) + "  ", "text bold"), *_pipeline_words(standing, totals), (eta, "text")]
    lines: list[Line] = [head]
    for stage in seen.stages[name]:
        one, states = flows.get(stage, StageFlow()), standing.get(stage, {})
        done = f"{number(one.through)}/{number(now.total)}"
        rate = f"{one.per_s:.1f}/s" if one.per_s >= 0.05 else f"{one.recent}/min" if one.recent else ""
        p95 = f"p95 {milliseconds(one.p95_ms)}" if one.p95_ms is not None else ""
        line: list[Span] = [
            *_stage_sign(states, one.through, now.total),
            (fit(stage, 14), "text" if one.through or states else "muted"),
            (bar(one.through / now.total if now.total else 0.0, GAUGE), "run"),
            (f"{done:>12}  {rate:<8}{p95:<12}", "muted"),
        ]
        for state, count in sorted(states.items()):
            shown = glyphs.of_job(state)
            line.append((f"  {glyphs.sign(shown)} {number(count)} {shown.word}", shown.token))
        line += [("  ◂ bottleneck", "warn bold")] if stage == now.bottleneck else []
        lines.append(line)
    return lines


def _stage_sign(states: Mapping[str, int], through: int, total: int) -> list[Span]:
    """The sign of a stage; ✓ only where documents have been, and none is on its way to it."""
    for state in ("running", "waiting_gate", "failed", "dead"):
        if states.get(state):
            shown = glyphs.of_job(state)
            return [(f"{glyphs.sign(shown)} ", shown.token)]
    shown = glyphs.DONE if through else glyphs.QUEUED
    return [(f"{glyphs.sign(shown)} ", "muted")]


def _no_documents(seen: Snapshot) -> list[Span]:
    if done := seen.jobs.get("completed", 0):
        return [("✓ ", "ok"), (f"All {plural(done, 'document')} are through.", "text")]
    keys = [
        ("i", "accent bold"),
        (" submits some, ", "text"),
        ("d", "accent bold"),
        (" runs the bundled ones.", "text"),
    ]
    return [("No documents yet. ", "text"), *keys]


def _stage_spans(stage: str, states: Mapping[str, int], through: int, total: int) -> list[Span]:
    if not states:
        sign = _stage_sign(states, through, total)
        partly = f" {through}/{total}" if 0 < through < total else ""
        return [*sign, (f"{stage}{partly}", "muted")]
    spans: list[Span] = []
    for at, (state, count) in enumerate(sorted(states.items())):
        shown = glyphs.of_job(state)
        spans += [(f"{glyphs.sign(shown)} ", shown.token)]
        spans += [] if at else [(f"{stage} ", "text bold")]
        spans += [(f"{count}" + (" " if at + 1 < len(states) else ""), shown.token)]
    return spans


def _pipeline_words(flow: Mapping[str, Mapping[str, int]], totals: Mapping[str, int]) -> list[Span]:
    before = sum(flow.get("", {}).values())
    parts = [f"{number(before)} queued"] if before else []
    words = {"running": "running", "waiting_gate": "at a gate", "failed": "failed", "dead": "dead", "completed": "done"}
    parts += [f"{number(totals[state])} {word}" for state, word in words.items() if totals.get(state)]
    return [(" · ".join(parts), "muted")]


def about(process: WatchedProcess, tail: list[str]) -> list[Line]:
    """All about a process, with the end of its log."""
    state = glyphs.of_process(process.state)
    facts = {
        "pid": process.pid,
        "restarts": process.restarts,
        "memory": size(process.rss_mb) if process.rss_mb else None,
        "CPU time": f"{process.cpu_seconds} s" if process.cpu_seconds is not None else None,
        "listens on": f"127.0.0.1:{process.port}" if process.port else "a private socket",
        "started": clock(process.since) if process.since else None,
        "reason": process.reason or None,
    }
    lines: list[Line] = [glyphs.span(state), []]
    lines += [[(name.ljust(12), "muted"), (str(value), "text")] for name, value in facts.items() if value is not None]
    lines += [[], [("the end of its log", "accent bold")]]
    return lines + ([[(line, "muted")] for line in tail] or [[("It has written nothing.", "muted")]])


def refused_question(found: "Sequence[Refusal]") -> Question:
    """Whether the records that were refused are acknowledged: the newest of them, each with its reason."""
    lines: list[Line] = [
        [(f"{clock(one.at)}  ", "muted"), (f"{one.origin}  ", "text bold"), (one_line(one.reason, 200), "text")]
        for one in found[: -REFUSED_SHOWN - 1 : -1]
    ]
    if len(found) > REFUSED_SHOWN:
        lines.append([(f"and {number(len(found) - REFUSED_SHOWN)} before them", "muted")])
    lines += [
        [],
        [("They stay in the dead-letter topic; that you have seen them is recorded with your name.", "muted")],
    ]
    return Question(
        f"{plural(len(found), 'record')} of the work queue refused",
        lines,
        (Choice("u", "Acknowledge", "seen"), Choice("", "esc Cancel", "")),
        "medkg-lab jobs refused [--acknowledge]",
    )
