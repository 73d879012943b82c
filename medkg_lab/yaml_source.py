"""Reading a YAML file as plain values that remember where they stood.

Such a file comes from outside: its size and depth are limited, and aliases, anchors and tags are refused, so that what it holds
is at most what it shows.
"""

import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from medkg_lab.files import open_regular

MAX_BYTES = 1_000_000
MAX_DEPTH = 20
MAX_NUMBER_CHARACTERS = 1000
"""Characters of a number at most: Python takes time in the square of the length to read a longer one, and refuses to write it."""
INTEGERS = range(-(2**63), 2**63)
"""The whole numbers that every part of the lab can store and send: 64 bits."""
MAX_PROBLEMS = 50
"""How many problems of one sort are looked for in one file: enough to fix, and no hostile file can ask for more work."""


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong in a file: `line` and `column` count from 1; `rule` is a stable short name; `suggestion` may be empty."""

    file: str
    line: int
    column: int
    rule: str
    message: str
    suggestion: str = ""

    def __str__(self) -> str:
        hint = f" ({self.suggestion})" if self.suggestion else ""
        return f"{self.file}:{self.line}:{self.column}: [{self.rule}] {self.message}{hint}"


_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CONSTRUCTOR = yaml.constructor.SafeConstructor()
_PREFIX = "tag:yaml.org,2002:"
_SCALARS: dict[str, Callable[[Any], Any]] = {
    f"{_PREFIX}str": _CONSTRUCTOR.construct_scalar,
    f"{_PREFIX}int": _CONSTRUCTOR.construct_yaml_int,
    f"{_PREFIX}float": _CONSTRUCTOR.construct_yaml_float,
    f"{_PREFIX}bool": _CONSTRUCTOR.construct_yaml_bool,
    f"{_PREFIX}null": _CONSTRUCTOR.construct_yaml_null,
}

_NUMBERS = (f"{_PREFIX}int", f"{_PREFIX}float")

Where = tuple[str | int, ...]
"""A place in a file: mapping keys and list positions from the top."""


@dataclass
class Source:
    """A file's value, where each part of it stands (line, column, both from 1), and what is wrong with the file as YAML."""

    file: str
    value: Any = None
    places: dict[Where, tuple[int, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def problem(self, where: Where, rule: str, message: str, suggestion: str = "") -> Problem:
        """A problem at `where`, or at the nearest part around it that the file has."""
        while where and where not in self.places:
            where = where[:-1]
        line, column = self.places.get(where, (1, 1))
        return Problem(self.file, line, column, rule, message, suggestion)


def read(path: Path) -> Source:
    """Read the YAML file at `path`; what is wrong with it stands in `problems`, that it cannot be read too."""
    source = Source(str(path))
    try:
        with open_regular(path, sys.maxsize) as stream:
            text = stream.read(MAX_BYTES + 1).decode("utf-8-sig")
    except OSError as error:
        source.problems.append(source.problem((), "unreadable", f"the file cannot be read: {error.strerror}"))
        return source
    except UnicodeDecodeError as error:
        source.problems.append(source.problem((), "encoding", f"byte {error.start} is not UTF-8", "save it as UTF-8"))
        return source
    return parse(text, str(path))


def parse(text: str, file: str) -> Source:
    """Read YAML text; `file` is what problems call it."""
    source = Source(file)
    if len(text.encode(errors="surrogatepass")) > MAX_BYTES:
        source.problems.append(
            source.problem((), "too-large", f"the file is larger than {MAX_BYTES} bytes", "split it")
        )
        return source
    try:
        source.problems.extend(islice(_refusals(text, file), MAX_PROBLEMS))
        if not source.problems:
            _build(source, yaml.compose(text, Loader=_LOADER))
    except (yaml.YAMLError, ValueError) as error:
        source.problems.append(_syntax_problem(error, text, file))
    return source


def _syntax_problem(error: Exception, text: str, file: str) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark else _unreadable_place(text)
    message = getattr(error, "problem", None) or " ".join(str(error).split())
    return Problem(file, line, column, "yaml", f"this is not YAML: {message}", "check indentation, colons and quotes")


def _unreadable_place(text: str) -> tuple[int, int]:
    """Line and column of the first character that YAML forbids (YAML 1.1, 5.1); the library gives no place for it."""
    found = yaml.reader.Reader.NON_PRINTABLE.search(text)
    before = text[: found.start()] if found else ""
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _refusals(text: str, file: str) -> Iterator[Problem]:
    """What YAML allows and a definition may not use; found before anything is built from the text."""
    depth = 0
    event: Any
    for event in yaml.parse(text, Loader=_LOADER):
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        if isinstance(event, yaml.AliasEvent):
            yield Problem(file, line, column, "alias", "an alias repeats another part", "write the part out")
        elif getattr(event, "anchor", None):
            yield Problem(
                file, line, column, "anchor", f"&{event.anchor} names a part for repetition", "remove the anchor"
            )
        if tag := getattr(event, "tag", None):
            yield Problem(file, line, column, "tag", f"the tag {tag!r} is not allowed", "remove the tag; quote texts")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                yield Problem(file, line, column, "too-deep", f"parts are nested deeper than {MAX_DEPTH}", "flatten it")
                return
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _build(source: Source, node: Any) -> None:
    if node is None:
        source.problems.append(source.problem((), "empty", "the file is empty", "start from a bundled file"))
        return
    source.value = _value(source, node, ())


def _value(source: Source, node: Any, where: Where) -> Any:
    source.places.setdefault(where, (node.start_mark.line + 1, node.start_mark.column + 1))
    if isinstance(node, yaml.SequenceNode):
        return [_value(source, child, (*where, place)) for place, child in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        return _mapping(source, node, where)
    return _scalar(source, node, where)


def _mapping(source: Source, node: Any, where: Where) -> dict[str, object]:
    result: dict[str, object] = {}
    for key_node, value_node in node.value:
        line, column = key_node.start_mark.line + 1, key_node.start_mark.column + 1
        if not isinstance(key_node, yaml.ScalarNode) or key_node.tag != f"{_PREFIX}str":
            source.problems.append(Problem(source.file, line, column, "key", "a key must be a text", "quote the key"))
            continue
        key = key_node.value
        if key in result:
            first = source.places[(*where, key)][0]
            message = f"the key {key!r} stands here a second time"
            source.problems.append(
                Problem(source.file, line, column, "duplicate-key", message, f"first in line {first}")
            )
            continue
        source.places[(*where, key)] = (line, column)
        result[key] = _value(source, value_node, (*where, key))
    return result


def _scalar(source: Source, node: Any, where: Where) -> Any:
    shown = repr(node.value[:40])
    if node.tag in _NUMBERS and len(node.value) > MAX_NUMBER_CHARACTERS:
        message = f"{shown}… has {len(node.value)} characters, more than a number may have ({MAX_NUMBER_CHARACTERS})"
        source.problems.append(source.problem(where, "number", message, "quote it to make it a text"))
        return None
    construct = _SCALARS.get(node.tag)
    try:
        value = construct(node) if construct else None
    except (ValueError, KeyError, OverflowError):
        construct = None
    if construct is None or (isinstance(value, float) and not math.isfinite(value)):
        message = f"{shown} is neither a text, a number, true, false nor null"
        source.problems.append(source.problem(where, "scalar", message, "quote it to make it a text"))
        return None
    if isinstance(value, int) and value not in INTEGERS:
        message = f"{shown} is a number of more than 64 bits"
        source.problems.append(source.problem(where, "number", message, "choose a smaller one, or quote it"))
        return None
    return value
