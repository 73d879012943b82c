"""The `:` commands, which are the palette's grammar too."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from medkg_lab.lab.facade import Lab
from medkg_lab.lab.find import find_job, person
from medkg_lab.tui import theme
from medkg_lab.tui.messages import Subject
from medkg_lab.tui.widgets.panel import safe

if TYPE_CHECKING:
    from medkg_lab.tui.app import LabApp


GATES_COMPLETED = 50


def perform(app: "LabApp", text: str) -> None:
    """Do what a command says; a toast tells what was not understood."""
    word, *rest = text.strip().removeprefix(":").split() or [""]
    if (mode := app.mode_called(word)) is not None:
        app.action_mode(mode.number)
        if not mode.command(rest):
            app.tell(f":{word} takes no {' '.join(rest)}.", "warning")
    elif word == "theme" and len(rest) == 1:
        app.use_theme(rest[0])
    elif word in simple(app) and not rest:
        simple(app)[word]()
    elif word == "submit" and rest:
        app.submit(rest)
    elif word in NAMED and rest:
        NAMED[word](app, rest[0], " ".join(rest[1:]))
    elif word:
        app.tell(f"There is no command {text!r}. Tab completes, ctrl+p finds every action.", "warning")


def _open(app: "LabApp", name: str, why: str) -> None:
    """`:open DOC REASON` opens a gate; with a reason also one with missing pages."""

    def work(lab: Lab) -> None:
        job_id = find_job(lab, name)["job_id"]
        lab.ledger.gate_open(job_id, by=person(), why=why or None, partial=bool(why))

    app.act(work, None, f"The gate of {name} is open.")


def _reject(app: "LabApp", name: str, why: str) -> None:
    """`:reject DOC REASON`."""
    if not why:
        app.tell(f"A reason is needed, because it is recorded: :reject {name} REASON", "warning")
        return

    def work(lab: Lab) -> None:
        lab.ledger.gate_reject(find_job(lab, name)["job_id"], by=person(), why=why)

    app.act(work, None, f"The gate of {name} is rejected.")


def _retry(app: "LabApp", name: str, stage: str) -> None:
    """`:retry DOC STAGE`."""

    def work(lab: Lab) -> None:
        lab.ledger.retry(find_job(lab, name)["job_id"], stage or None, by=person())

    app.act(work, None, f"{name} runs again.")


def _cancel(app: "LabApp", name: str, why: str) -> None:
    """`:cancel DOC REASON`."""

    def work(lab: Lab) -> None:
        lab.ledger.cancel(find_job(lab, name)["job_id"], by=person(), why=why or "no reason given")

    app.act(work, None, f"{name} is cancelled.")


def _restart(app: "LabApp", name: str, _: str) -> None:
    """`:restart PROCESS`."""
    app.act(lambda lab: lab.supervisor.restart(name), None, f"{name} is being restarted.")


def _why(app: "LabApp", name: str, _: str) -> None:
    """`:why DOC` or `:why PROCESS`."""
    process = next((one for one in app.snapshot.processes if one["name"] == name), None)
    if process is not None:
        app.explain(Subject("process", name, name, name, process))
        return

    def show(job: dict[str, Any]) -> None:
        app.explain(Subject("job", job["job_id"], job["doc_id"], f"engine-{job['lane']}", job))

    app.asker.ask("why", lambda lab: find_job(lab, name), show, app.toast_error)


NAMED: Mapping[str, Callable[["LabApp", str, str], None]] = {
    "open": _open,
    "reject": _reject,
    "retry": _retry,
    "cancel": _cancel,
    "restart": _restart,
    "why": _why,
}
"""The commands that take a name, and what else is written behind it."""


def simple(app: "LabApp") -> dict[str, Callable[[], None]]:
    """The commands of one word that are no mode."""
    return {
        "demo": app.do_demo,
        "messages": app.show_messages,
        "help": app.do_help,
        "quit": app.do_quit,
        "dagster": app.do_dagster,
        "stop": app.stop_lab,
        "start": app.start_lab,
    }


def completions(app: "LabApp") -> Sequence[str]:
    """Everything that can be typed after `:`, for tab."""
    words = [mode.word for mode in app.modes]
    words += [f"{mode.word} {each}" for mode in app.modes for each in mode.completions()]
    words += [f"restart {one['name']}" for one in app.snapshot.processes]
    waiting = app.snapshot.gates[:GATES_COMPLETED]
    words += [f"{word} {gate['doc_id']}" for word in ("open", "reject", "why") for gate in waiting]
    words += [f"theme {name.removeprefix('lab-')}" for name in theme.PALETTES]
    return [*words, *simple(app), *(f"{word} " for word in NAMED), "submit "]


class Palette(Provider):
    """Every action that works now, every mode and every command."""

    @property
    def _lab_app(self) -> "LabApp":
        return cast("LabApp", self.app)

    def _all(self) -> Iterator[tuple[str, str, Callable[[], None]]]:
        app = self._lab_app
        words = app.mode.words()
        for action in app.actions:
            if app.handler(action.id) is not None and action.id not in {"palette", "command"}:
                name = words.get(action.id, action.word).capitalize()
                yield f"{name}  {action.shown}", action.help, partial(app.action_do, action.id)
        for mode in app.modes:
            yield f"Go to {mode.title}  {mode.number}", f":{mode.word}", partial(app.action_mode, mode.number)
        for text in completions(app):
            if not text.endswith(" "):
                yield f":{text}", f"command {text}", partial(perform, app, text)

    async def discover(self) -> Hits:
        """What is shown before anything is typed."""
        for name, about, do in self._all():
            yield DiscoveryHit(Content(safe(name)), do, text=safe(name), help=_plain(about))

    async def search(self, query: str) -> Hits:
        """What fits."""
        matcher = self.matcher(query)
        for name, about, do in self._all():
            if (score := matcher.match(name)) > 0:
                yield Hit(score, matcher.highlight(_plain(name)), do, text=safe(name), help=_plain(about))


def _plain(text: str) -> str:
    """Text for what reads markup: with brackets that mean nothing there."""
    return safe(text).replace("[", "(").replace("]", ")")
