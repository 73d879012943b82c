"""0 SQL: a SELECT on the ledger's tables, its rows, what was asked before, and rows as a file."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message

from medkg_lab.errors import LabError
from medkg_lab.lab import sql
from medkg_lab.lab.facade import Lab
from medkg_lab.lab.sql import History
from medkg_lab.ledger.answers import Selected
from medkg_lab.text import sanitize
from medkg_lab.tui import dialogs, keys
from medkg_lab.tui.dialogs import Choice, Question
from medkg_lab.tui.formatting import duration, number, plural
from medkg_lab.tui.messages import Snapshot, Subject
from medkg_lab.tui.screens.base import ModeScreen
from medkg_lab.tui.screens.frame_screen import Session
from medkg_lab.tui.screens.sql import render
from medkg_lab.tui.screens.sql.named import NAMED
from medkg_lab.tui.theme import Line, Span
from medkg_lab.tui.widgets.editor import Editor
from medkg_lab.tui.widgets.panel import Panel, wrapped
from medkg_lab.tui.widgets.table import Table

FIRST = "SELECT state, count(*) AS jobs FROM job GROUP BY state ORDER BY jobs DESC"
TABLES = "job, stage_run, gate, document, artifact, provenance, audit, event_archive"


class Statement(Editor):
    """Where the statement is typed; ↑ in its first line and ↓ in its last bring back what was asked before."""

    BINDINGS: ClassVar[list[BindingType]] = keys.bindings("run")

    class Turned(Message):
        """Another statement of the history is wanted, `by` further back."""

        def __init__(self, by: int) -> None:
            super().__init__()
            self.by = by

    class Ended(Message):
        """Enter behind a semicolon."""

    async def _on_key(self, event: events.Key) -> None:
        row, last = self.cursor_location[0], self.document.line_count - 1
        message: Message | None = None
        if event.key == "up" and row == 0:
            message = self.Turned(1)
        elif event.key == "down" and row == last:
            message = self.Turned(-1)
        elif event.key == "enter" and self.text.rstrip().endswith(";") and self.cursor_at_end_of_text:
            message = self.Ended()
        if message is None:
            await super()._on_key(event)
            return
        event.stop()
        event.prevent_default()
        self.post_message(message)


class SQLScreen(ModeScreen):
    """The statement over its rows."""

    word = "sql"
    about = (
        f"One SELECT on the ledger's tables: {TABLES}. ctrl+r runs it, as does Enter behind a semicolon; ↑ in the first line "
        "brings back what was asked before; `:sql audit` asks who did what. Then the rows have the keys: ← and → move over "
        f"the columns, ↵ shows a row whole, O writes all to a file. {sql.DEFAULT_ROWS:,} rows are shown, "
        f"{sql.EXPORTED_ROWS:,} written; a query has ten seconds."
    )
    twins = 'medkg-lab sql "SELECT …" --csv · --json · --limit N'
    AUTO_FOCUS = "#statement"
    BINDINGS: ClassVar[list[BindingType]] = [
        *keys.bindings(
            "run", "write", narrow="statement", open="row", earlier="columns before", later="next columns", again="run again"
        ),
        Binding("left", keys.STEPS["earlier"], show=False),
        Binding("right", keys.STEPS["later"], show=False),
    ]  # fmt: skip
    footer = ("open", "write", "again", "narrow", "later", "copy")

    DEFAULT_CSS = """
    SQLScreen #statement { height: 7; }
    SQLScreen #problem { border: round $lab-bad; }
    SQLScreen #rows { height: 1fr; }
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._history = History.of(session.lab)
        self._at = 0
        self._answer: Selected | None = None
        self._asked = ""
        self._began: float | None = None
        self._took = 0.0
        self._first = 0

    def compose_mode(self) -> ComposeResult:
        """The regions."""
        editor = Statement("statement", "sql")
        editor.text = self._history.statements[-1] if self._history.statements else FIRST
        editor.border_title, editor.border_subtitle = "Statement", "^r runs · ↑ earlier ones"
        yield editor
        yield Panel("Not run", id="problem")
        yield Table((), id="rows")

    @property
    def _list(self) -> Table:
        return self.query_one("#rows", Table)

    @property
    def _editor(self) -> Statement:
        return self.query_one("#statement", Statement)

    def shown(self) -> None:
        """What was asked is still there."""
        self._paint()

    def completions(self) -> list[str]:
        """The statements that have a name."""
        return list(NAMED)

    def command(self, words: Sequence[str]) -> bool:
        """Run a statement by its name."""
        if not words:
            return True
        statement = NAMED.get(" ".join(words))
        if statement is None:
            return False
        self._editor.text = statement
        self.action_run()
        return True

    # Asking

    def action_run(self) -> None:
        """Run the statement."""
        statement = self._editor.text.strip()
        if not statement or self._began is not None:
            return
        self._began, self._asked = time.monotonic(), statement
        self._problem("")
        self._paint()
        self.repaint_frame()

        def work(lab: Lab) -> Selected:
            self._history.add(statement)
            return sql.select(lab, statement)

        self.query_lab("sql", work, self._take, self._failed)

    def _take(self, answer: Selected) -> None:
        self._ended()
        self._answer, self._first = answer, 0
        self._list.set_cursor(0)
        self._paint()
        self.set_focus(self._list)
        self.repaint_frame()

    def _failed(self, error: LabError) -> None:
        self._ended()
        self._problem(str(error))
        self.repaint_frame()

    def _ended(self) -> None:
        self._took = time.monotonic() - (self._began or time.monotonic())
        self._began, self._at = None, 0

    def _problem(self, text: str) -> None:
        panel = self.query_one("#problem", Panel)
        panel.display = bool(text)
        width = max(20, self.size.width - 4)
        panel.show([row for line in text.splitlines() for row in _rows(line, width)])
        self._paint()

    def _paint(self) -> None:
        table, answer = self._list, self._answer
        if answer is None:
            table.empty = [[(f"  Tables: {TABLES}", "muted")]]
            table.head("Rows")
            table.show([])
            return
        table.empty = [[("  No rows.", "text")]]
        table.columns = render.columns(answer)[self._first :]
        table.show(render.rows(answer, self._first))
        more = ", the first of more" if answer.truncated else ""
        left = f" · column {self._first + 1} of {len(answer.columns)}" if self._first else ""
        table.head(
            f"Rows · {number(len(answer.rows))}{more}{left}", f"{duration(self._took)} · ←→ columns · O to a file"
        )

    # Hooks

    def now(self, snapshot: Snapshot) -> Line | None:
        """What was asked, or how long it has been running."""
        if self._began is not None:
            return [("◐ ", "run"), (f"the query runs for {duration(time.monotonic() - self._began)}", "text bold")]
        if self._answer is None:
            return None
        return [("● ", "ok"), (plural(len(self._answer.rows), "row"), "text bold"), (f" · {self._asked}", "muted")]

    def _row(self) -> dict[str, object] | None:
        row, answer = self._list.row, self._answer
        return (
            None if row is None or answer is None else dict(zip(answer.columns, answer.rows[int(row.key)], strict=True))
        )

    def subject(self) -> Subject | None:
        """The row under the cursor: of a job where it has a job's id."""
        row = self._row()
        if row is None:
            return None
        job_id = row.get("job_id")
        if isinstance(job_id, str):
            return Subject("job", job_id, str(row.get("doc_id") or job_id), "ledgerd", row)
        return Subject("row", render.shown(next(iter(row.values()))), "row", "ledgerd", row)

    def can(self, action: str) -> bool:
        """What acts on rows needs some; what acts on a job needs one."""
        if action in ("why", "events", "dagster", "logs"):
            subject = self.subject()
            return subject is not None and subject.kind == "job"
        if action in ("open", "write", "earlier", "later", "again"):
            return self._answer is not None and bool(self._answer.rows or action == "again")
        return super().can(action)

    # Actions

    def on_statement_ended(self) -> None:
        """Enter behind a semicolon runs."""
        self.action_run()

    def on_editor_left(self) -> None:
        """Esc goes to the rows, then out."""
        if self._answer is not None:
            self.set_focus(self._list)
        else:
            self.leave_mode()

    def on_statement_turned(self, message: Statement.Turned) -> None:
        """Bring back a statement that was asked before, or the one after."""
        known = self._history.statements
        self._at = max(0, min(len(known), self._at + message.by))
        if known and self._at:
            self._editor.text = known[-self._at]
            self._editor.move_cursor(self._editor.document.end if message.by < 0 else (0, 0))

    def action_narrow(self) -> None:
        """To the statement."""
        self._editor.focus()

    def action_again(self) -> None:
        """Run it again."""
        self.action_run()

    def action_open(self) -> None:
        """Show the row whole."""
        row = self._row()
        if row is not None:
            self.show_raw("Row", row)

    def action_part(self, step: int) -> None:
        """Begin with the next column, or with the one before."""
        if self._answer is not None:
            self._first = max(0, min(len(self._answer.columns) - 1, self._first + step))
            self._paint()

    def action_write(self) -> None:
        """Ask for a file, then write the rows to it."""
        statement = self._asked
        question = Question(
            "Write the rows to a file",
            [f"All rows that the query gives, {number(sql.EXPORTED_ROWS)} at most. The file is yours alone (0600)."],
            (Choice("", "Write", "write"), Choice("", "Cancel", "")),
            "medkg-lab sql … --csv > FILE",
            asks="a new file: rows.csv or rows.json",
            required="type the name of a file first",
        )

        def then(answer: dialogs.Answer) -> None:
            path = Path(sanitize(answer.text)).expanduser().absolute()
            self.act(
                lambda lab: sql.export(lab, statement, path),
                lambda rows: self.notify(f"{plural(rows, 'row')} written to {path}."),
            )

        self.choose(question, then)


def _rows(line: str, width: int) -> list[list[Span]]:
    """A line of an error: as it is where it fits, since a caret in it points at the line above."""
    return [[(line, "text")]] if len(line) <= width else wrapped(line, width)
