"""All about one job: how it stands, and a list that shows one side of it at a time."""

import time
from collections.abc import Sequence

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message

from medkg_lab.tui.formatting import short_id
from medkg_lab.tui.screens.jobs import render
from medkg_lab.tui.screens.jobs.render import JobDetail
from medkg_lab.tui.widgets.line_view import Column
from medkg_lab.tui.widgets.panel import Lines
from medkg_lab.tui.widgets.table import Row, Table

TABS = ("Timeline", "Events", "In and out", "Error", "Lineage")


class Tabs(Lines):
    """The sides of a job by their names, the one that is seen marked; a click chooses one."""

    DEFAULT_CSS = "Tabs { height: 1; padding: 0 2; }"

    class Chosen(Message):
        """A tab was clicked."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(id="tabs")
        self._names = names

    def show_tab(self, number: int) -> None:
        """Mark this one."""
        self.show(
            [[(f" {name} ", "accent bold reverse" if at == number else "muted") for at, name in enumerate(self._names)]]
        )

    def on_click(self, event: events.Click) -> None:
        """Choose the tab under the mouse."""
        end, at = self.gutter.left, event.x
        for number, name in enumerate(self._names):
            end += len(name) + 2
            if at < end:
                self.post_message(self.Chosen(number))
                return


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
        yield Tabs(TABS)
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
        self.rows.set_cursor(0)
        self._paint()

    def on_tabs_chosen(self, message: Tabs.Chosen) -> None:
        """A tab was clicked."""
        self.turn(message.number - self._tab)

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
        self.query_one(Tabs).show_tab(self._tab)
        table.head(f"{detail.job.doc_id} · {short_id(detail.job.job_id)}", "[ ] next tab")
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
