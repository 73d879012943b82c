"""What stands around a pipeline's graph and text: looks of stages, facts of one, findings, completions, differences. Pure."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from medkg_lab.lab.definitions import Version
from medkg_lab.lab.stages import Done
from medkg_lab.resilience.policies import Policies
from medkg_lab.topology.diff import diff
from medkg_lab.topology.errors import Problem
from medkg_lab.topology.graph import Graph
from medkg_lab.topology.models import Topology
from medkg_lab.tui import glyphs
from medkg_lab.tui.alerts import breaker_words
from medkg_lab.tui.formatting import clock, milliseconds, number, plural
from medkg_lab.tui.messages import Snapshot
from medkg_lab.tui.screens.pipelines.yaml_help import Offer, fixed
from medkg_lab.tui.theme import Line, Span
from medkg_lab.tui.widgets.dag_paint import StageStyle
from medkg_lab.tui.widgets.panel import fit, wrapped

TEMPLATE = """version: "1.0"
name: "{name}"
description: ""
applicable_sources: []

stages:
  - name: ingest
    type: IngestStage
    policy: polite-api

  - name: parse
    type: ParseStage
    policy: local
    depends_on: [ingest]

  - use: post-text
    depends_on: [parse]
"""
_SHOWN_OFFERS = 6


@dataclass(frozen=True)
class DraftState:
    """How one pipeline stands: where its unfinished jobs are, how many there are in all, and what came of its stages."""

    flow: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    total: int = 0
    done: Mapping[str, Done] = field(default_factory=dict)

    @classmethod
    def of(cls, seen: Snapshot, pipeline: str, done: Mapping[str, Done]) -> "DraftState":
        """From what the poller saw."""
        return cls(seen.flow.get(pipeline, {}), sum(seen.totals.get(pipeline, {}).values()), done)


def graph_of(topology: Topology) -> Graph:
    """Which stages each stage depends on."""
    return {stage.name: stage.depends_on for stage in topology.stages}


def gates_of(topology: Topology) -> frozenset[str]:
    """The stages where jobs wait."""
    return frozenset(stage.name for stage in topology.stages if stage.is_gate)


def looks(shown: Topology, used: Topology | None, now: DraftState) -> dict[str, StageStyle]:
    """How each stage is now; against the version in use, a stage is marked `+` when it is new and `~` when it differs."""
    before = {stage.name: stage for stage in used.stages} if used is not None else {}
    result = {}
    for stage in shown.stages:
        known = before.get(stage.name)
        mark = "" if used is None or known == stage else "~" if known is not None else "+"
        result[stage.name] = _stage_style(now, stage.name, mark)
    return result


def _stage_style(now: DraftState, name: str, mark: str) -> StageStyle:
    at, done = now.flow.get(name, {}), now.done.get(name)
    through = done.through if done is not None else 0
    figures = f"{_short(through)}/{_short(now.total)}" if now.total else ""
    note = milliseconds(done.p50) if done is not None and done.p50 is not None else ""
    if waiting := at.get("waiting_gate"):
        return StageStyle(glyphs.AT_GATE, figures, f"{_short(waiting)} wait", mark)  # type: ignore[arg-type]
    stuck = at.get("failed", 0) + at.get("dead", 0)
    for key, state in (("running", glyphs.RUNNING), ("queued", glyphs.QUEUED)):
        if at.get(key):
            return StageStyle(state, figures, note, mark)  # type: ignore[arg-type]
    if stuck:
        return StageStyle(glyphs.FAILED, figures, f"{_short(stuck)} bad", mark)  # type: ignore[arg-type]
    return StageStyle(glyphs.DONE if through else glyphs.QUEUED, figures, note, mark)  # type: ignore[arg-type]


def _short(count: int) -> str:
    return str(count) if count < 10_000 else f"{count / 1000:.0f}k"


def stage_lines(topology: Topology, name: str, now: DraftState, policies: Policies | None, width: int) -> list[Line]:
    """One stage in a few lines: how it is, what it is, how it goes."""
    stage = next((one for one in topology.stages if one.name == name), None)
    if stage is None:
        return [[("The arrows choose a stage.", "muted")]]
    look, done, at = _stage_style(now, name, ""), now.done.get(name), now.flow.get(name, {})
    facts = [f"{number(done.through)} of {number(now.total)}"] if done is not None and now.total else []
    facts += [f"p50 {milliseconds(done.p50)} p95 {milliseconds(done.p95)}"] if done is not None and done.p50 else []
    facts += [f"{number(count)} {glyphs.of_job(state).word}" for state, count in at.items() if state != "running"]
    facts += [plural(done.failed, "failure")] if done is not None and done.failed else []
    head: Line = [*glyphs.span(look.state), (" " + " · ".join(facts), "text")]
    by = stage.implementation or (done.implementation if done is not None else "") or "what the profile chooses"
    device = f" · device {done.device}" if done is not None and done.device else ""
    lines: list[Line] = [head]
    if stage.is_gate and stage.condition is not None:
        wanted = f"waits until {stage.condition.ledger_field} is {stage.condition.equals!s}".lower()
        after = f" · goes on at {stage.resume_stage}" if stage.resume_stage else ""
        lines.append([("Gate ", "text"), (wanted + after, "text")])
    else:
        lines.append([(f"{stage.type.value} ", "muted"), (f"runs {by}{device}", "text")])
    lines.append([(f"policy {stage.policy}", "text"), (_policy(stage.policy, policies), "muted")])
    return [[(fit(text, min(len(text), width)), token) for text, token in line] for line in lines]


def _policy(name: str, policies: Policies | None) -> str:
    if policies is None or name not in policies.names:
        return ""
    one = policies.get(name)
    rate = f" · {one.rate_limit_per_second:g} a second" if one.rate_limit_per_second else ""
    return f" · up to {plural(one.max_attempts, 'attempt')}, {one.timeout_seconds:g} s{rate}"


def findings(
    problems: Sequence[Problem], lines: Sequence[str], changed_on_disk: bool, width: int, most: int
) -> list[Line]:
    """What is wrong with the draft, the first first; how to fix it where that is known."""
    shown: list[Line] = []
    if changed_on_disk:
        shown.append([("▲ ", "warn bold"), ("the file was changed by someone else since; ^s asks what to do", "warn")])
    for problem in problems:
        line = lines[problem.line - 1] if 0 < problem.line <= len(lines) else ""
        key = "  Tab fixes it" if fixed(line, problem.message, problem.suggestion) is not None else ""
        hint = f"; {problem.suggestion}" if problem.suggestion else ""
        rows = wrapped(f"line {problem.line}: {problem.message}{hint}{key}", max(20, width - 2))
        shown += [[("✗ " if at == 0 else "  ", "bad bold"), *row] for at, row in enumerate(rows)]
    return shown[:most] or [[("✓ ", "ok"), ("valid; ^s saves it", "muted")]]


def offered(found: Offer, at: int) -> list[Line]:
    """What can be completed; the chosen one is marked."""
    first = max(0, min(at - _SHOWN_OFFERS + 1, len(found.choices) - _SHOWN_OFFERS))
    lines: list[Line] = []
    for place, (name, about) in list(enumerate(found.choices))[first : first + _SHOWN_OFFERS]:
        here = place == at
        ground = " on cursor" if here else ""
        lines.append(
            [("▌" if here else " ", f"accent{ground}"), (f"{name:<22} ", f"text{ground}"), (about, f"muted{ground}")]
        )
    return lines


def version_lines(versions: Sequence[Version], width: int, most: int) -> list[Line]:
    """The newest versions, the one in use marked."""
    lines: list[Line] = []
    for one in versions[:most]:
        mark: Span = ("▸ ", "accent bold") if one.current else ("  ", "muted")
        when = clock(one.ts) if one.ts else "bundled"
        lines.append(
            [mark, (short_version(one.version), "text bold"), (f" {when:<13} ", "muted"), (one.summary, "text")]
        )
    return lines or [[("  none yet", "muted")]]


def short_version(version: str) -> str:
    """What a version is called aloud: four digits of its content."""
    return version.partition("+")[2][:4] or version[:4]


def differences(before: str, after: str, old: Topology | None, new: Topology | None) -> list[Line]:
    """What differs between two texts: in words where both are pipelines, then line by line."""
    lines: list[Line] = []
    if old is not None and new is not None:
        lines += [[(str(change), "text bold")] for change in diff(old, new)]
        lines += [[]]
    tokens = {"+": "ok", "-": "bad", "@": "run"}
    for row in difflib.unified_diff(before.splitlines(), after.splitlines(), "in use", "draft", lineterm="", n=3):
        lines.append([(row, tokens.get(row[:1], "muted"))])
    return lines if before != after else [[("The draft is the version in use.", "muted")]]


def why_stage(topology: Topology, name: str, now: DraftState, seen: Snapshot) -> str:
    """Why jobs stand at a stage, in a sentence."""
    stage = topology.stage(name)
    at = now.flow.get(name, {})
    open_now = next((one for one in seen.breakers if one.policy == stage.policy and one.state != "closed"), None)
    if waiting := at.get("waiting_gate"):
        wanted = stage.condition.ledger_field if stage.condition is not None else "being opened"
        return f"{plural(waiting, 'document')} wait at {name} for {wanted}. Gate (5) shows what is missing of each."
    if open_now is not None:
        return f"The {breaker_words(open_now)}: too many failures in a row. It tries again by itself."
    if running := at.get("running"):
        return f"{plural(running, 'job')} run here now. It is moving."
    if queued := at.get("queued"):
        return f"{plural(queued, 'job')} are queued before {name}, for the engine to take them up."
    if stuck := at.get("failed", 0) + at.get("dead", 0):
        return f"{plural(stuck, 'job')} ended here with an error. Enter shows them, r there retries."
    return (
        f"Nothing stands at {name}: {number(now.done[name].through) if name in now.done else 'no'} jobs went through."
    )
