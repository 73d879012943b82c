"""`medkg-lab` without a command, or `medkg-lab screen`: the lab as a screen."""

import argparse
import sys

from medkg_lab import exit_codes
from medkg_lab.cli.streams import unfiltered_streams
from medkg_lab.errors import LabError

THEMES = ("dark", "light", "contrast")


class NoTerminal(LabError):
    """The screen needs a terminal, and this is not one. `medkg-lab status`, `medkg-lab watch` and `medkg-lab --help` work
    here."""

    exit_code = exit_codes.USAGE


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "screen", parents=[common], help="open the screen; the same as no command (starts the lab if it does not run)"
    )
    parser.add_argument(
        "--theme", choices=THEMES, help="the colours (default: as the settings say; T in the screen changes them)"
    )
    parser.add_argument("--no-start", action="store_true", help="do not start a lab that does not run")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Open the screen until it is left."""
    if sys.stdin is None or not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise NoTerminal
    from medkg_lab.tui.app import run as open_screen

    with unfiltered_streams():
        return open_screen(args.home, start=not args.no_start, theme=args.theme)
