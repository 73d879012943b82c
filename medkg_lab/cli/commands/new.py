"""`medkg-lab new stage | source | pipeline`."""

import argparse
import shlex
import sys
from pathlib import Path

from medkg_lab import exit_codes
from medkg_lab.cli.output import print_json, print_note, print_text


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the command."""
    group = commands.add_parser("new", help="make a package with a plug-in, its test and a pipeline").add_subparsers(
        metavar="WHAT", required=True
    )
    for what, summary in (
        ("stage", "a stage of a type of its own"),
        ("source", "a source of documents"),
        ("pipeline", "a pipeline with a test"),
    ):
        parser = group.add_parser(what, parents=[common], help=summary)
        parser.add_argument("name", help="lower-case words with hyphens, such as drop-repeats")
        parser.add_argument(
            "--folder", type=Path, default=Path(), help="where the package's folder is made (default: here)"
        )
        parser.set_defaults(run=_new, what=what)


def _new(args: argparse.Namespace) -> int:
    from medkg_lab.environment import install_command
    from medkg_lab.scaffold.make import Template, make

    made = make(Template(args.what), args.name, args.folder)
    folder = args.folder / f"medkg-{args.name}"
    if args.json:
        print_json({"ok": True, "folder": str(folder), "files": [str(path) for path in made]})
        return exit_codes.OK
    for path in made:
        print_text(str(path))
    needed = ["pytest"] if args.what == "pipeline" else ["pytest", "-e", "."]
    test = shlex.join([sys.executable, "-m", "pytest"])
    print_note(f"Next: cd {shlex.quote(str(folder))} && {install_command(*needed)} && {test}")
    return exit_codes.OK
