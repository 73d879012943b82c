"""The `:` commands, which are the palette's grammar too."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from medkg_lab.lab.facade import Lab
from medkg_lab.lab.lookup import find_job, person
from medkg_lab.ledger.answers import JobDetail, to_json
from medkg_lab.tui import keys, theme
from medkg_lab.tui.messages import GoTo, Subject
from medkg_lab.tui.screens.base import ModeScreen
from medkg_lab.tui.screens.frame_screen import FrameScreen
from medkg_lab.tui.widgets.panel import safe

GATES_COMPLETED = 50


def perform(screen: ModeScreen, text: str) -> None:
    """Do what a command says; a toast tells what was not understood."""
    word, *rest = text.strip().removeprefix(":").split() or [""]
    if any(mode.word == word for mode in screen.session.modes):
        screen.post_message(GoTo(word, rest))
    elif word == "theme" and len(rest) == 1:
        use_theme(screen, rest[0])
    elif word in SIMPLE and not rest:
        SIMPLE[word](screen)
    elif word == "submit" and rest:
        screen.submit(rest)
    elif word in NAMED and rest:
        NAMED[word](screen, rest[0], " ".join(rest[1:]))
    elif word:
        screen.notify(f"There is no command {text!r}. Tab completes, ctrl+p finds every action.", severity="warning")


def use_theme(screen: FrameScreen, name: str) -> None:
    """Change to a theme by name, with or without `lab-`."""
    wanted = name if name.startswith("lab-") else f"lab-{name}"
    if wanted in theme.PALETTES:
        screen.app.theme = wanted
    else:
        screen.notify(f"There is no theme {name}: there are {', '.join(theme.PALETTES)}.", severity="warning")


def _open(screen: ModeScreen, name: str, why: str) -> None:
    """`:open DOC REASON` opens a gate; with a reason also one with missing pages."""

    def work(lab: Lab) -> None:
        job_id = find_job(lab, name).job_id
        lab.ledger.gate_open(job_id, by=person(), why=why or None, partial=bool(why))

    screen.act(work, None, f"The gate of {name} is open.")


def _reject(screen: ModeScreen, name: str, why: str) -> None:
    """`:reject DOC REASON`."""
    if not why:
        screen.notify(f"A reason is needed, because it is recorded: :reject {name} REASON", severity="warning")
        return

    def work(lab: Lab) -> None:
        lab.ledger.gate_reject(find_job(lab, name).job_id, by=person(), why=why)

    screen.act(work, None, f"The gate of {name} is rejected.")


def _retry(screen: ModeScreen, name: str, stage: str) -> None:
    """`:retry DOC STAGE`."""

    def work(lab: Lab) -> None:
        lab.ledger.retry(find_job(lab, name).job_id, stage or None, by=person())

    screen.act(work, None, f"Retrying {name}.")


def _cancel(screen: ModeScreen, name: str, why: str) -> None:
    """`:cancel DOC REASON`."""

    def work(lab: Lab) -> None:
        lab.ledger.cancel(find_job(lab, name).job_id, by=person(), why=why or "no reason given")

    screen.act(work, None, f"{name} is cancelled.")


def _restart(screen: ModeScreen, name: str, _: str) -> None:
    """`:restart PROCESS`."""
    screen.act(lambda lab: lab.supervisor.restart(name), None, f"Restarting {name}.")


def _why(screen: ModeScreen, name: str, _: str) -> None:
    """`:why DOC` or `:why PROCESS`."""
    process = screen.snapshot.process(name)
    if process is not None:
        screen.explain(Subject("process", name, name, name, to_json(process)))
        return

    def show(job: JobDetail) -> None:
        screen.explain(Subject("job", job.job_id, job.doc_id, f"engine-{job.lane}", to_json(job)))

    screen.query_lab("find", lambda lab: find_job(lab, name), show)


NAMED: Mapping[str, Callable[[ModeScreen, str, str], None]] = {
    "open": _open,
    "reject": _reject,
    "retry": _retry,
    "cancel": _cancel,
    "restart": _restart,
    "why": _why,
}
"""The commands that take a name, and what else is written behind it."""
SIMPLE: Mapping[str, Callable[[ModeScreen], None]] = {
    "demo": ModeScreen.action_demo,
    "messages": ModeScreen.show_messages,
    "help": ModeScreen.action_help,
    "quit": ModeScreen.confirm_quit,
    "dagster": ModeScreen.action_dagster,
    "stop": ModeScreen.stop_lab,
    "start": ModeScreen.start_lab,
}
"""The commands of one word that are not a mode."""


def completions(screen: FrameScreen) -> Sequence[str]:
    """Everything that can be typed after `:`, for tab."""
    words = [mode.word for mode in screen.session.modes]
    words += [f"{screen.word} {each}" for each in screen.completions()]
    words += [f"restart {one.name}" for one in screen.snapshot.processes]
    waiting = screen.snapshot.gates[:GATES_COMPLETED]
    words += [f"{word} {gate.doc_id}" for word in ("open", "reject", "why") for gate in waiting]
    words += [f"theme {name.removeprefix('lab-')}" for name in theme.PALETTES]
    return [*words, *SIMPLE, *(f"{word} " for word in NAMED), "submit "]


class ActionProvider(Provider):
    """Every action that works now, every mode and every command, for the palette."""

    def _all(self) -> Iterator[tuple[str, str, Callable[[], Any]]]:
        screen = self.screen
        if not isinstance(screen, ModeScreen):
            return
        words = screen.words()
        works = {one.binding.id: one for one in reversed(screen.active_bindings.values()) if one.enabled}
        for action in keys.ACTIONS:
            found = works.get(action.id)
            if found is not None and action.id not in ("palette", "command"):
                name = words.get(action.id, found.binding.description).capitalize()
                do = partial(self.app.run_action, found.binding.action, found.node)
                yield f"{name}  {self.app.get_key_display(found.binding)}", action.help, do
        for mode in screen.session.modes:
            yield (
                f"Go to {mode.title}" + ("" if mode.number is None else f"  {mode.number}"),
                f":{mode.word}",
                partial(screen.post_message, GoTo(mode.word)),
            )
        for text in completions(screen):
            if not text.endswith(" "):
                yield f":{text}", f"command {text}", partial(perform, screen, text)

    async def discover(self) -> Hits:
        """What is shown before anything is typed."""
        for name, about, do in self._all():
            yield DiscoveryHit(Content(safe(name)), do, text=safe(name), help=_without_markup(about))

    async def search(self, query: str) -> Hits:
        """What matches."""
        matcher = self.matcher(query)
        for name, about, do in self._all():
            if (score := matcher.match(name)) > 0:
                shown = matcher.highlight(_without_markup(name))
                yield Hit(score, shown, do, text=safe(name), help=_without_markup(about))


def _without_markup(text: str) -> str:
    """Text for what reads markup: with brackets that mean nothing there."""
    return safe(text).replace("[", "(").replace("]", ")")
