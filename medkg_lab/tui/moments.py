"""Coming and going: starting the lab, the demo, submitting, what is worth a toast, and leaving."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from medkg_lab.lab.facade import Lab
from medkg_lab.topology import bundled
from medkg_lab.tui import glyphs
from medkg_lab.tui.alerts import needs_person
from medkg_lab.tui.dialogs import Answer, Choice, Dialog, Question
from medkg_lab.tui.formatting import plural, uptime
from medkg_lab.tui.messages import Snapshot

if TYPE_CHECKING:
    from medkg_lab.lab.submit import Outcome
    from medkg_lab.tui.app import LabApp

DEMO_PARTS = ("trials", "articles", "papers", "broken")


class Moments:
    """Mixed into the program."""

    _gates_told: frozenset[str] = frozenset()
    _attached = False

    @property
    def _moments_app(self) -> "LabApp":
        return cast("LabApp", self)

    def begin(self) -> None:
        """Start the lab, or attach to the one that runs."""
        if self._moments_app.starting:
            self.start_lab()

    def start_lab(self) -> None:
        """Start the lab unless it runs."""
        app = self._moments_app

        def work(lab: Lab) -> float | None:
            if lab.supervisor.is_running():
                return float(lab.supervisor.status()["since"])
            lab.supervisor.up()
            return None

        def then(since: float | None) -> None:
            if since is not None:
                app.tell(f"Attached: this lab has been up for {uptime(time.time() - since)}.")
            app.poller.hurry()

        app.asker.ask("start", work, then, app.toast_error)

    def moment(self, seen: Snapshot) -> None:
        """Say what has just happened and matters."""
        app = self._moments_app
        waiting = {gate["job_id"]: gate for gate in seen.gates if needs_person(gate)}
        new = frozenset(waiting) - self._gates_told
        if new and self._attached:
            gate = app.mode_called("gate")
            key = f" {gate.number} shows them." if gate is not None else ""
            app.tell(
                f"◇ {plural(len(new), 'document')} {'waits' if len(new) == 1 else 'wait'} for you at a gate.{key}",
                "warning",
            )
        self._gates_told |= frozenset(waiting)
        self._attached = self._attached or bool(seen.counts)

    def do_demo(self) -> None:
        """Put the bundled documents on the queue."""
        folder = bundled.folder() / "demo"
        self.submit([str(folder / part) for part in DEMO_PARTS], "the bundled documents")

    def submit(self, targets: list[str], named: str = "") -> None:
        """Put documents on the queue and say how many."""
        app = self._moments_app
        app.tell(f"Submitting {named or ', '.join(targets)} …")

        def work(lab: Lab) -> "Outcome":
            # Here, so that the first frame does not wait for the broker's client library.
            from medkg_lab.lab import submit as submitting

            return submitting.submit(lab, targets, submitting.Options())

        def then(outcome: "Outcome") -> None:
            known = sum(job.already for job in outcome.jobs)
            text = f"{plural(len(outcome.jobs) - known, 'document')} put on the queue"
            text += f", {known} known already" if known else ""
            text += f", {plural(len(outcome.skipped), 'file')} left out" if outcome.skipped else ""
            app.tell(text + ".")

        app.act(work, then, "")

    def do_put(self) -> None:
        """Ask what to submit."""
        question = Question(
            "Submit documents",
            [[("A file or folder, or an id: NCT04280705, PMC7096777, a DOI.", "text")]],
            (Choice("", "Submit", "submit"), Choice("", "Leave", "")),
            "medkg-lab submit PATH|ID",
            asks="path or id",
            required=True,
        )

        def then(answer: Answer | None) -> None:
            if answer is not None:
                self.submit([answer.text])

        self._moments_app.push_screen(Dialog(question), then)

    def ask_restart(self, process: Mapping[str, Any]) -> None:
        """Ask, then restart a process."""
        app, name = self._moments_app, process["name"]
        past = f"It has been {glyphs.of_process(process['state']).word}, {plural(process['restarts'], 'restart')}."
        question = Question(
            f"Restart {name}",
            [
                [("Nothing that was acknowledged is lost; work under way is taken up again.", "text")],
                [(past, "muted")],
            ],
            (Choice("r", f"Restart {name}", "restart"), Choice("", "esc Leave it", "")),
            f"medkg-lab restart {name}",
        )

        def then(answer: Answer | None) -> None:
            if answer is not None:
                app.act(lambda lab: lab.supervisor.restart(name), None, f"{name} is being restarted.")

        app.push_screen(Dialog(question), then)

    def stop_lab(self) -> None:
        """Stop the lab; the screen stays."""
        app = self._moments_app
        app.tell("Stopping the lab; leases are given back.")
        app.act(lambda lab: lab.supervisor.down(), None, "The lab is stopped. :start starts it again.")

    def do_quit(self) -> None:
        """Ask whether the lab goes on, then leave."""
        app = self._moments_app
        seen = app.snapshot
        if seen.lab is None:
            app.exit()
            return
        busy = seen.jobs.get("running", 0) + seen.jobs.get("queued", 0)
        doing = f"{plural(busy, 'job')} on the way, {seen.jobs.get('waiting_gate', 0)} at a gate."
        question = Question(
            "Leave the screen",
            [
                [(doing, "text bold")],
                [("It goes on without a screen; medkg-lab opens this again.", "muted")],
            ],
            (
                Choice("k", "Keep the lab running", "keep"),
                Choice("s", "Stop the lab", "stop"),
                Choice("", "esc Stay", ""),
            ),
            "keep: nothing to type · stop: medkg-lab down",
        )
        app.push_screen(Dialog(question), self._leave)

    def _leave(self, answer: Answer | None) -> None:
        app = self._moments_app
        if answer is None:
            return
        if answer.value == "keep":
            app.exit()
            return
        app.tell("Stopping the lab; leases are given back.")
        app.act(lambda lab: lab.supervisor.down(), lambda _: app.exit(), "")
