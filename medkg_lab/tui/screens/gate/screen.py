"""5 Gate: the documents that wait, what speaks for opening each, and opening or rejecting them."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll

from medkg_lab.lab import gates
from medkg_lab.lab.facade import Lab
from medkg_lab.lab.gates import Decided, Evidence
from medkg_lab.lab.lookup import person
from medkg_lab.ledger.answers import GateRow, to_json
from medkg_lab.ledger.state import GateState
from medkg_lab.tui import glyphs, keys
from medkg_lab.tui.dialogs import WHY_ASKED, Answer, Choice, Question
from medkg_lab.tui.formatting import clock, plural, short_id
from medkg_lab.tui.messages import Snapshot, Subject
from medkg_lab.tui.screens.base import ModeScreen
from medkg_lab.tui.screens.frame_screen import Session
from medkg_lab.tui.screens.gate import render
from medkg_lab.tui.theme import Line
from medkg_lab.tui.widgets.panel import Panel
from medkg_lab.tui.widgets.table import Table

DECIDED = 20


class GateScreen(ModeScreen):
    """The waiting documents beside the evidence of one."""

    word = "gate"
    about = (
        "Documents held at a gate until their text is complete, or until you open it. ready: every check passes. missing: "
        "pages are not in what was read. being read: the pdf process is at it. Below those that wait stand the gates that "
        "were decided last, and who opened them."
    )
    twins = 'medkg-lab gate list · gate show DOC · gate open DOC… --why "…" [--partial] · gate reject DOC… --why "…"'
    AUTO_FOCUS = "#waiting"
    BINDINGS = keys.bindings("narrow", "mark", "mark_all", open_gate="open", end="reject", open="evidence")
    footer = ("open_gate", "end", "mark", "open", "why", "narrow")

    DEFAULT_CSS = """
    GateScreen #waiting { width: 1fr; }
    GateScreen #beside { width: 1fr; scrollbar-size-vertical: 1; }
    GateScreen #gates { height: 1fr; }
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._filter = ""
        self._waiting: Sequence[GateRow] = ()
        self._decided: Sequence[Decided] = ()
        self._left: dict[str, GateRow] = {}
        self._today: dict[str, int] = {}
        self._seen: Evidence | None = None
        self._read_at = 0.0
        self._head_seen: object = None

    def compose_mode(self) -> ComposeResult:
        """The regions."""
        with Horizontal(id="gates"):
            yield Table(render.WAITING, id="waiting")
            with VerticalScroll(id="beside", can_focus=False):
                yield Panel("Evidence", id="evidence")
                yield Panel("Missing pages", id="missing")
                yield Panel("If you open it", id="opening")
                yield Panel("Who and when", id="touches")

    @property
    def _list(self) -> Table:
        return self.query_one("#waiting", Table)

    # Looking

    def shown(self) -> None:
        """Look at once."""
        self._head_seen = None
        self.on_snapshot(self.snapshot)

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Take in the waiting gates; look for the rest when the ledger has moved."""
        here = {gate.job_id for gate in snapshot.gates}
        # Until the tables show how it was decided, a gate that no longer waits stays where the cursor may be.
        self._left |= {
            gate.job_id: replace(gate, state=GateState.OPEN) for gate in self._waiting if gate.job_id not in here
        }
        self._waiting = snapshot.gates
        self._list.greyed = "ledger" in snapshot.behind
        self._paint()
        head = snapshot.head
        if head is not None and head != self._head_seen:
            self._head_seen = head
            self._refresh()
            self._refresh_detail()

    def _refresh(self) -> None:
        now = datetime.fromtimestamp(time.time())
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()

        def work(lab: Lab) -> tuple[list[Decided], dict[str, int]]:
            return gates.decided(lab.ledger, DECIDED), gates.opened_since(lab.ledger, midnight)

        def show(answer: tuple[list[Decided], dict[str, int]]) -> None:
            self._decided, self._today = answer
            known = {gate.job_id for each in (self._decided, self._waiting) for gate in each}
            self._left = {job_id: gate for job_id, gate in self._left.items() if job_id not in known}
            self._paint()
            self.repaint_frame()

        self.query_lab("decided", work, show, lambda _: None)

    def _shown(self) -> list[render.ShownGate]:
        lists: list[Iterable[render.ShownGate]] = [self._decided, self._left.values(), self._waiting]
        every = {gate.job_id: gate for each in lists for gate in each}
        order = {gate.job_id: None for each in reversed(lists) for gate in each}
        words = self._filter.lower().split()
        return [every[id] for id in order if all(word in _searched(every[id]) for word in words)]

    def _paint(self) -> None:
        now = time.time()
        shown = self._shown()
        table = self._list
        table.empty = [
            [("  ", "text"), (f"Nothing waits at a gate{' that matches' if self._filter else ''}. ", "text")],
            [("  ", "text"), (f"Opened today: {render.today_words(self._today)}.", "muted")],
        ]
        table.show([render.gate_row(gate, now) for gate in shown])
        marked = len(self._marked())
        narrowed = f" · /{self._filter}" if self._filter else ""
        foot = f"{marked} marked · o opens, x rejects" if marked else "space marks"
        table.head(f"Gates · {len(self._waiting)} waiting{narrowed}", foot)

    def on_table_moved(self) -> None:
        """Another gate is under the cursor."""
        self._refresh_detail()

    def _refresh_detail(self) -> None:
        row = self._list.row
        if row is None:
            self._seen = None
            self._paint_evidence()
            return
        job_id = row.key

        def show(seen: Evidence | None) -> None:
            row = self._list.row
            if row is not None and row.key == job_id:
                self._seen, self._read_at = seen, time.time()
                self._paint_evidence()

        self.query_lab("evidence", lambda lab: gates.evidence(lab, job_id), show, lambda _: None)

    def _paint_evidence(self) -> None:
        seen = self._seen
        panels = {name: self.query_one(f"#{name}", Panel) for name in ("evidence", "missing", "opening", "touches")}
        for panel in panels.values():
            panel.display = seen is not None
        if seen is None:
            return
        width = max(20, panels["evidence"].size.width or 60)
        lines: list[Line] = [*render.verdict(seen), []]
        if seen.text is not None:
            lines += [[(seen.text.title, "accent")], []]
        strip = render.strip(seen, width - 12)
        lines += render.checks(seen)
        lines += [[]] if strip else []
        lines += [[("page strip  " if at == 0 else " " * 12, "muted"), *row] for at, row in enumerate(strip)]
        panels["evidence"].show(lines)
        panels["evidence"].head(f"{seen.gate.doc_id} · {seen.gate.gate}", f"read {clock(self._read_at)}")
        panels["missing"].show(render.missing_lines(seen, width))
        panels["missing"].display = bool(render.pages_of(seen.gate)[1])
        panels["opening"].show(render.opening(seen))
        panels["opening"].display = seen.gate.state is GateState.WAITING
        panels["touches"].show(render.touches(seen))

    def on_lines_rewidened(self) -> None:
        """The page strip is as wide as there is room, and so are the sentences."""
        self._paint_evidence()

    # Hooks

    def now(self, snapshot: Snapshot) -> Line | None:
        """How many wait, and how they stand."""
        return render.summary(snapshot.gates, self._today)

    def subject(self) -> Subject | None:
        """The job of the gate under the cursor."""
        row = self._list.row
        gate = next((gate for gate in self._shown() if row is not None and gate.job_id == row.key), None)
        return Subject("job", gate.job_id, gate.doc_id, "pdf", to_json(gate)) if gate is not None else None

    def narrow(self, text: str) -> None:
        """Show only what fits."""
        self._filter = text
        self._paint()

    def narrowed(self) -> str:
        """The filter."""
        return self._filter

    def step_back(self) -> bool:
        """From the evidence to the list; then unmark."""
        if self.has_class("deep") or not self._list.has_focus:
            self.remove_class("deep")
            self._list.focus()
            return True
        if self._list.marks.keys:
            self._list.marks.keys.clear()
            self._paint()
            return True
        return False

    def can(self, action: str) -> bool:
        """Only what waits can be opened or rejected."""
        if action in ("open_gate", "end"):
            return bool(self._chosen())
        return self._list.row is not None if action in ("open", "mark", "mark_all") else super().can(action)

    def completions(self) -> list[str]:
        """`:gate ready` and the like."""
        return ["ready", "missing"]

    def command(self, words: Sequence[str]) -> bool:
        """`:gate WORDS` narrows."""
        self.narrow(" ".join(words))
        return True

    # Actions

    def _marked(self) -> list[GateRow]:
        return [gate for gate in self._waiting if gate.job_id in self._list.marks.keys]

    def _chosen(self) -> list[GateRow]:
        row = self._list.row
        under = [gate for gate in self._waiting if row is not None and gate.job_id == row.key]
        return self._marked() or under

    def action_open(self) -> None:
        """To the evidence."""
        self.add_class("deep")
        self.query_one("#evidence").focus()
        self._paint_evidence()

    def action_mark(self) -> None:
        """Mark the gate."""
        self._list.toggle_mark()
        self._paint()

    def action_mark_all(self) -> None:
        """Mark all that wait and are shown, or none."""
        shown = {gate.job_id for gate in self._shown() if gate.state is GateState.WAITING}
        self._list.marks.keys = set() if shown <= self._list.marks.keys else shown
        self._paint()

    def action_open_gate(self) -> None:
        """Ask, then open."""
        chosen = self._chosen()
        ready = [gate for gate in chosen if render.state_of(gate)[0] in (glyphs.READY, glyphs.UNSET)]
        short = [gate for gate in chosen if render.state_of(gate)[0] is glyphs.MISSING]
        if not ready and not short:
            self.notify(
                "Its text is still being read: the gate opens by itself, or can be opened then.", severity="warning"
            )
            return
        self.choose(_question(ready, short), lambda answer: self._open(answer, ready, short))

    def _open(self, answer: Answer, ready: Sequence[GateRow], short: Sequence[GateRow]) -> None:
        which = ready if answer.value == "ready" else [*ready, *short]
        partial = {gate.job_id for gate in short}
        why = answer.text or None

        def do(lab: Lab, job_id: str) -> None:
            lab.ledger.gate_open(job_id, by=person(), why=why, partial=job_id in partial)

        self._each(which, do, "open")

    def action_end(self) -> None:
        """Ask for the reason, then reject."""
        chosen = self._chosen()
        named = _named(chosen)
        question = Question(
            f"Reject {named}",
            ["The job ends as cancelled; what was written stays."],
            (Choice("x", f"Reject {named}", "reject"), Choice("", "Keep waiting", "")),
            f'medkg-lab gate reject {short_id(chosen[0].job_id)} --why "…"',
            asks="why (recorded with your name)",
            required=WHY_ASKED,
        )

        def then(answer: Answer) -> None:
            self._each(chosen, lambda lab, id: lab.ledger.gate_reject(id, by=person(), why=answer.text), "rejected")

        self.choose(question, then)

    def _each(self, chosen: Sequence[GateRow], do: Callable[[Lab, str], object], what: str) -> None:
        def then(done: int) -> str:
            self._list.marks.keys.clear()
            is_one = len(chosen) == 1
            return f"The gate of {chosen[0].doc_id} is {what}." if is_one else f"{plural(done, 'gate')} {what}."

        self.act_on_each([gate.job_id for gate in chosen], do, then)


def _searched(gate: render.ShownGate) -> str:
    return f"{gate.doc_id} {gate.job_id} {gate.gate} {render.state_of(gate)[1]} {gate.state}".lower()


def _named(chosen: Sequence[GateRow]) -> str:
    return chosen[0].doc_id if len(chosen) == 1 else plural(len(chosen), "document")


def _question(ready: Sequence[GateRow], short: Sequence[GateRow]) -> Question:
    """The dialog that opens gates: some ready, some with missing pages."""
    chosen = [*ready, *short]
    lines: list[Line] = []
    for gate in short[:4]:
        pages, missing = render.pages_of(gate)
        words = f"{gate.doc_id}: {pages - len(missing)} of {pages} · missing {', '.join(map(str, missing[:12]))}"
        lines.append([*glyphs.span(glyphs.FAILED_CHECK, 9), ("pages  ", "muted"), (words, "text")])
    lines += [[(f"and {len(short) - 4} more with missing pages", "muted")]] if len(short) > 4 else []
    lines += [[*glyphs.span(glyphs.PASSED, 9), (f"every check of {_named(ready)}", "text")]] if ready else []
    stages = chosen[0].stages
    lines.append([(f"{plural(len(stages), 'stage')} will run: {', '.join(stages)}.", "text")])
    lines.append([("An opened gate cannot be closed again.", "muted")])
    choices: list[Choice] = []
    if short:
        pages, missing = render.pages_of(short[0])
        label = f"Open with {pages - len(missing)} of {pages} pages"
        label = label if len(chosen) == 1 else f"Open all {len(chosen)}, {len(short)} incomplete"
        choices.append(Choice("", label, "all"))
        choices += [Choice("", f"Open only the {len(ready)} ready", "ready")] if ready else []
    else:
        choices.append(Choice("", f"Open {_named(ready)}", "ready"))
    choices.append(Choice("", "Keep closed", ""))
    twin = f'medkg-lab gate open {short_id(chosen[0].job_id)}{" --partial" if short else ""} --why "…"'
    gate_name = chosen[0].gate
    return Question(
        f"Open {gate_name} for {_named(chosen)}", lines, choices, twin,
        asks="why (recorded with your name)", required=WHY_ASKED if short else "",
    )  # fmt: skip
