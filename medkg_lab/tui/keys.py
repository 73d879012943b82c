"""Every action of the screen: its id, its key, its words. The bindings of all screens are made of this one table.

The action of an id is `action_<id>` of the screen that binds it, or its step in STEPS. Keys are rebound by id in `keys.toml`
in the lab's config folder, such as `why = "W"`, and reach the bindings as Textual's keymap.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from textual.binding import Binding, BindingType

from medkg_lab import exit_codes
from medkg_lab.errors import LabError


class KeysInvalid(LabError):
    """{path} cannot be used: {detail}. Fix the file or remove it; docs/reference.md lists every action with its id."""

    exit_code = exit_codes.USAGE


@dataclass(frozen=True)
class Action:
    """Something that a key does. `word` stands in the footer; `help` is a sentence."""

    id: str
    key: str
    word: str
    help: str

    @property
    def shown(self) -> str:
        """How its first key is written."""
        return shown(self.key.split(",")[0])


_LABELS = {
    "enter": "↵",
    "escape": "esc",
    "f1": "F1",
    "question_mark": "?",
    "slash": "/",
    "colon": ":",
    "minus": "-",
    "asterisk": "*",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
}

EVERYWHERE = (
    Action("help", "question_mark,f1", "help", "Say what the focused region shows and which keys it has."),
    Action("command", "colon", "command", "Type a command; tab completes, ↑ brings earlier ones back."),
    Action("narrow", "slash", "filter", "Narrow the list to what you type."),
    Action("palette", "ctrl+p", "palette", "Find any action by its name."),
    Action("jump", "ctrl+o", "jump", "Show a letter on each region; it takes the focus there."),
    Action("back", "escape", "back", "Close, clear or go back, one step at a time."),
    Action("last", "minus", "last mode", "Go to the mode you were in before."),
    Action("quit", "q,ctrl+q", "quit", "Leave the screen; asks whether the lab goes on."),
    Action("zoom", "z", "zoom", "Show the focused region alone, and back."),
    Action("theme", "T", "theme", "Change to the next theme: dark, light, high contrast."),
)
SUBJECT_ACTIONS = (
    Action("open", "enter", "open", "Go one step deeper into what the cursor is on."),
    Action("why", "w", "why", "Say in a sentence why this is not moving, and what to do."),
    Action("logs", "l", "logs", "Show the log that belongs to this."),
    Action("raw", "y", "raw", "Show this as JSON, and copy it."),
    Action("copy", "c", "copy id", "Copy this thing's id to the clipboard of the terminal."),
    Action("events", "E", "events", "Show the events of this."),
    Action("dagster", "b", "Dagster", "Open this in Dagster; prints the address over SSH."),
)
LISTS = (
    Action("mark", "space", "mark", "Mark the row; what acts then acts on all marked ones."),
    Action("mark_all", "asterisk", "mark all", "Mark every row that is shown, or none."),
    Action("sort", "s", "sort", "Sort by the next column."),
    Action("reverse", "S", "reverse", "Reverse the order."),
)
MODE_ACTIONS = (
    Action("again", "r", "again", "Do it again: restart, retry, ask again, go back to this version."),
    Action("end", "x", "end", "End it: cancel the job, reject the gate."),
    Action(
        "acknowledge",
        "u",
        "acknowledge",
        "Note that this failure was seen: it stays on record and needs nobody any more.",
    ),
    Action("put", "i", "submit", "Submit documents, or begin a new pipeline."),
    Action("open_gate", "o", "open gate", "Open the gate by hand."),
    Action("pause", "p", "pause", "Hold the stream still; it goes on behind."),
    Action("follow", "f", "follow", "Follow the newest line again."),
    Action("time", "t", "time", "Jump to a time or a number."),
    Action("next", "n", "next", "Go to the next match."),
    Action("previous", "N", "previous", "Go to the match before."),
    Action("earlier", "left_square_bracket", "previous part", "Go to the previous part, or the failure before."),
    Action("later", "right_square_bracket", "next part", "Go to the next part, or the next failure."),
    Action("edit", "e", "edit", "Edit the pipeline."),
    Action("save", "ctrl+s", "save", "Save as a new version and use it from now on."),
    Action("diff", "D", "diff", "Show what differs from the running version."),
    Action("effects", "C", "effects", "Show which of the last documents the draft would chunk or extract differently."),
    Action("versions", "v", "versions", "Show the versions."),
    Action("policies", "P", "policies", "Show policies and profiles."),
    Action("mix", "m", "mix", "Choose how the retrievers are fused."),
    Action("around", "a", "around", "Show the graph around this."),
    Action("graph", "A", "graph", "Walk the graph from this, node by node."),
    Action("run", "ctrl+r", "run", "Run the statement."),
    Action("write", "O", "export", "Write the rows to a file, CSV or JSON."),
    Action("wrap", "W", "wrap", "Wrap long lines, or cut them."),
    Action("go_on", "R", "run on", "Run on to the next breakpoint."),
    Action("breakpoint", "B", "breakpoint", "Hold before this stage, then after it, then no longer."),
    Action("demo", "d", "demo", "Run the bundled documents through both pipelines."),
    Action("export", "X", "incident", "Export this job as an incident, and replay it at the step that failed."),
)
ACTIONS = EVERYWHERE + SUBJECT_ACTIONS + LISTS + MODE_ACTIONS
FOOTER_LIMIT = 7
MOVES = ("up", "down", "left", "right", "j", "k", "g", "G", "pageup", "pagedown", "home", "end", "tab", "shift+tab")
"""Keys that move the cursor and the focus; no action may have one."""


STEPS = {"earlier": "part(-1)", "later": "part(1)", "previous": "match(-1)", "next": "match(1)"}
"""The actions that are a step back and a step on: one method does both."""
BY_ID: Mapping[str, Action] = {action.id: action for action in ACTIONS}


def bindings(*ids: str, **words: str) -> list[BindingType]:
    """The bindings of these actions by their ids; a keyword binds one too, with another word than its usual one."""
    return [binding for each in (*ids, *words) for binding in _bindings(BY_ID[each], words.get(each, ""))]


def _bindings(one: Action, word: str) -> list[Binding]:
    return [
        Binding(
            key,
            STEPS.get(one.id, one.id),
            word or one.word,
            show=False,
            key_display=shown(key),
            tooltip=one.help,
            id=one.id,
        )
        for key in one.key.split(",")
    ]


def id_of(action: str, parameters: Sequence[object]) -> str:
    """The id of an action as a binding calls it."""
    called = f"{action}({', '.join(map(str, parameters))})"
    return next((id for id, step in STEPS.items() if step == called), action)


def shown(key: str) -> str:
    """How a key is written, such as `^s` for ctrl+s."""
    return _LABELS.get(key) or key.replace("ctrl+", "^")


def clashes(actions: Sequence[Action]) -> list[str]:
    """Keys that two actions claim, a sentence each."""
    owner: dict[str, str] = {}
    found = []
    for action in actions:
        for key in action.key.split(","):
            if key in owner:
                found.append(f"{key} is claimed by {owner[key]} and by {action.id}")
            elif key.isdigit():
                found.append(f"{key} is claimed by a mode and by {action.id}")
            elif key in MOVES:
                found.append(f"{key} moves the cursor and is claimed by {action.id}")
            owner[key] = action.id
    return found


def load(path: Path) -> dict[str, str]:
    """The keys that `path` gives to actions, by id; none where it does not exist. Raises KeysInvalid."""
    if not path.exists():
        return {}
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (
        OSError,
        ValueError,
        RecursionError,
    ) as error:  # not only TOML's own: a number of 5,000 digits, 1,000 brackets
        raise KeysInvalid(path=path, detail=" ".join(str(error).split())) from None
    try:
        return rebound(given)
    except ValueError as error:
        raise KeysInvalid(path=path, detail=str(error)) from None


def rebound(given: Mapping[str, object]) -> dict[str, str]:
    """The keys of a keymap. Raises ValueError, with a sentence, for an unknown action or a key claimed twice."""
    for name, key in given.items():
        if name not in BY_ID:
            raise ValueError(f"there is no action called {name!r}")
        if not isinstance(key, str) or not key.strip():
            raise ValueError(f'the key of {name} must be a text such as "ctrl+t"')
    found = {name: str(key).replace(" ", "") for name, key in given.items()}
    if clashing := clashes([replace(one, key=found.get(one.id, one.key)) for one in ACTIONS]):
        raise ValueError(clashing[0])
    return found
