"""Which of the last documents a draft would chunk or extract differently, and one of them side by side."""

import difflib
import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import msgspec
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.worker import get_current_worker

from medkg_lab import launch
from medkg_lab.lab.facade import Lab
from medkg_lab.lab.preview import Previewed
from medkg_lab.text import one_line
from medkg_lab.tui.formatting import plural
from medkg_lab.tui.theme import Line
from medkg_lab.tui.widgets.line_view import Column
from medkg_lab.tui.widgets.panel import Lines, fit
from medkg_lab.tui.widgets.table import Cell, Row, Table

DOCUMENTS = (
    Column("", 1),
    Column("DOCUMENT", 0, middle=True),
    Column("CHUNKS", 11, right=True),
    Column("FOUND", 11, right=True),
)
CONTEXT = 2
"""Lines that are the same which are shown around a difference."""


def rows_of(seen: Sequence[Previewed]) -> list[Row]:
    """The documents that differ first, with counts of both versions."""
    return [_row(one) for one in sorted(seen, key=lambda one: (not one.differs, one.number))]


def _row(one: Previewed) -> Row:
    sign, token = ("✗", "bad") if one.trouble else ("≠", "warn") if one.differs else ("=", "muted")
    cells = (
        Cell(sign, token),
        Cell(one.doc_id, "text" if one.differs else "muted"),
        Cell(f"{len(one.before.chunks)} → {len(one.after.chunks)}", "text"),
        Cell(f"{len(one.before.found)} → {len(one.after.found)}", "text"),
    )
    return Row(one.doc_id, cells)


def side_by_side(one: Previewed, width: int) -> list[Line]:
    """A document under both versions: chunks, then what was found, before at the left and after at the right."""
    if one.trouble:
        return [[("✗ ", "bad"), (one.trouble, "text")]]
    half = max(10, (width - 3) // 2)
    head: Line = [(fit("in use", half), "muted"), (" │ ", "muted"), ("draft", "muted")]
    lines: list[Line] = [head]
    parts = [("chunks", one.before.chunks, one.after.chunks), ("found", one.before.found, one.after.found)]
    if one.before.made or one.after.made:
        parts.append(("made by stages of plug-ins", one.before.made, one.after.made))
    for title, before, after in parts:
        same = " · the same" if before == after else ""
        lines += [[], [(f"{title}: {len(before)} → {len(after)}{same}", "accent bold")]]
        lines += _compared(before, after, half) if before != after else []
    return lines


def _compared(before: Sequence[str], after: Sequence[str], half: int) -> Iterator[Line]:
    for kind, from_, to, start, end in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        left, right = before[from_:to], after[start:end]
        if kind == "equal":
            for text in _shortened(left):
                yield [(fit(text, half), "muted"), (" │ ", "muted"), (fit(text, half), "muted")]
            continue
        for at in range(max(len(left), len(right))):
            old = one_line(left[at]) if at < len(left) else ""
            new = one_line(right[at]) if at < len(right) else ""
            yield [(fit(old, half), "bad"), (" │ ", "muted"), (fit(new, half), "ok")]


def _shortened(same: Sequence[str]) -> list[str]:
    """Lines that are the same: the first and the last of many."""
    lines = [one_line(text) for text in same]
    if len(lines) <= 2 * CONTEXT + 1:
        return lines
    return [*lines[:CONTEXT], f"… {len(lines) - 2 * CONTEXT} that are the same", *lines[-CONTEXT:]]


class Effects(ModalScreen[None]):
    """Runs both versions on the last documents in a process of its own, which ends with it, and shows what differs."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "leave", show=False)]
    DEFAULT_CSS = """
    Effects { align: center middle; background: $lab-bg 40%; }
    Effects #effects { width: 96%; height: 92%; background: $lab-panel; border: round $lab-accent; padding: 0 1;
        border-title-color: $lab-accent; border-subtitle-color: $lab-muted; }
    Effects #progress { height: 1; background: $lab-panel; }
    Effects #documents { height: 1fr; }
    Effects #sides { height: 2fr; scrollbar-size-vertical: 1; }
    """

    def __init__(self, lab: Lab, name: str, text: str) -> None:
        super().__init__()
        self._lab, self._pipeline, self._draft = lab, name, text
        self._seen: list[Previewed] = []
        self._child: subprocess.Popen[str] | None = None

    def compose(self) -> ComposeResult:
        """One moving line over the documents and one of them."""
        with Vertical(id="effects") as box:
            box.border_title = "What the draft would change"
            box.border_subtitle = "medkg-lab pipeline preview NAME FILE · esc close"
            yield Lines([[("◐ ", "run"), ("reading the last documents …", "text")]], id="progress")
            yield Table(DOCUMENTS, id="documents")
            with VerticalScroll(id="sides"):
                yield Lines(id="compared")

    def on_mount(self) -> None:
        """Begin."""
        self.query_one("#documents", Table).focus()
        self.run_worker(self._run, thread=True, exit_on_error=False)

    def on_unmount(self) -> None:
        """What is still being tried ends."""
        if self._child is not None:
            self._child.kill()

    def _run(self) -> None:
        worker = get_current_worker()
        with tempfile.TemporaryDirectory(prefix="mk") as folder:
            path = Path(folder) / f"{self._pipeline}.yaml"
            path.write_text(self._draft, encoding="utf-8")
            arguments = ("pipeline", "preview", self._pipeline, str(path), "--json", *self._lab.locations.arguments())
            self._child = subprocess.Popen(
                launch.python("medkg_lab.cli.main", *arguments), env=launch.environment(), text=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
            assert self._child.stdout is not None
            assert self._child.stderr is not None
            for line in self._child.stdout:
                if worker.is_cancelled:
                    return
                self.call_later(self._take, json.loads(line))
            told = self._child.stderr.read()
            failed = self._child.wait() != 0
        if not worker.is_cancelled:
            self.call_later(self._ended, told if failed else "")

    def _take(self, line: dict[str, object]) -> None:
        if "error" in line:
            return
        self._seen.append(msgspec.convert(line, Previewed))
        newest = self._seen[-1]
        self._show_progress(
            "◐", "run", f"{newest.number} of {newest.of} tried, {self._differ()} differ · {newest.doc_id}"
        )
        table = self.query_one("#documents", Table)
        table.show(rows_of(self._seen))
        self._compare()

    def _ended(self, trouble: str) -> None:
        number = plural(len(self._seen), "document")
        if trouble and not self._seen:
            self._show_progress("✗", "bad", one_line(trouble))
        elif not self._differ():
            self._show_progress(
                "✓",
                "ok",
                f"None of the last {number} would be chunked or extracted differently.",
            )
        else:
            self._show_progress(
                "≠", "warn", f"{self._differ()} of the last {number} would be chunked or extracted differently."
            )

    def _differ(self) -> int:
        return sum(one.differs for one in self._seen)

    def _show_progress(self, sign: str, token: str, text: str) -> None:
        self.query_one("#progress", Lines).show([[(f"{sign} ", token), (text, "text bold")]])

    def on_table_moved(self) -> None:
        """Another document is under the cursor."""
        self._compare()

    def _compare(self) -> None:
        row, shown = self.query_one("#documents", Table).row, self.query_one("#compared", Lines)
        one = next((each for each in self._seen if row is not None and each.doc_id == row.key), None)
        shown.show(side_by_side(one, shown.size.width) if one is not None else [])

    def action_leave(self) -> None:
        """Close."""
        self.dismiss(None)
