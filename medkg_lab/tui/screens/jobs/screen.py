"""2 Jobs: every job in a list of any length, and all about the one under the cursor."""

import time
from collections.abc import Callable, Sequence

from textual.app import ComposeResult

from medkg_lab.errors import LabError
from medkg_lab.lab import job_queries
from medkg_lab.lab.facade import Lab
from medkg_lab.lab.lookup import person
from medkg_lab.ledger import answers, named_queries
from medkg_lab.ledger.state import FINISHED, JobState
from medkg_lab.models.event_codec import to_json
from medkg_lab.stages.contracts import Lane
from medkg_lab.tui import keys
from medkg_lab.tui.dialogs import Answer, Choice, Question, Sheet
from medkg_lab.tui.formatting import clock, number, plural, short_id
from medkg_lab.tui.messages import GoTo, Snapshot, Subject
from medkg_lab.tui.screens.base import ModeScreen
from medkg_lab.tui.screens.frame_screen import Session
from medkg_lab.tui.screens.jobs import render
from medkg_lab.tui.screens.jobs.panel import JobPanel
from medkg_lab.tui.screens.jobs.queries import Incident, beginning, detail_of, export_incident, run_page
from medkg_lab.tui.screens.jobs.render import JobDetail
from medkg_lab.tui.theme import Line
from medkg_lab.tui.widgets.table import Table

PAGE = 200
REST_S = 0.12
"""Seconds that the cursor rests on a job before its detail is asked for."""
MAX_MARKED = 10_000
SORT_COLUMNS = {
    "newest": "AGE", "changed": "TOOK", "document": "DOCUMENT", "pipeline": "PIPELINE", "state": "STATE", "stage": "STAGE",
}  # fmt: skip
"""The orders that a click on a column's title gives."""


class JobsScreen(ModeScreen):
    """The list of jobs over the detail of one."""

    word = "jobs"
    about = (
        "Every job, the newest first. / narrows the list as you type: words look at document, id and reason; state:, "
        "pipeline:, stage:, kind:, source:, doc: and job: at one field; - before a word excludes it. Enter goes to the "
        "job's stages; [ and ] change what is shown of it."
    )
    twins = (
        "medkg-lab jobs list --state failed · jobs show ID · jobs why ID · jobs retry ID --from STAGE · jobs cancel ID · "
        "repro export ID --out FILE"
    )
    AUTO_FOCUS = "#jobs"
    poll_every_s = 0.5
    BINDINGS = keys.bindings(
        "open", "narrow", "demo", "export", "graph", "acknowledge", "mark", "mark_all", "sort", "reverse", "earlier",
        again="retry", end="cancel", put="submit", later="next tab",
    )  # fmt: skip
    footer = ("open", "why", "again", "end", "narrow", "later")

    DEFAULT_CSS = """
    JobsScreen #jobs { height: 2fr; }
    JobsScreen #job { height: 1fr; min-height: 13; }
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._filter = ""
        self._sort = "newest"
        self._reverse = False
        self._offset = 0
        self._total = 0
        self._held: dict[str, job_queries.ListedJob] = {}
        self._seen_head: object = None
        self._as_of = ""

    def compose_mode(self) -> ComposeResult:
        """The regions."""
        yield Table(render.LIST, id="jobs", page=PAGE)
        yield JobPanel(id="job")

    @property
    def _list(self) -> Table:
        return self.query_one("#jobs", Table)

    @property
    def _panel(self) -> JobPanel:
        return self.query_one(JobPanel)

    # Looking

    def shown(self) -> None:
        """Look at once, then whenever the ledger has moved."""
        self._seen_head = None
        self._refresh()

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Say how old the list is when the ledger does not answer."""
        since = snapshot.behind.get("ledger")
        self._list.greyed = since is not None
        self._as_of = f" · as of {clock(since)}, the ledger does not answer" if since is not None else ""
        self._head()

    def poll_lab(self) -> None:
        """Ask again when the ledger has moved; else only ages change."""
        head = self.snapshot.head
        if head is not None and head != self._seen_head:
            self._seen_head = head
            self._refresh()
            if self._list.row is not None:
                self._refresh_detail()
        elif self._list.rows:
            self._paint_list()

    def _refresh(self) -> None:
        text, sort, reverse, offset = self._filter, self._sort, self._reverse, self._offset

        def work(lab: Lab) -> job_queries.JobPage:
            return job_queries.jobs(lab.ledger, text, sort, reverse, offset, PAGE)

        self.query_lab("window", work, self._show_rows, self._unread)

    def _show_rows(self, window: job_queries.JobPage) -> None:
        self._held = {row.job_id: row for row in window.rows}
        self._total, self._offset = window.total, window.offset
        self._paint_list()

    def _unread(self, error: LabError) -> None:
        if not self._held:
            self._list.empty = [[(f"  {error}", "muted")]]
            self._list.show([])

    def _paint_list(self) -> None:
        now = time.time()
        table = self._list
        rows = [render.job_row(job, now) for job in self._held.values()]
        table.empty = self._empty()
        table.show(rows, self._total, self._offset)
        self._head()

    def _empty(self) -> list[Line]:
        if self._filter:
            everything = sum(self.snapshot.jobs.values())
            return [[(f"  None of {number(everything)} jobs match {self._filter}. ", "text"), ("esc", "accent bold"),
                     (" clears the filter.", "text")]]  # fmt: skip
        return [[("  No jobs yet. ", "text"), ("i", "accent bold"), (" submits documents, ", "text"), ("d", "accent bold"),
                 (" runs the bundled ones.", "text")]]  # fmt: skip

    def _head(self) -> None:
        everything = sum(self.snapshot.jobs.values())
        title = f"Jobs · {number(self._total)}"
        if self._filter:
            title = f"Jobs · {number(self._total)} of {number(everything)} · /{self._filter}"
        marked = len(self._list.marks.keys)
        arrow = "↑" if self._reverse else "↓"
        foot = (f"{marked} marked · " if marked else "") + f"{self._sort} {arrow} · s next{self._as_of}"
        self._list.head(title, foot)

    def on_table_wanted(self, message: Table.Wanted) -> None:
        """Rows beyond the window are needed."""
        if message.table is self._list:
            self._offset = message.offset
            self._refresh()

    def on_table_moved(self, message: Table.Moved) -> None:
        """Another job is under the cursor."""
        if message.table is self._list:
            self.after_rest(REST_S, self._refresh_detail)

    def on_table_head_clicked(self, message: Table.HeadClicked) -> None:
        """Sort by the column whose title was clicked; a second click reverses."""
        sort = next((name for name, title in SORT_COLUMNS.items() if title == message.title), "")
        if message.table is self._list and sort:
            self._reverse, self._sort = (not self._reverse if sort == self._sort else False), sort
            self._offset = 0
            self._list.set_cursor(0)
            self._refresh()

    def _refresh_detail(self) -> None:
        row = self._list.row
        if row is None:
            self._panel.show(None)
            return
        job_id = row.key

        def show(detail: JobDetail | None) -> None:
            if detail is not None and self._list.row is not None and self._list.row.key == job_id:
                self._panel.show(detail)
                self.refresh_bindings()

        self.query_lab("detail", lambda lab: detail_of(lab, job_id), show, lambda _: None)

    # Hooks

    def subject(self) -> Subject | None:
        """The job under the cursor."""
        row = self._list.row
        job = self._held.get(row.key) if row is not None else None
        if job is None:
            return None
        detail = self._panel.detail
        whole = detail.job if detail is not None and detail.job.job_id == job.job_id else None
        lane = whole.lane if whole is not None else Lane.COMPUTE
        return Subject("job", job.job_id, job.doc_id, f"engine-{lane}", answers.to_json(whole or job))

    def narrow(self, text: str) -> None:
        """Show only what fits."""
        if text != self._filter:
            self._filter, self._offset = text, 0
            self._list.cursor = self._list.top = 0
            self._refresh()

    def narrowed(self) -> str:
        """The filter."""
        return self._filter

    def step_back(self) -> bool:
        """From the detail to the list; then unmark."""
        if self._panel.rows.has_focus or self.has_class("deep"):
            self.remove_class("deep")
            self._list.focus()
            return True
        if self._list.marks.keys:
            self._list.marks.keys.clear()
            self._paint_list()
            return True
        return False

    def can(self, action: str) -> bool:
        """Most needs a job; a job that has ended cannot be cancelled, one that has not cannot be retried."""
        row = self._list.row
        job = self._held.get(row.key) if row is not None else None
        if action in ("earlier", "later"):
            return self._panel.detail is not None
        if action == "graph":
            return job is not None and job.state == JobState.COMPLETED
        if action not in ("again", "end", "open", "mark", "mark_all", "export", "acknowledge"):
            return super().can(action)
        if job is None or self._list.marks.keys:
            return job is not None
        ended = job.state in FINISHED
        failed = job.state in (JobState.FAILED, JobState.DEAD)
        return {"again": ended, "export": ended, "end": not ended, "acknowledge": failed}.get(action, True)

    def completions(self) -> list[str]:
        """Filters that are asked for often."""
        states = ("running", "queued", "gate", "completed", "failed", "dead", "cancelled")
        return [*states, *(f"pipeline:{name}" for name in self.snapshot.stages)]

    def command(self, words: Sequence[str]) -> bool:
        """`:jobs failed` narrows to a state, anything else as `/` would."""
        states = {"running", "queued", "gate", "completed", "failed", "dead", "cancelled"}
        self.narrow(" ".join(f"state:{word}" if word in states else word for word in words))
        return True

    # Actions

    def action_open(self) -> None:
        """From the list to the stages, from a stage to all about it."""
        if not self._panel.rows.has_focus:
            self.add_class("deep")
            self._panel.rows.focus()
            return
        row, detail = self._panel.rows.row, self._panel.detail
        if row is None or detail is None:
            return
        match self._panel.tab:
            case "Events":
                event = next((one for one in detail.events if str(one.seq) == row.key), None)
                if event is not None:
                    self.show_raw(f"event {row.key}", to_json(event))
            case "Timeline" | "In and out":
                self._open_stage(detail, row.key)

    def _open_stage(self, detail: JobDetail, stage: str) -> None:
        run = detail.run_of(stage)

        def work(lab: Lab) -> list[Line]:
            return beginning(lab, run.ref) if run is not None and run.ref else []

        def show(looks: list[Line]) -> None:
            title = f"{detail.job.doc_id} · {stage}"
            self.app.push_screen(Sheet(title, render.stage_lines(detail, stage, looks)))

        self.query_lab("stage", work, show)

    def action_part(self, step: int) -> None:
        """The next tab of the detail, or the one before."""
        self._panel.turn(step)

    def action_sort(self) -> None:
        """Sort by the next column."""
        names = list(named_queries.SORTS)
        self._sort = names[(names.index(self._sort) + 1) % len(names)]
        self._offset = 0
        self._list.set_cursor(0)
        self._refresh()

    def action_reverse(self) -> None:
        """Turn the order round."""
        self._reverse = not self._reverse
        self._offset = 0
        self._list.set_cursor(0)
        self._refresh()

    def action_mark(self) -> None:
        """Mark the job."""
        self._list.toggle_mark()
        self._head()

    def action_mark_all(self) -> None:
        """Mark all that the filter shows, or none."""
        if self._list.marks.keys:
            self._list.marks.keys.clear()
            self._paint_list()
            return
        text = self._filter

        def show(ids: list[str]) -> None:
            self._list.marks.keys = set(ids)
            self._paint_list()
            if len(ids) == MAX_MARKED:
                self.notify(f"The newest {number(MAX_MARKED)} are marked: no more can be at once.", severity="warning")

        self.query_lab("marks", lambda lab: job_queries.job_ids(lab.ledger, text, MAX_MARKED), show)

    def _chosen(self) -> list[str]:
        return sorted(self._list.marks.keys) or ([self._list.row.key] if self._list.row else [])

    def action_again(self) -> None:
        """Ask from which stage, then retry."""
        ids = self._chosen()
        job = self._held.get(ids[0])
        stages = self.snapshot.stages.get(job.pipeline_name, ()) if job is not None else ()
        name = job.doc_id if len(ids) == 1 and job else plural(len(ids), "job")
        done = (
            "the first stage that is not done"
            if job is None or job.state is not JobState.COMPLETED
            else "the beginning"
        )
        options = [("", f"from {done}"), *((stage, f"from {stage}") for stage in stages)]
        question = Question(
            f"Retry {name}",
            ["What the stages before wrote is reused; later stages are recomputed."],
            (Choice("r", f"Retry {name}", "retry"), Choice("", "Cancel", "")),
            f"medkg-lab jobs retry {short_id(ids[0])} --from STAGE",
            options=options,
        )

        def then(answer: Answer) -> None:
            self._each(ids, lambda lab, id: lab.ledger.retry(id, answer.option or None, by=person()), "Retrying")

        self.choose(question, then)

    def action_end(self) -> None:
        """Ask for the reason, then cancel."""
        ids = self._chosen()
        job = self._held.get(ids[0])
        name = job.doc_id if len(ids) == 1 and job else plural(len(ids), "job")
        question = Question(
            f"Cancel {name}",
            ["A running one stops after its stage. What was written stays."],
            (Choice("x", f"Cancel {name}", "cancel"), Choice("", "Cancel", "")),
            f"medkg-lab jobs cancel {short_id(ids[0])} --why TEXT",
            asks="why (recorded with your name)",
        )

        def then(answer: Answer) -> None:
            why = answer.text or "no reason given"
            self._each(ids, lambda lab, id: lab.ledger.cancel(id, by=person(), why=why), "Cancelled")

        self.choose(question, then)

    def action_acknowledge(self) -> None:
        """Note that these failures were seen."""
        ids = self._chosen()

        def then(seen: list[str]) -> None:
            self._list.marks.keys.clear()
            self.notify(f"{plural(len(seen), 'failure')} acknowledged; the record names you.")

        self.act(lambda lab: lab.ledger.acknowledge(ids, by=person()), then)

    def _each(self, ids: list[str], do: Callable[[Lab, str], object], what: str) -> None:
        def then(done: int) -> str:
            self._list.marks.keys.clear()
            self._seen_head = None
            return f"{what} {plural(done, 'job')}."

        self.act_on_each(ids, do, then)

    def action_export(self) -> None:
        """Export the job as an incident, import that into a home of its own, and replay it there at the step that failed."""
        if (subject := self.subject()) is None:
            return
        self.notify(f"Exporting {subject.name} …")

        def then(made: Incident) -> None:
            self.notify(f"Exported to {made.archive}")
            self.post_message(GoTo("replay", [str(made.home), made.stage]))

        self.act(lambda lab: export_incident(lab, subject.id), then)

    def action_graph(self) -> None:
        """Walk the graph from the job's document."""
        if (subject := self.subject()) is not None:
            self.post_message(GoTo("graph", [subject.name]))

    def action_dagster(self) -> None:
        """Open the job's run in Dagster."""
        if (subject := self.subject()) is not None:
            self.open_dagster(lambda lab: run_page(lab, subject.id))
