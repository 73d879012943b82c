"""All commands of the command line, each with arguments that its parser accepts, found in the parser itself."""

import argparse
from collections.abc import Iterator

from medkg_lab.cli.main import build_parser

STARTING = {("up",), ("demo",), ("bench",)}
"""Commands that start processes; their --help is run all the same."""


def leaves(parser: argparse.ArgumentParser | None = None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command."""
    parser = parser or build_parser()
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        yield path
    for name, below in (pair for group in groups for pair in group.choices.items()):
        yield from leaves(below, (*path, name))


def filled(path: tuple[str, ...], word: str = "x") -> list[str]:
    """A command line for the command at `path` that has every argument it needs; `word` stands for each text."""
    parser = build_parser()
    for name in path:
        group = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
        parser = group.choices[name]
    given = list(path)
    for action in parser._actions:
        values = [_value(action, word)] * (action.nargs if isinstance(action.nargs, int) else 1)
        if action.option_strings and action.required:
            given += [action.option_strings[0], *values]
        elif not action.option_strings and action.nargs not in ("*", "?", argparse.REMAINDER):
            given += values
    return given


def _value(action: argparse.Action, word: str) -> str:
    return str(next(iter(action.choices))) if action.choices else word
