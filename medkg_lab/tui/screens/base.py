"""What a mode is: one number key's worth of the screen, with the keys that mean the same in all of them.

To add a mode, subclass `ModeScreen`, set its class variables, and list it in `tui/modes.py`. A key of the registry
(`keys.py`) is bound by `BINDINGS = keys.bindings(…)` and does `action_<id>`, while `can(id)` says that it has something to do.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from textual.binding import BindingType
from textual.content import Content
from textual.widget import Widget

from medkg_lab.errors import LabError
from medkg_lab.lab.dagster_access import open_in_browser
from medkg_lab.lab.facade import Lab
from medkg_lab.lab.why import why_process
from medkg_lab.supervisor.answers import ProcessRow
from medkg_lab.text import sanitize
from medkg_lab.topology import bundled
from medkg_lab.tui import glyphs, keys
from medkg_lab.tui.dialogs import Answer, Choice, Dialog, Jump, Question, Sheet, Why
from medkg_lab.tui.formatting import clock, plural, uptime
from medkg_lab.tui.messages import GoTo, Subject
from medkg_lab.tui.screens.frame_screen import FrameScreen
from medkg_lab.tui.theme import Line, Span
from medkg_lab.tui.widgets.panel import wrapped

RAW_WIDTH = 104
JUMP_LETTERS = "asdfghjkl"
DEMO_PARTS = ("trials", "articles", "papers", "broken")
ANSWERS = ("again", "open_gate", "end", "logs")
"""The actions that the answer to why offers, where they have something to do."""
ABOUT_SUBJECT = frozenset(one.id for one in keys.SUBJECT_ACTIONS) - {"open"}
BUNDLED = "the bundled documents"


class ModeScreen(FrameScreen):
    """A mode with what can be done with the thing under its cursor, and with the lab."""

    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(
        "help", "jump", "zoom", "why", "logs", "raw", "copy", "events", "dagster"
    )

    def subject(self) -> Subject | None:
        """The thing under the cursor: the keys w, l, E, c, y and b act on it."""
        return None

    def can(self, action: str) -> bool:
        """What acts on the thing under the cursor needs one; documents are submitted to a lab that is up."""
        if action in ("put", "demo"):
            return self.snapshot.is_ready
        return self.subject() is not None if action in ABOUT_SUBJECT else True

    # The thing under the cursor

    def action_why(self) -> None:
        """Say why the thing under the cursor does not move."""
        if (subject := self.subject()) is not None:
            self.explain(subject)

    def explain(self, subject: Subject) -> None:
        """Show the answer to why for a job or a process."""
        # Here, so that the first frame does not wait for what reads the settings.
        from medkg_lab.lab.status import explain_job, explain_process

        dialog = self._why_dialog(subject, "medkg-lab status --why")

        process = self.snapshot.process(subject.id) if subject.kind == "process" else None

        def show_error(error: LabError) -> None:
            dialog.show_answer([str(error)] if process is None else [why_process(process), str(error)])

        if process is not None:
            # What the lab cannot be asked now is skipped.
            self.query_lab("why", lambda lab: explain_process(lab, process), dialog.show_answer, show_error)
            return

        def read(lab: Lab) -> list[str]:
            job = lab.ledger.get(subject.id)
            return [explain_job(lab, job) if job else "The ledger does not know it yet: it is on the queue."]

        self.query_lab("why", read, dialog.show_answer, show_error)

    def show_why(self, subject: Subject, sentence: str) -> None:
        """Show a sentence that answers why."""
        self._why_dialog(subject, "medkg-lab status --why").show_answer([sentence])

    def _why_dialog(self, subject: Subject, twin: str) -> Why:
        """Open the answer to why at once, with the keys that act on the subject; what it says is yet to come."""
        now, words = self.bound(), self.words()
        spans: list[Span] = []
        for each in ANSWERS:
            if each in now:
                word = words.get(each, self.word_of(each))
                spans += [(self.label_of(each), "accent bold"), (f" {word}  ", "muted")]
        offered = {now[each]: each for each in ANSWERS if each in now}
        twin = f"medkg-lab jobs why {subject.id}" if subject.kind == "job" else twin
        dialog = Why(f"Why: {subject.name or subject.id}", [("→ ", "muted"), *spans] if spans else [], offered, twin)

        async def then(action: str | None) -> None:
            if action:
                await self.run_action(action)

        self.app.push_screen(dialog, then)
        return dialog

    def word_of(self, action: str) -> str:
        """What an action is called here."""
        found = (one.binding.description for one in self.active_bindings.values() if one.binding.id == action)
        return next(found, keys.BY_ID[action].word)

    def action_logs(self) -> None:
        """Show the log that belongs to the thing under the cursor."""
        if (subject := self.subject()) is not None:
            name = subject.process or (subject.id if subject.kind == "process" else "")
            about = [f"/{subject.id}"] if subject.kind == "job" else []
            self.post_message(GoTo("logs", [*([name] if name else []), *about]))

    def action_events(self) -> None:
        """Show the events of the job under the cursor."""
        if (subject := self.subject()) is not None:
            self.post_message(GoTo("events", [f"job:{subject.id}"] if subject.kind == "job" else []))

    def action_raw(self) -> None:
        """Show the thing under the cursor as JSON."""
        if (subject := self.subject()) is not None:
            self.show_raw(subject.name or subject.id, subject.raw)

    def show_raw(self, title: str, raw: Mapping[str, Any]) -> None:
        """Show a record as JSON; y in it copies."""
        text = json.dumps(raw, indent=2, ensure_ascii=False, default=str)
        lines = [row for line in text.splitlines() for row in _indented(line)]
        self.app.push_screen(Sheet(title, lines, "y copy JSON · esc close", sanitize(text)))

    def action_copy(self) -> None:
        """Copy the id of the thing under the cursor."""
        if (subject := self.subject()) is not None:
            self.app.copy_to_clipboard(sanitize(subject.id))
            self.notify(f"Copied {subject.id}")

    def action_dagster(self) -> None:
        """Open Dagster in the browser; over SSH copy its address."""
        self.open_dagster(lambda _: "/")

    def open_dagster(self, page: Callable[[Lab], str]) -> None:
        """Open a page of Dagster in the browser; over SSH its address, which opens it once, goes to the clipboard."""

        def show(url: str) -> None:
            if not open_in_browser(url):
                self.app.copy_to_clipboard(sanitize(url))
                self.notify("Copied the address of Dagster; it opens once, within a minute.")

        self.query_lab("dagster", lambda lab: lab.dagster.url(page(lab)), show)

    async def on_table_opened(self) -> None:
        """A row was clicked twice."""
        await self.run_action("screen.open")

    def choose(self, question: Question, then: Callable[[Answer], Any]) -> None:
        """Ask a question and act on the answer; nothing is done after esc."""
        self.app.push_screen(Dialog(question), lambda answer: None if answer is None else then(answer))

    def act_on_each(self, ids: Sequence[str], do: Callable[[Lab, str], object], then: Callable[[int], str]) -> None:
        """Do something with each; a toast has what `then` says of how many it was done with, and why it was not with others."""

        def work(lab: Lab) -> tuple[int, LabError | None]:
            done, refused = 0, None
            for each in ids:
                try:
                    do(lab, each)
                    done += 1
                except LabError as error:
                    refused = error
            if refused is not None and not done:
                raise refused
            return done, refused

        def show(answer: tuple[int, LabError | None]) -> None:
            done, refused = answer
            self.notify(then(done) + (f" {len(ids) - done} not: {refused}" if refused else ""))

        self.act(work, show)

    # The screen itself

    def action_help(self) -> None:
        """Show what this mode is and which keys work now, or close that."""
        # Here, so that the first frame does not wait for what reads Markdown.
        from medkg_lab.tui.help import ModeHelp

        if not self.close_help():
            self.mount(ModeHelp(self.mode.title, self.about, self.twins))

    def leave_mode(self) -> None:
        """Esc at the top goes to the mode before; in Lab it does nothing."""
        if self.word != self.session.modes[0].word:
            self.post_message(GoTo(""))

    def action_jump(self) -> None:
        """Put a letter on each region; it takes the focus there."""
        regions = [each for each in self.query(Widget) if each.focusable and each.border_title]
        lettered = dict(zip(JUMP_LETTERS, regions, strict=False))
        titles: dict[str, Any] = {letter: each._border_title for letter, each in lettered.items()}
        for letter, region in lettered.items():
            title: Any = Content.assemble((f" {letter} ", "reverse"), " ", titles[letter])
            region.border_title = title

        def then(letter: str | None) -> None:
            for each, region in lettered.items():
                region.border_title = titles[each]
            if letter in lettered:
                self.set_focus(lettered[letter])

        self.app.push_screen(Jump(), then)

    def action_zoom(self) -> None:
        """Show the focused region alone, and back."""
        if self.maximized is not None:
            self.minimize()
        elif self.focused is not None:
            self.maximize(self.focused)

    def show_messages(self) -> None:
        """Show every toast so far."""
        told = self.session.told
        lines: list[Line] = [[(f"{clock(at)}  ", "muted"), (text, "text")] for at, text in reversed(told)]
        self.app.push_screen(Sheet("Messages", lines or [[("No messages yet.", "muted")]]))

    # The lab

    def start_lab(self) -> None:
        """Start the lab unless it runs."""

        def work(lab: Lab) -> float | None:
            if lab.supervisor.is_running():
                return lab.supervisor.status().since
            lab.supervisor.up()
            return None

        def then(since: float | None) -> None:
            if since is not None:
                self.notify(f"Attached: this lab has been up for {uptime(time.time() - since)}.")

        self.act(work, then)

    def stop_lab(self) -> None:
        """Stop the lab; the screen stays."""
        self.notify("Stopping the lab; leases are given back.")
        self.act(lambda lab: lab.supervisor.down(), None, "The lab is stopped. :start starts it again.")

    def action_put(self) -> None:
        """Ask what to submit."""
        question = Question(
            "Submit documents",
            ["A file or folder, or an id: NCT04280705, PMC7096777, a DOI."],
            (Choice("", "Submit", "submit"), Choice("", "Cancel", "")),
            "medkg-lab submit PATH|ID",
            asks="path or id",
            required="type a path or an id first",
        )

        def then(answer: Answer) -> None:
            self.submit([answer.text])

        self.choose(question, then)

    def action_demo(self) -> None:
        """Ask, then submit the bundled documents."""
        question = Question(
            "Run the demo",
            ["The bundled documents go through their pipelines; those that went through before are known."],
            (Choice("d", "Run the demo", "run"), Choice("", "esc Cancel", "")),
            "medkg-lab demo",
        )

        def then(answer: Answer) -> None:
            folder: Path = bundled.folder() / "demo"
            self.submit([str(folder / part) for part in DEMO_PARTS], BUNDLED)

        self.choose(question, then)

    def submit(self, targets: Sequence[str], named: str = "") -> None:
        """Put documents on the queue and say how many."""
        self.notify(f"Submitting {named or ', '.join(targets)} …")

        def work(lab: Lab) -> tuple[int, int, int]:
            # Here, so that the first frame does not wait for the broker's client library.
            from medkg_lab.lab import submit as submitting

            outcome = submitting.submit(lab, targets, submitting.SubmitOptions())
            return len(outcome.jobs), sum(job.already for job in outcome.jobs), len(outcome.skipped)

        def then(counted: tuple[int, int, int]) -> None:
            jobs, known, skipped = counted
            text = f"{plural(jobs - known, 'document')} submitted"
            text += f", {known} already known" if known else ""
            text += f", {plural(skipped, 'file')} skipped" if skipped else ""
            self.notify(text + ".")

        self.act(work, then)

    def confirm_restart(self, process: ProcessRow) -> None:
        """Ask, then restart a process."""
        name = process.name
        past = f"It has been {glyphs.of_process(process.state).word}, {plural(process.restarts, 'restart')}."
        question = Question(
            f"Restart {name}",
            [
                "Nothing that was acknowledged is lost; work under way is taken up again.",
                [(past, "muted")],
            ],
            (Choice("r", f"Restart {name}", "restart"), Choice("", "esc Cancel", "")),
            f"medkg-lab restart {name}",
        )

        def then(answer: Answer) -> None:
            self.act(lambda lab: lab.supervisor.restart(name), None, f"Restarting {name}.")

        self.choose(question, then)

    def confirm_quit(self) -> None:
        """Ask whether the lab goes on, then leave."""
        seen = self.snapshot
        if seen.lab is None:
            self.app.exit()
            return
        busy = seen.jobs.get("running", 0) + seen.jobs.get("queued", 0)
        doing = f"{plural(busy, 'job')} unfinished, {seen.jobs.get('waiting_gate', 0)} at a gate."
        question = Question(
            "Leave the screen",
            [
                [(doing, "text bold")],
                [("The lab goes on without a screen; medkg-lab opens this again.", "muted")],
            ],
            (
                Choice("k", "Keep the lab running", "keep"),
                Choice("s", "Stop the lab", "stop"),
                Choice("", "esc Stay", ""),
            ),
            "keep: just quit · stop: medkg-lab down",
        )
        self.choose(question, self._leave_or_stop)

    def _leave_or_stop(self, answer: Answer) -> None:
        if answer.value == "keep":
            self.app.exit()
            return
        self.notify("Stopping the lab; leases are given back.")
        self.act(lambda lab: lab.supervisor.down(), lambda _: self.app.exit())


def _indented(line: str) -> list[list[Span]]:
    """A line of JSON, broken where it is long, every piece as far in as its beginning."""
    bare = line.lstrip(" ")
    lead = " " * (len(line) - len(bare))
    return [[(lead, "text"), *row] for row in wrapped(bare, RAW_WIDTH - len(lead))]
