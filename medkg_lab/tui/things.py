"""The keys that mean the same everywhere: why, logs, events, raw, copy, Dagster, help, jump, zoom, theme."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from textual.content import Content
from textual.widget import Widget

from medkg_lab.lab.dagster_access import open_in_browser
from medkg_lab.lab.facade import Lab
from medkg_lab.lab.status import explain_job, explain_process
from medkg_lab.lab.why import why_process
from medkg_lab.text import sanitize
from medkg_lab.tui import keys, theme
from medkg_lab.tui.dialogs import Jump, Sheet, Why
from medkg_lab.tui.formatting import clock
from medkg_lab.tui.messages import Subject
from medkg_lab.tui.theme import Line, Span
from medkg_lab.tui.widgets.panel import wrapped

if TYPE_CHECKING:
    from medkg_lab.tui.app import LabApp

WHY_WIDTH = 78
RAW_WIDTH = 104
JUMP_LETTERS = "asdfghjkl"


class Things:
    """Mixed into the program: each `do_` method is the action of that id."""

    @property
    def _app(self) -> "LabApp":
        return cast("LabApp", self)

    def do_why(self) -> None:
        """Say why the thing under the cursor does not move."""
        if (subject := self._app.mode.subject()) is not None:
            self.explain(subject)

    def explain(self, subject: Subject) -> None:
        """Show the answer to why for a job or a process."""
        app = self._app
        if subject.kind == "process":
            self._explain_process(subject)
            return
        job_id = subject.id

        def look(lab: Lab) -> str:
            job = lab.ledger.get(job_id)
            return explain_job(lab, job) if job else "The ledger does not know it yet: it is on the queue."

        def show(sentence: str) -> None:
            self.say_why(subject, sentence, f"medkg-lab jobs why {job_id}")

        app.asker.ask("why", look, show, app.toast_error)

    def _explain_process(self, subject: Subject) -> None:
        """What the process does, and what holds up the lab; what the lab cannot be asked now is left out."""

        def show(sentences: list[str]) -> None:
            self.say_why(subject, sentences, "medkg-lab status --why")

        self._app.asker.ask(
            "why",
            lambda lab: explain_process(lab, subject.raw),
            show,
            lambda error: show([why_process(subject.raw), str(error)]),
        )

    def say_why(self, subject: Subject, sentences: str | Sequence[str], twin: str) -> None:
        """Show sentences that answer why, with the keys that act on the subject, and the twin."""
        app = self._app
        offered = {
            each: keys.by_id(app.actions)[each] for each in ("again", "open_gate", "end", "logs") if app.handler(each)
        }
        words = app.mode.words()
        told = [sentences] if isinstance(sentences, str) else sentences
        lines: list[Line] = [row for sentence in told for row in wrapped(sentence, WHY_WIDTH)]
        if offered:
            spans = [("→ ", "muted")]
            for one in offered.values():
                spans += [(one.shown, "accent bold"), (f" {words.get(one.id, one.word)}  ", "muted")]
            lines.append(spans)
        pressed = {one.key.split(",")[0]: one.id for one in offered.values()}
        title = f"Why is {subject.name or subject.id} where it is"

        def then(action: str | None) -> None:
            if action:
                app.action_do(action)

        app.push_screen(Why(title, lines, pressed, twin), then)

    def do_logs(self) -> None:
        """Show the log that belongs to the thing under the cursor."""
        subject, logs = self._app.mode.subject(), self._app.mode_called("logs")
        if subject is not None and logs is not None:
            self._app.action_mode(logs.number)
            logs.command([subject.process or subject.id] if subject.process or subject.kind == "process" else [])

    def do_events(self) -> None:
        """Show the events of the job under the cursor."""
        subject, events = self._app.mode.subject(), self._app.mode_called("events")
        if subject is None or events is None:
            return
        self._app.action_mode(events.number)
        events.command([f"job:{subject.id}"] if subject.kind == "job" else [])

    def do_raw(self) -> None:
        """Show the thing under the cursor as JSON."""
        if (subject := self._app.mode.subject()) is not None:
            self.show_raw(subject.name or subject.id, subject.raw)

    def show_raw(self, title: str, raw: Mapping[str, Any]) -> None:
        """Show a record as JSON; y in it copies."""
        text = json.dumps(raw, indent=2, ensure_ascii=False, default=str)
        lines = [row for line in text.splitlines() for row in _indented(line)]
        self._app.push_screen(Sheet(title, lines, "y copy JSON · esc close", sanitize(text)))

    def do_copy(self) -> None:
        """Copy the id of the thing under the cursor."""
        if (subject := self._app.mode.subject()) is not None:
            self._app.copy_to_clipboard(sanitize(subject.id))
            self._app.tell(f"Copied {subject.id}")

    def do_dagster(self) -> None:
        """Open Dagster in the browser; over SSH say where it is."""
        self.open_dagster("/")

    def open_dagster(self, page: str) -> None:
        """Open a page of Dagster in the browser; over SSH say where it is."""
        app = self._app

        def show(url: str) -> None:
            if not open_in_browser(url):
                app.tell(f"Dagster is at {url} (opens it once, within a minute)")

        app.asker.ask("dagster", lambda lab: lab.dagster.url(page), show, app.toast_error)

    def do_help(self) -> None:
        """Show what this mode is and which keys work now."""
        app = self._app
        mode, words = app.mode, app.mode.words()
        lines: list[Line] = [*wrapped(mode.about, 46), []]
        lines += [[("headless", "accent bold")], *wrapped(mode.twins, 46, "muted"), []]
        for title, group in (("here", keys.OWN + keys.THINGS + keys.LISTS), ("everywhere", keys.EVERYWHERE)):
            ids = {one.id for one in group}
            works = [one for one in app.actions if one.id in ids and app.handler(one.id)]
            if not works:
                continue
            lines += [[(title, "accent bold")]]
            for one in works:
                first, *rest = wrapped(words.get(one.id, "").capitalize() or one.help, 36)
                lines.append([(f" {one.shown:<6}", "accent bold"), *first])
                lines += [[("       ", "text"), *row] for row in rest]
            lines.append([])
        lines += [[("The keys' ids, for keys.toml, are in docs/reference.md.", "muted")]]
        app.push_screen(Sheet(f"Help · {mode.title}", lines, "? close", side=True))

    def do_jump(self) -> None:
        """Put a letter on each region; it takes the focus there."""
        app = self._app
        regions = [each for each in app.mode.query(Widget) if each.focusable and each.border_title]
        lettered = dict(zip(JUMP_LETTERS, regions, strict=False))
        titles: dict[str, Any] = {letter: each._border_title for letter, each in lettered.items()}
        for letter, region in lettered.items():
            title: Any = Content.assemble((f" {letter} ", "reverse"), " ", titles[letter])
            region.border_title = title

        def then(letter: str | None) -> None:
            for each, region in lettered.items():
                region.border_title = titles[each]
            if letter in lettered:
                lettered[letter].focus()

        app.push_screen(Jump(), then)

    def do_zoom(self) -> None:
        """Show the focused region alone, and back."""
        screen = self._app.screen
        if screen.maximized is not None:
            screen.minimize()
        elif self._app.focused is not None:
            screen.maximize(self._app.focused)

    def do_theme(self) -> None:
        """Change to the next theme."""
        names = list(theme.PALETTES)
        self.use_theme(names[(names.index(self._app.palette.name) + 1) % len(names)])

    def use_theme(self, name: str) -> None:
        """Change to a theme by name, with or without `lab-`."""
        wanted = name if name.startswith("lab-") else f"lab-{name}"
        if wanted not in theme.PALETTES:
            self._app.tell(f"There is no theme {name}: there are {', '.join(theme.PALETTES)}.", "warning")
            return
        self._app.theme = wanted
        self._app.refresh(layout=True)

    def do_palette(self) -> None:
        """Find any action by its name."""
        self._app.action_command_palette()

    def show_messages(self) -> None:
        """Show every toast so far."""
        kept = self._app.messages
        lines: list[Line] = [[(f"{clock(at)}  ", "muted"), (text, "text")] for at, text in reversed(kept)]
        self._app.push_screen(Sheet("Messages", lines or [[("Nothing was said yet.", "muted")]]))


def _indented(line: str) -> list[list[Span]]:
    """A line of JSON, broken where it is long, every piece as far in as its beginning."""
    bare = line.lstrip(" ")
    lead = " " * (len(line) - len(bare))
    return [[(lead, "text"), *row] for row in wrapped(bare, RAW_WIDTH - len(lead))]
