"""All about one job: how it stands, and a list that shows one side of it at a time."""

import time

from textual.app import ComposeResult
from textual.containers import Vertical

from medkg_lab.tui import job_lines
from medkg_lab.tui.job_lines import JobDetail
from medkg_lab.tui.widgets.panel import Lines
from medkg_lab.tui.widgets.table import Column, Row, Table
from medkg_lab.tui.words import short_id

TABS = ("Timeline", "Events", "In and out", "Error", "Lineage")


class JobPanel(Vertical):
    """The verdict over the tab that is chosen."""

    DEFAULT_CSS = """
    JobPanel #verdict { height: auto; max-height: 2; padding: 0 2; }
    JobPanel #detail { height: 1fr; }
    """

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.detail: JobDetail | None = None
        self._tab = 0

    def compose(self) -> ComposeResult:
        """The regions."""
        yield Lines(id="verdict")
        yield Table(job_lines.TIMELINE, id="detail")

    @property
    def rows(self) -> Table:
        """What the tab lists."""
        return self.query_one("#detail", Table)

    @property
    def tab(self) -> str:
        """The tab that is seen."""
        return TABS[self._tab]

    def show(self, detail: JobDetail | None) -> None:
        """Show this job from now on, or none."""
        self.detail = detail
        self._paint()

    def turn(self, step: int) -> None:
        """Go to the next tab, or the one before."""
        self._tab = (self._tab + step) % len(TABS)
        self.rows.go(0)
        self._paint()

    def on_resize(self) -> None:
        """Bars are as long as there is room."""
        self.call_after_refresh(self._paint)

    def _paint(self) -> None:
        table, detail, verdict = self.rows, self.detail, self.query_one("#verdict", Lines)
        if detail is None:
            verdict.show([[]])
            table.head("")
            table.show([])
            return
        now = time.time()
        table.columns, rows = self._rows(detail, now)
        table.empty = [[("  Nothing yet.", "muted")]]
        table.show(rows)
        tabs = " ".join(f"‹{name}›" if at == self._tab else name for at, name in enumerate(TABS))
        table.head(f"{detail.job['doc_id']} · {short_id(detail.job['job_id'])}", f"[ ]  {tabs}")
        verdict.show(job_lines.verdict(detail.job, now))

    def _rows(self, detail: JobDetail, now: float) -> tuple[tuple[Column, ...], list[Row]]:
        match self.tab:
            case "Timeline":
                room = self.rows.room(job_lines.TIMELINE, 1)
                return job_lines.TIMELINE, job_lines.timeline(detail, room, now)
            case "Events":
                return job_lines.EVENTS, job_lines.event_rows(detail)
            case "In and out":
                return job_lines.IN_OUT, job_lines.in_out(detail)
            case "Error":
                return job_lines.TEXT, job_lines.error_rows(detail, max(12, self.rows.size.width - 8))
            case _:
                return job_lines.LINEAGE, job_lines.lineage(detail)
