"""From a file's value to a model: every schema error becomes a problem with its place and the nearest right name."""

import difflib
import json
from collections.abc import Iterable
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from medkg_lab.topology.errors import MAX_PROBLEMS, Problem
from medkg_lab.yaml_source import Source, Where

M = TypeVar("M")


class Checked(NamedTuple, Generic[M]):
    """What came of a value: the model, or None and the problems."""

    model: M | None
    problems: list[Problem]


def check(source: Source, adapter: TypeAdapter[M], value: Any, where: Where) -> Checked[M]:
    """Validate `value`, which stands at `where` in `source`.

    Types are strict as in JSON: the text "1" is not a number.
    """
    try:
        text = json.dumps(value)
    except ValueError as error:
        return Checked(None, [source.problem(where, "scalar", f"a value cannot be written as JSON: {error}")])
    try:
        return Checked(adapter.validate_json(text, strict=True), [])
    except ValidationError as error:
        details = error.errors(include_url=False)[:MAX_PROBLEMS]
        return Checked(None, [_problem(source, where, detail, adapter) for detail in details])


def error_keys(model: TypeAdapter[Any], value: Any) -> set[str]:
    """The top-level keys of `value` that hold errors or are unknown."""
    try:
        model.validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        return {str(place[0]) for detail in error.errors() if (place := detail["loc"])}
    return set()


def near(name: str, known: Iterable[str]) -> str:
    """A suggestion for a wrong name: the nearest known one, else all of them when they are few."""
    known = sorted(known)
    if close := difflib.get_close_matches(name, known, n=1):
        return f"did you mean {close[0]!r}?"
    return f"known: {', '.join(known)}" if 0 < len(known) <= 12 else ""


_RULES = {
    "extra_forbidden": "unknown-key",
    "missing": "missing-key",
    "string_pattern_mismatch": "pattern",
    "enum": "unknown-name",
    "literal_error": "unknown-name",
}


def _problem(source: Source, where: Where, detail: ErrorDetails, adapter: TypeAdapter[Any]) -> Problem:
    place = detail["loc"]
    if place and place[-1] == "[key]":
        place = place[:-1]
    elif len(place) > 1 and detail["type"] != "missing" and (*where, *place) not in source.places:
        # pydantic names each form that a union allows as if it were a part of the file.
        label = ".".join(map(str, place[:-1]))
        return source.problem((*where, *place), "schema", f"{label}: this form of value is not allowed here")
    message, suggestion = _words(detail, place, adapter)
    return source.problem((*where, *place), _RULES.get(detail["type"], "schema"), message, suggestion)


def _words(detail: ErrorDetails, place: Where, adapter: TypeAdapter[Any]) -> tuple[str, str]:
    """The message and the suggestion for one of pydantic's error types."""
    given, name = detail.get("input"), str(place[-1]) if place else ""
    match detail["type"]:
        case "extra_forbidden":
            return f"{name!r} is not a key here", near(name, _keys_beside(adapter, place))
        case "missing":
            return f"the key {name!r} is missing", ""
        case "enum" | "literal_error" if isinstance(given, str):
            expected = str(detail["ctx"]["expected"]).replace(" or ", ", ").split(", ")
            return f"{given!r} is not known here", near(given, [part.strip("'") for part in expected])
        case "string_type" if isinstance(given, int | float):
            return f"{name} must be a text", f'quote it: "{given}"'
    label = ".".join(map(str, place))
    text = detail["msg"].removeprefix("Value error, ")
    return f"{label}: {text}" if label else text, ""


def _keys_beside(adapter: TypeAdapter[Any], place: Where) -> set[str]:
    """The keys that the schema knows where the last part of `place` stands."""
    schema = adapter.json_schema()
    nodes = [schema]
    for part in place[:-1]:
        nodes = [child for node in nodes for child in _children(_resolved(schema, node), part)]
    return {key for node in nodes for option in _resolved(schema, node) for key in option.get("properties", {})}


def _resolved(schema: dict[str, Any], node: dict[str, Any]) -> list[dict[str, Any]]:
    if reference := node.get("$ref"):
        node = schema["$defs"][reference.rsplit("/", 1)[-1]]
    options = node.get("anyOf") or node.get("oneOf")
    return [leaf for option in options for leaf in _resolved(schema, option)] if options else [node]


def _children(nodes: list[dict[str, Any]], part: str | int) -> list[dict[str, Any]]:
    found = [node.get("items") if isinstance(part, int) else node.get("properties", {}).get(part) for node in nodes]
    found += [node.get("additionalProperties") for node in nodes if not isinstance(part, int)]
    return [child for child in found if isinstance(child, dict)]
