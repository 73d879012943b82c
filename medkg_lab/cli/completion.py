"""Completion scripts for shells: shtab's for bash and zsh, and one for fish, which shtab does not know."""

import argparse
import contextlib
import io
from collections.abc import Iterator


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The script for `shell` (bash, zsh or fish)."""
    if shell == "fish":
        return "\n".join(["complete -c medkg-lab -f", *_fish(parser, ())]) + "\n"
    import shtab

    # It tells on stderr what it cannot complete: types of arguments that are functions.
    with contextlib.redirect_stderr(io.StringIO()):
        return str(shtab.complete(parser, shell=shell)) + "\n"


def subcommands(parser: argparse.ArgumentParser) -> dict[str, tuple[argparse.ArgumentParser, str]]:
    """The commands below a parser, with their help."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            told = {one.dest: one.help or "" for one in action._choices_actions}
            return {name: (inner, told.get(name, "")) for name, inner in action.choices.items()}
    return {}


def options(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """The options that a parser takes itself."""
    return [one for one in parser._actions if one.option_strings and one.help is not argparse.SUPPRESS]


def _fish(parser: argparse.ArgumentParser, path: tuple[str, ...]) -> Iterator[str]:
    inner = subcommands(parser)
    seen = " ; and ".join(f"__fish_seen_subcommand_from {name}" for name in path)
    if path:
        none_of = f"; and not __fish_seen_subcommand_from {' '.join(inner)}" if inner else ""
        condition = f"{seen}{none_of}"
    else:
        condition = "__fish_use_subcommand"
    for name, (_, told) in inner.items():
        yield f"complete -c medkg-lab -n {_quoted(condition)} -a {name} -d {_quoted(told)}"
    for option in options(parser):
        names = " ".join(f"-l {one[2:]}" if one.startswith("--") else f"-s {one[1:]}" for one in option.option_strings)
        takes = (
            ""
            if option.nargs == 0
            else f" -x -a {_quoted(' '.join(map(str, option.choices)))}"
            if option.choices
            else " -r"
        )
        where = f" -n {_quoted(seen)}" if path else ""
        yield f"complete -c medkg-lab{where} {names}{takes} -d {_quoted(option.help or '')}"
    for name, (below, _) in inner.items():
        yield from _fish(below, (*path, name))


def _quoted(text: str) -> str:
    escaped = " ".join(text.replace("%%", "%").split()).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
