"""1 Lab: is it up, is it moving, does it need me."""

import time
from typing import TYPE_CHECKING

import msgspec
from textual.app import ComposeResult
from textual.containers import Horizontal

from medkg_lab.lab.facade import Lab
from medkg_lab.lab.lookup import person
from medkg_lab.tui import alerts, keys
from medkg_lab.tui.dialogs import Sheet
from medkg_lab.tui.formatting import clock, columns, plural, uptime
from medkg_lab.tui.messages import Snapshot, Subject, WatchedProcess
from medkg_lab.tui.screens.base import ModeScreen
from medkg_lab.tui.screens.lab.render import (
    about,
    behind,
    doctor,
    machine,
    need_line,
    no_lab,
    nothing,
    places,
    process_row,
    refused_question,
    starting_head,
)
from medkg_lab.tui.theme import Line
from medkg_lab.tui.widgets.line_view import Column
from medkg_lab.tui.widgets.panel import Lines, Panel
from medkg_lab.tui.widgets.table import Table

if TYPE_CHECKING:
    from medkg_lab.lab.doctor import Finding
    from medkg_lab.lab.failures import Refusal

USUAL_GAUGES, MAX_GAUGES = 6, 12
"""Lines of the regions in the middle: more where there is more than one GPU."""
PROCESS_COLUMNS = (
    Column("PROCESS", 15),
    Column("STATE", 11),
    Column("WHY / DOING", 0),
    Column("RESTARTS", 8, right=True, wide=90),
    Column("CPU", 6, right=True),
    Column("MEMORY", 8, right=True),
    Column("PORT", 6, right=True, wide=90),
    Column("FOR", 8, right=True, wide=90),
)


class LabScreen(ModeScreen):
    """Processes, throughput, lag and limits at one look."""

    word = "lab"
    about = (
        "Is it up, is it moving, does it need me. What needs you comes first, each line with the key that deals with it. "
        "The cursor is on a process: enter shows all about it."
    )
    twins = "medkg-lab status --why · doctor · watch · restart NAME · logs NAME · submit PATH · demo · down"
    AUTO_FOCUS = "#processes"
    BINDINGS = keys.bindings(
        "demo", "put", "acknowledge", again="restart", open="open", diff="doctor: is what the profile needs here"
    )
    footer = ("open", "why", "logs", "again", "demo", "put", "command")

    DEFAULT_CSS = """
    LabScreen #needs { max-height: 7; }
    LabScreen #processes { height: auto; max-height: 11; }
    LabScreen #moving { width: 5fr; height: 8; }
    LabScreen #behind { width: 4fr; height: 8; }
    LabScreen #machine { width: 4fr; height: 8; }
    LabScreen #gauges { height: auto; }
    LabScreen #places { height: 1fr; min-height: 4; }
    """

    def compose_mode(self) -> ComposeResult:
        """The regions."""
        yield Panel(id="needs", clicks=True)
        yield Table(PROCESS_COLUMNS, id="processes")
        with Horizontal(id="gauges"):
            yield Panel("Moving", id="moving")
            yield Panel("Lag", id="behind")
            yield Panel("Machine", id="machine")
        yield Panel("Flow", id="places")

    def shown(self) -> None:
        """Paint what is known already."""
        self.call_after_refresh(lambda: self._paint(self.snapshot))

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Repaint."""
        self._paint(snapshot)

    def words(self) -> dict[str, str]:
        """The demo is offered louder while nothing has run."""
        return {} if self.snapshot.jobs else {"demo": "run the demo"}

    def can(self, action: str) -> bool:
        """Processes can be restarted and opened where there are some."""
        if action == "acknowledge":
            return bool(self.snapshot.refused)
        return bool(self.snapshot.processes) if action in ("again", "open", "diff") else super().can(action)

    def subject(self) -> Subject | None:
        """The process under the cursor."""
        process = self._process()
        if process is None:
            return None
        return Subject("process", process.name, process.name, process.name, msgspec.to_builtins(process))

    def _process(self) -> WatchedProcess | None:
        row = self.query_one("#processes", Table).row
        return self.snapshot.process(row.key) if row is not None else None

    # Painting

    def _paint(self, seen: Snapshot) -> None:
        if not self.query("#places"):
            return  # not composed yet; it is painted when it is
        self._paint_needs(seen)
        self._paint_processes(seen)
        self.query_one("#moving", Panel).show(self._moving(seen))
        self.query_one("#behind", Panel).show(behind(seen))
        has = self.query_one("#machine", Panel)
        lines = machine(seen, has.size.width)
        has.show(lines)
        if len(lines) > USUAL_GAUGES:
            for panel in self.query("#gauges Panel"):
                panel.styles.height = min(len(lines), MAX_GAUGES) + 2
        where = self.query_one("#places", Panel)
        where.show(places(seen, self.has_class("-narrow"), max(4, where.size.height)))
        old = f"as of {clock(min(seen.behind.values()))} · ledger does not answer" if seen.behind else ""
        where.head("Flow", old)

    def _paint_needs(self, seen: Snapshot) -> None:
        panel = self.query_one("#needs", Panel)
        if seen.lab is None:
            panel.head("No lab" if seen.at and not seen.trouble else "")
            panel.show([no_lab(seen, self.session.starts and not seen.counts)])
            return
        if not seen.is_ready and not any(seen.jobs.values()) and not alerts.attention(seen):
            panel.head(*starting_head(seen))
            panel.show([[("Each process waits for those it needs; below is what each does now.", "muted")]])
            return
        needs = alerts.attention(seen)
        panel.head(f"Needs you · {len(needs)}" if needs else "Needs you")
        if not needs:
            panel.show([nothing(seen)])
            return
        width = panel.size.width or 76
        panel.show([need_line(one, width) for one in needs[: alerts.SHOWN]])

    def _paint_processes(self, seen: Snapshot) -> None:
        table = self.query_one("#processes", Table)
        now = seen.at or time.time()
        table.show([process_row(one, seen, now) for one in seen.processes])
        table.styles.height = len(seen.processes) + 3 if seen.processes else 4
        up = sum(one.state == "ready" for one in seen.processes)
        table.head(f"Processes · {up} of {len(seen.processes)} up" if seen.processes else "Processes")
        table.empty = [[("  Nothing runs." if seen.at else "", "muted")]]

    def _moving(self, seen: Snapshot) -> list[Line]:
        panel = self.query_one("#moving", Panel)
        width, height = max(10, panel.size.width), max(3, panel.size.height)
        rates = list(seen.throughput)
        last = sum(rates[-5:]) / max(1, len(rates[-5:]))
        best = max([*rates, 0.0])
        lines: list[Line] = [[(f"{last:.1f} docs/s", "text bold"), (f"   best {best:.1f}", "muted")]]
        lines += [[(row, "run")] for row in columns(rates, width, max(1, height - 2))]
        since = uptime(min(len(rates), width))
        lines.append([(f"{since} ago".ljust(max(0, width - 3)) + "now", "muted")])
        return lines

    # Actions

    async def on_lines_clicked(self, message: Lines.Clicked) -> None:
        """A line of what needs the person was clicked: it does what its key does."""
        needs = alerts.attention(self.snapshot)
        if message.row < len(needs):
            self.app.simulate_key(needs[message.row].key)

    def action_open(self) -> None:
        """All about the process under the cursor, with the end of its log."""
        process = self._process()
        if process is None:
            return
        path = self.lab.locations.log(process.name)

        def read(lab: Lab) -> list[str]:
            from medkg_lab.lab.job_queries import log_tail

            return log_tail(path, None, 8192)[0][-12:]

        def show(tail: list[str]) -> None:
            self.app.push_screen(Sheet(process.name, about(process, tail), "l whole log · esc close"))

        self.query_lab("process", read, show)

    def action_again(self) -> None:
        """Ask, then restart the process under the cursor."""
        if (process := self._process()) is not None:
            self.confirm_restart(process)

    def action_acknowledge(self) -> None:
        """Show the records that were refused, then note that they were seen."""

        def read(lab: Lab) -> "list[Refusal]":
            # Here, so that the first frame does not wait for the broker's client library.
            from medkg_lab.lab.failures import refusals

            return refusals(lab)

        def show(found: "list[Refusal]") -> None:
            if found:
                self.choose(refused_question(found), lambda _: self.act(work, on_acknowledged))

        def on_acknowledged(seen: int) -> None:
            self.notify(f"{plural(seen, 'refused record')} acknowledged.")

        def work(lab: Lab) -> int:
            from medkg_lab.lab.failures import acknowledge_refusals

            return acknowledge_refusals(lab, person())

        self.notify("Reading the refused records …")
        self.query_lab("refused", read, show)

    def action_diff(self) -> None:
        """What the profile needs and whether it is here, as `medkg-lab doctor` says it."""

        def read(lab: Lab) -> "list[Finding]":
            # Here, so that the first frame does not wait for what the checks load.
            from medkg_lab.lab.doctor import examine

            return examine(lab.locations, lab.settings)

        def show(findings: "list[Finding]") -> None:
            good = sum(one.ok for one in findings)
            self.app.push_screen(Sheet(f"Doctor · {good} of {len(findings)} in order", doctor(findings), "esc close"))

        self.notify("Checking what the profile needs …")
        self.query_lab("doctor", read, show)
