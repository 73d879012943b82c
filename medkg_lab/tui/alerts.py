"""What needs the person, and the lab in one sentence: pure functions of a snapshot."""

import time
from dataclasses import dataclass

from medkg_lab.lab.why import DISK_FULL_MB, DISK_LOW_MB, condition_of, needs_person
from medkg_lab.ledger.answers import CircuitRow
from medkg_lab.models.circuits import CircuitState
from medkg_lab.models.events import NO_EVIDENCE
from medkg_lab.text import one_line
from medkg_lab.tui import glyphs
from medkg_lab.tui.formatting import clock, duration, number, plural, uptime
from medkg_lab.tui.glyphs import State
from medkg_lab.tui.messages import Snapshot
from medkg_lab.tui.theme import Span

SHOWN = 5


@dataclass(frozen=True)
class Need:
    """One thing that needs the person: its state, a sentence, the key that deals with it and what the key does."""

    state: State
    sentence: str
    key: str
    does: str


def attention(seen: Snapshot) -> list[Need]:
    """What needs the person, most urgent first."""
    return [*_disk(seen), *_processes(seen), *_gates(seen), *_breakers(seen), *_ended(seen), *_refused(seen)]


def _disk(seen: Snapshot) -> list[Need]:
    free = float(seen.machine.get("disk_free_mb", DISK_LOW_MB))
    if free >= DISK_LOW_MB:
        return []
    if free < DISK_FULL_MB:
        sentence = f"the disk is full, {free:,.0f} MB left: nothing is taken until there is room; nothing is lost"
        return [Need(glyphs.FAILED, sentence, "w", "say why")]
    return [
        Need(glyphs.DEGRADED, f"only {free:,.0f} MB of disk are left; without room nothing is taken", "w", "say why")
    ]


def _processes(seen: Snapshot) -> list[Need]:
    found = []
    for one in seen.processes:
        if one.state not in {"exited", "given_up", "silent"}:
            continue
        state = glyphs.of_process(one.state)
        reason = one_line(one.reason or "it ended", 200)
        found.append(Need(state, f"{one.name}: {reason}, {plural(one.restarts, 'restart')}", "l", "read its log"))
    return found


def _gates(seen: Snapshot) -> list[Need]:
    if not seen.gates:
        return []
    by_hand = sum(map(needs_person, seen.gates))
    wanted = {condition_of(gate) for gate in seen.gates if needs_person(gate) and gate.evidence == NO_EVIDENCE}
    oldest = duration(time.time() - min(gate.waiting_since for gate in seen.gates))
    count = plural(len(seen.gates), "document")
    tail = f"{by_hand} need{'s' if by_hand == 1 else ''} you" if by_hand else "being read"
    tail += f" for {', '.join(sorted(wanted))}" if wanted else ""
    return [Need(glyphs.AT_GATE, f"{count} at a gate for {oldest}; {tail}", "5", "look at them")]


def _breakers(seen: Snapshot) -> list[Need]:
    opened = (one for one in seen.breakers if one.state is not CircuitState.CLOSED)
    return [Need(glyphs.DEGRADED, breaker_words(one), "w", "say why") for one in opened]


def breaker_words(breaker: CircuitRow) -> str:
    """How a breaker stands: once its time is over, the next call tests it."""
    named, until = f"breaker {breaker.policy} {breaker.key}", breaker.until
    if breaker.state is CircuitState.OPEN and until and until > time.time():
        return f"{named} is open until {clock(until)}"
    return f"{named} is half-open: the next call tests it"


def _refused(seen: Snapshot) -> list[Need]:
    if not seen.refused:
        return []
    sentence = f"{plural(seen.refused, 'record')} of the work queue refused: they are dead letters"
    return [Need(glyphs.REFUSED, sentence, "u", "show and acknowledge them")]


def _ended(seen: Snapshot) -> list[Need]:
    found = []
    if dead := seen.jobs.get("dead", 0) - seen.acknowledged.get("dead", 0):
        found.append(Need(glyphs.DEAD, f"{plural(dead, 'job')} repeatedly crashed the engine", "2", "show them"))
    if failed := seen.jobs.get("failed", 0) - seen.acknowledged.get("failed", 0):
        found.append(
            Need(glyphs.FAILED, f"{plural(failed, 'job')} failed; each says why", "2", "show them, u acknowledges")
        )
    return found


def health(seen: Snapshot) -> tuple[State, str]:
    """The lab's health for the bar: a state, and words such as `7 of 8 up`."""
    if not seen.at:
        return glyphs.STARTING, "looking"
    if seen.lab is None:
        return (glyphs.DEGRADED, "unknown") if seen.trouble else (glyphs.STOPPED, "no lab")
    up = sum(one.state == "ready" for one in seen.processes)
    if seen.lab.stopping:
        return glyphs.STOPPING, f"{up} of {len(seen.processes)} left"
    if seen.is_ready:
        return glyphs.UP, f"{up} up"
    return (glyphs.STARTING if _is_starting(seen) else glyphs.DEGRADED), f"{up} of {len(seen.processes)} up"


def _is_starting(seen: Snapshot) -> bool:
    """Whether every process that is not up is on its way."""
    return all(one.state in {"ready", "absent", "starting"} for one in seen.processes)


def is_stopped(seen: Snapshot) -> bool:
    """Whether something stops the whole lab, so that it is said in every mode."""
    return seen.lab is None or bool(seen.behind or seen.trouble or _full(seen))


def now(seen: Snapshot) -> list[Span]:
    """What the lab does now: clauses, the most important first."""
    if not seen.at:
        return [("◐ ", "run"), ("looking at the lab …", "text bold")]
    if seen.lab is None and not seen.trouble:
        return [("■ ", "muted"), ("no lab is running here", "text bold")]
    if "ledger" in seen.behind:
        since = seen.behind["ledger"]
        text = (
            f"ledger does not answer since {clock(since)} ({duration(time.time() - since)}); what you see is from then"
        )
        return [("▲ ", "warn"), (text, "warn bold")]
    if seen.trouble:
        return [("▲ ", "warn"), (f"the lab cannot be looked at: {one_line(seen.trouble, 160)}", "warn bold")]
    clauses = [*_full(seen), *_moving(seen), *_waiting(seen)]
    spans: list[Span] = []
    for state, text in clauses:
        spans += [(" · ", "muted")] if spans else []
        spans += [(glyphs.sign(state) + " ", state.token), (text, "text bold" if not spans else "text")]
    return spans


def _full(seen: Snapshot) -> list[tuple[State, str]]:
    free = float(seen.machine.get("disk_free_mb", DISK_LOW_MB))
    return [(glyphs.FAILED, "the disk is full, nothing is taken")] if free < DISK_FULL_MB else []


def _moving(seen: Snapshot) -> list[tuple[State, str]]:
    assert seen.lab is not None
    running, queued = seen.jobs.get("running", 0), seen.jobs.get("queued", 0)
    if not seen.is_ready and (not seen.counts or (_is_starting(seen) and not any(seen.jobs.values()))):
        up = sum(one.state == "ready" for one in seen.processes)
        return [(glyphs.STARTING, f"starting: {up} of {len(seen.processes)} processes are up")]
    if running or queued:
        rate = f" · {seen.throughput[-1]:.0f} docs/s" if seen.throughput and seen.throughput[-1] >= 0.5 else ""
        found = [(glyphs.RUNNING, f"running {plural(running, 'job')}{rate}")] if running else []
        return found + ([(glyphs.QUEUED, f"{number(queued)} queued")] if queued else [])
    if reading := sum(not needs_person(gate) for gate in seen.gates):
        return [(glyphs.RUNNING, f"reading {plural(reading, 'PDF')}")]
    done = seen.jobs.get("completed", 0)
    since = uptime(time.time() - seen.lab.since)
    rest = f"idle · {plural(done, 'job')} completed" if done else "idle · no documents yet, i submits some"
    return [(glyphs.UP, f"{rest} · up for {since}")]


def _waiting(seen: Snapshot) -> list[tuple[State, str]]:
    found = []
    if seen.gates:
        found.append((glyphs.AT_GATE, f"{len(seen.gates)} at the gate"))
    found += [
        (glyphs.of_process(one.state), f"{one.name} {glyphs.of_process(one.state).word}")
        for one in seen.processes
        if seen.counts and one.state != "ready"
    ]
    return found
