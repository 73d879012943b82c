"""What stands around the stream of events: its head, its sentence, and what is said of one event. Pure."""

import json
from collections.abc import Mapping, Sequence

from medkg_lab.tui.formatting import EIGHTHS, clock, duration, milliseconds, number, plural
from medkg_lab.tui.glyphs import sign
from medkg_lab.tui.screens.events.feed import NewEvents
from medkg_lab.tui.screens.events.filter import EventFilter
from medkg_lab.tui.screens.events.rows import EventRow
from medkg_lab.tui.theme import Line, Span
from medkg_lab.tui.widgets.panel import width_of, wrapped

SPARKS = 30
NARROW = 100
LOUD_KINDS = frozenset({"bad", "warn", "dead"})


def chips(wanted: EventFilter, rates: Sequence[int], width: int) -> Line:
    """What the stream is narrowed to, and how many events each of the last seconds had."""
    said = (("type", "type"), ("stage", "stage"), ("job", "job"), ("doc", "doc"), ("text", ""))
    line: list[Span] = [(" ", "text")]
    for name, field in said:
        value = wanted.text_of(field)
        if name == "doc" and value == "all":
            continue
        line += [(f"{name} ", "muted"), (f"{value}  ", "muted" if value in ("all", "none") else "accent bold")]
    top = max([*rates, 1])
    sparks = "".join(EIGHTHS[min(8, round(each / top * 8))] for each in rates[-SPARKS:])
    right: list[Span] = [(f"{number(rates[-1] if rates else 0)}/s ", "text"), (sparks, "run"), (" ", "text")]
    return _both_ends(line, right, width)


def positions(taken: NewEvents, topic: int | None, shown: Sequence[Span], kept: int, width: int) -> Line:
    """How far ledger, topic and screen are, so that a lag is a fact; and how many rows are kept of how many."""
    line: list[Span] = [(" ledger ", "muted"), (number(taken.head), "text")]
    if topic is not None:
        behind = max(0, taken.head - topic)
        line += [("  topic ", "muted"), (number(topic), "text")]
        line += [(f" {number(behind)} behind", "warn bold" if behind > 1000 else "muted")] if behind else []
    line += [("  screen ", "muted"), (number(taken.seq), "text"), (" ", "text"), *shown]
    right: list[Span] = [(f"kept {number(kept)} of {number(taken.total)} rows ", "muted")]
    return _both_ends(line, right, width)


def _both_ends(left: list[Span], right: Sequence[Span], width: int) -> Line:
    room = width - width_of(left) - width_of(right)
    return [*left, (" " * room, "text"), *right] if room >= 1 else left


def sentence(
    taken: NewEvents, rate: int, failed: int, retried: int, follows: bool, new: int, past: bool, wanted: EventFilter
) -> Line:
    """The stream in a sentence: alive or not, what went wrong lately, and where the reader is."""
    if taken.gone:
        return [
            ("▲ ", "warn bold"),
            (f"The ledger does not answer since {clock(taken.gone)}; nothing is lost. ", "warn"),
            (f"The stream goes on after {number(taken.seq)}.", "muted"),
        ]
    if past:
        return [("○ ", "muted"), ("history · ", "text bold"), ("f follows the stream again", "muted")]
    line: list[Span] = [("● ", "ok bold"), ("live ", "text bold"), (f"{plural(rate, 'event')}/s", "text")]
    if not follows:
        line = [("‖ ", "wait bold"), (f"paused at {number(taken.seq)} · {number(new)} new", "text bold")]
    if failed or retried:
        line.append((" · ", "muted"))
        line += [("✗ ", "bad"), (f"{number(failed)} failed", "text")] if failed else []
        line += [(" and ", "text")] if failed and retried else []
        line += [("↻ ", "warn"), (f"{number(retried)} retried", "text")] if retried else []
        line.append((" in the last minute", "text"))
    line.append((" · following" if follows else " · f follows", "muted"))
    line.append((" · narrowed, esc shows all" if wanted else " · nothing dropped", "muted"))
    return line


def empty(wanted: EventFilter, taken: NewEvents) -> Line:
    """What stands where no row does."""
    if taken.gone or not taken.head:
        return [("  No event yet: they appear as soon as a document is submitted. d on Lab runs the demo.", "muted")]
    if wanted:
        return [("  No event that is kept matches. Esc shows all again.", "muted")]
    return [("  Nothing happens now.", "muted")]


def inspected(row: EventRow, told: Mapping[str, object] | None, width: int, height: int) -> list[Line]:
    """One event: its sentence, ids, and what it says as JSON, in two columns where there is room for them."""
    raw = json.dumps(told, ensure_ascii=False, indent=1, default=str).splitlines() if told is not None else ["…"]
    shown = [_json_line(each) for each in raw]
    if width < NARROW - 4:
        return [*_detail_lines(row, width), [], *shown][: max(height, 1)]
    half = width // 2 - 2
    left = _detail_lines(row, half)
    lines: list[Line] = []
    for place in range(max(len(left), min(len(shown), height))):
        first: list[Span] = list(left[place]) if place < len(left) else []
        gap = " " * max(1, half + 1 - width_of(first))
        lines.append([*first, (gap, "text"), ("│ ", "line"), *(shown[place] if place < len(shown) else [])])
    return lines


def _json_line(text: str) -> Line:
    """One line of JSON: the key quieter than its value."""
    key, colon, value = text.partition('": ')
    return [(key + colon, "muted"), (value, "text")] if colon else [(text, "muted")]


def _detail_lines(row: EventRow, width: int) -> list[Line]:
    state = row.state
    head: list[Span] = [(f"{sign(state)} {state.word}", f"{state.token} bold"), (f"  {row.stage}", "text bold")]
    facts = [f"try {row.attempt}"] if row.attempt > 1 else []
    facts += [milliseconds(row.ms)] if row.ms is not None else []
    head.append((f"  {' · '.join(facts)}", "text"))
    lines: list[Line] = [head]
    lines += wrapped(row.note, width, "text") if row.note else []
    if state.token in LOUD_KINDS and row.job:
        lines.append([("→ ", "muted"), ("w", "accent bold"), (" says why  ", "muted"), ("r", "accent bold")])
        lines[-1] = [*lines[-1], (" retries the job", "muted")]
    lines.append([])
    for name, value in (("document", row.document), ("job", row.job), ("at", clock(row.ts))):
        lines += [[(name.ljust(10), "muted"), (value, "text")]] if value else []
    return lines


def age(seconds: float) -> str:
    """How old the newest row was when it was shown."""
    return (
        "live" if seconds < 0 else f"live, {duration(seconds)}" if seconds < 10 else f"newest {duration(seconds)} ago"
    )
