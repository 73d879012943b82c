"""`medkg-lab bench`: measure a part of the lab on this machine."""

import argparse
import importlib
from dataclasses import asdict

from medkg_lab import exit_codes
from medkg_lab.bench import BENCHES
from medkg_lab.bench.figures import Report
from medkg_lab.cli.output import print_json, print_table, print_text
from medkg_lab.cli.parser import Parser

_MET = {True: "✓", False: "✗", None: "not judged"}


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = commands.add_parser("bench", parents=[common], help="measure a part of the lab on this machine")
    parser.add_argument("name", choices=sorted(BENCHES), help="what to measure")
    parser.add_argument(
        "options", nargs=argparse.REMAINDER, help="the measurement's own options; `bench NAME --help` names them"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure, in a lab of its own, and print the figures; exit code 1 when a target is missed, not when it cannot be judged."""
    module = importlib.import_module(BENCHES[args.name])
    parser = Parser(prog=f"medkg-lab bench {args.name}", description=module.__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON on stdout")
    module.add_arguments(parser)
    own = parser.parse_args(args.options)
    found: Report = module.measure(module.options_from(own))
    if args.json or own.json:
        print_json(asdict(found))
    else:
        columns = ("name", "value", "target", "met")
        print_table(columns, ((one.name, one.value, one.target, _MET[one.met]) for one in found.targets))
        print_text(f"on {found.machine.cores} cores of {found.machine.cpu}; --json has the details")
    return exit_codes.OK if all(one.met is not False for one in found.targets) else exit_codes.FAILED
