"""`medkg-lab completion bash | zsh | fish` and `medkg-lab man`: made from the parser, so that they name what there is."""

import argparse
import sys

from medkg_lab import exit_codes
from medkg_lab.cli.output import print_json

SHELLS = ("bash", "zsh", "fish")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the commands."""
    completion = commands.add_parser("completion", parents=[common], help="print the completion script for a shell")
    completion.add_argument("shell", choices=SHELLS, help="the shell")
    completion.set_defaults(run=_completion)
    man = commands.add_parser("man", parents=[common], help="print the manual page (roff), for man -l -")
    man.set_defaults(run=_man)


def _completion(args: argparse.Namespace) -> int:
    from medkg_lab.cli.completion import script

    return _print(args, script(args.parser, args.shell))


def _man(args: argparse.Namespace) -> int:
    from medkg_lab.cli.manual import page

    return _print(args, page(args.parser))


def _print(args: argparse.Namespace, text: str) -> int:
    if args.json:
        print_json({"ok": True, "text": text})
    else:
        sys.stdout.write(text)
    return exit_codes.OK
