"""What may be written at a place of a definition's YAML, and how the nearest right name fixes a wrong one. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

STAGE_KEYS = {
    "name": "what the stage is called",
    "type": "what it does",
    "policy": "how it is retried, limited and timed",
    "depends_on": "the stages before it",
    "condition": "what a gate waits for",
    "resume_stage": "where the job goes on behind a gate",
    "implementation": "another way to do it than the profile's",
    "with": "options of the implementation",
    "use": "the stages of a shared sequence",
}
HEAD_KEYS = {
    "version": "yours, such as 1.0",
    "name": "what the pipeline is called",
    "description": "what it is for",
    "applicable_sources": "whose documents go through it when no pipeline is named",
    "stages": "the stages, in order",
}
MOST = 50
_VALUE = re.compile(r"(?:^|[\s{,])([a-z_]+):\s+([^:]*)$")
_NAMED = re.compile(r"(?:^|[\s{,])name:\s*[\"']?([a-z0-9_]+)")
_SUGGESTED = re.compile(r"did you mean '([^']+)'\?")
_QUOTED = re.compile(r"'([^']+)'")


@dataclass(frozen=True)
class Words:
    """The names that there are, each with a line of help; `types_of` is the stage type of each implementation."""

    types: Mapping[str, str] = field(default_factory=dict)
    policies: Mapping[str, str] = field(default_factory=dict)
    implementations: Mapping[str, str] = field(default_factory=dict)
    types_of: Mapping[str, str] = field(default_factory=dict)
    shared: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Offer:
    """What can be put in place of the columns from `start` to `end` of a line: (text, help)."""

    start: int
    end: int
    choices: Sequence[tuple[str, str]]


def offer(lines: Sequence[str], row: int, column: int, words: Words, asked: bool) -> Offer | None:
    """What fits at a place that is being typed at; keys are only offered when that is `asked` for. None when nothing does."""
    line = lines[row] if row < len(lines) else ""
    before = line[:column]
    start = len(before) - len(re.split(r"[\s\[\],:{}\"']", before)[-1])
    typed = before[start:]
    known = _known(lines, row, before, words)
    if known is None:
        if not asked or (":" in before and not before.rstrip().endswith("{")):
            return None
        indent = len(line) - len(line.lstrip(" -"))
        known = {f"{key}: ": about for key, about in (STAGE_KEYS if indent else HEAD_KEYS).items()}
    found = [(name, about) for name, about in known.items() if name.startswith(typed)]
    found += [(name, about) for name, about in known.items() if typed and typed in name and not name.startswith(typed)]
    found = [each for each in found if each[0] != typed]
    return Offer(start, column, found[:MOST]) if found and (typed or asked or before.endswith((": ", "["))) else None


def _known(lines: Sequence[str], row: int, before: str, words: Words) -> Mapping[str, str] | None:
    """The names that fit where `before` ends; None where no name is expected."""
    found = _VALUE.search(before)
    if found is None:
        item = re.match(r"^\s*- [a-z0-9_]*$", before)
        return stage_names(lines, row) if item and _is_needs(lines, row) else None
    match found[1]:
        case "type":
            return words.types
        case "policy":
            return words.policies
        case "implementation":
            kind = _type_here(lines, row)
            return {
                name: says for name, says in words.implementations.items() if words.types_of.get(name) in (kind, None)
            }
        case "depends_on":
            return stage_names(lines, row) if found[2].startswith("[") and "]" not in found[2] else {}
        case "resume_stage":
            return stage_names(lines, row)
        case "use":
            return words.shared
        case "ledger_field":
            return words.fields
    return None


def _is_needs(lines: Sequence[str], row: int) -> bool:
    above = next((line for line in reversed(lines[:row]) if not re.match(r"^\s*- [a-z0-9_]*$", line)), "")
    return above.strip() == "depends_on:"


def _item(lines: Sequence[str], row: int) -> range:
    """The lines of the list item that a line is in."""
    first = next((at for at in range(row, -1, -1) if re.match(r"^\s*- [a-z_]+:", lines[at])), 0)
    after = (at for at in range(first + 1, len(lines)) if re.match(r"^\s*- [a-z_]+:", lines[at]))
    return range(first, next(after, len(lines)))


def _type_here(lines: Sequence[str], row: int) -> str | None:
    found = (re.search(r"type:\s*(\w+)", lines[at]) for at in _item(lines, row))
    return next((each[1] for each in found if each), None)


def stage_names(lines: Sequence[str], row: int = -1) -> dict[str, str]:
    """The stages that the text names, but for the one of line `row`; each with where it stands."""
    here = _item(lines, row) if 0 <= row < len(lines) else range(0)
    found: dict[str, str] = {}
    inside = False
    for at, line in enumerate(lines):
        inside = inside or line.startswith("stages:")
        if inside and at not in here and (named := _NAMED.search(line)):
            found.setdefault(named[1], f"line {at + 1}")
    return found


def line_of_stage(lines: Sequence[str], name: str) -> int | None:
    """The line (from 0) where a stage is named."""
    at = stage_names(lines).get(name)
    return int(at.removeprefix("line ")) - 1 if at else None


def stage_at(lines: Sequence[str], row: int) -> str | None:
    """The stage that a line belongs to."""
    found = None
    for name, where in stage_names(lines).items():
        if int(where.removeprefix("line ")) - 1 <= row:
            found = name
    return found


def fixed(line: str, message: str, suggestion: str) -> str | None:
    """The line with the suggested name in the place of the wrong one; None where the suggestion is not a name."""
    right, wrong = _SUGGESTED.search(suggestion), _QUOTED.search(message)
    if right is None or wrong is None or wrong[1] not in line:
        return None
    return line.replace(wrong[1], right[1], 1)
