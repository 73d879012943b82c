"""All about one job: how it stands, and a list that shows one side of it at a time."""

import time

from textual.app import ComposeResult
from textual.containers import Vertical

from medkg_lab.tui.formatting import short_id
from medkg_lab.tui.screens.jobs import render
from medkg_lab.tui.screens.jobs.render import JobDetail
from medkg_lab.tui.widgets.panel import Lines
from medkg_lab.tui.widgets.table import Column, Row, Table

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
        yield Table(render.TIMELINE, id="detail")

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
        verdict.show(render.verdict(detail.job, now))

    def _rows(self, detail: JobDetail, now: float) -> tuple[tuple[Column, ...], list[Row]]:
        match self.tab:
            case "Timeline":
                room = self.rows.room(render.TIMELINE, 1)
                return render.TIMELINE, render.timeline(detail, room, now)
            case "Events":
                return render.EVENTS, render.event_rows(detail)
            case "In and out":
                return render.IN_OUT, render.in_out(detail)
            case "Error":
                return render.TEXT, render.error_rows(detail, max(12, self.rows.size.width - 8))
            case _:
                return render.LINEAGE, render.lineage(detail)
