"""The manual page: roff with the man macros (man(7), groff_man(7)), made from the parser."""

import argparse
from collections.abc import Iterator

from medkg_lab import __version__
from medkg_lab.cli.completion import subcommands

_ENVIRONMENT = {
    "MEDKG_LAB_HOME": "the lab's folder",
    "MEDKG_LAB_CACHE": "where models are kept, for several labs together",
    "NO_COLOR": "set, nothing is coloured",
    "FORCE_COLOR": "set, colours are written also where the output is no terminal",
}


def page(parser: argparse.ArgumentParser) -> str:
    """The page for section 1."""
    return "\n".join(_lines(parser)) + "\n"


def _lines(parser: argparse.ArgumentParser) -> Iterator[str]:
    yield f'.TH MEDKG-LAB 1 "" "medkg-lab {__version__}" "User Commands"'
    yield from (".SH NAME", f"medkg-lab \\- {_roff(_one_line(parser.description or ''))}")
    yield from (".SH SYNOPSIS", ".B medkg-lab", "[\\fICOMMAND\\fR] [\\fIOPTIONS\\fR]")
    yield from (".SH DESCRIPTION", "Without a command it opens the screen, and starts the lab where none runs.")
    yield ".SH COMMANDS"
    for name, (inner, told) in subcommands(parser).items():
        yield from _command(name, inner, told)
    yield ".SH EXIT STATUS"
    yield "0 done, 1 failed, 2 usage, 3 not ready, 4 gate closed or refused, 5 GPU unavailable, 130 interrupted."
    yield ".SH ENVIRONMENT"
    for name, meaning in _ENVIRONMENT.items():
        yield from (".TP", f".B {name}", meaning)


def _command(name: str, parser: argparse.ArgumentParser, told: str) -> Iterator[str]:
    below = subcommands(parser)
    if not below:
        yield from (".TP", f"\\fB{_roff(name)}\\fR {_roff(_arguments(parser))}", _roff(_one_line(told)))
    for inner, (deeper, more) in below.items():
        yield from _command(f"{name} {inner}", deeper, more)


def _arguments(parser: argparse.ArgumentParser) -> str:
    return _one_line(parser.format_usage()).removeprefix(f"usage: {parser.prog}").strip()


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _roff(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped
