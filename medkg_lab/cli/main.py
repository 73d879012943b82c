"""`medkg-lab`: the parser, and what every command does alike."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from medkg_lab import __version__, exit_codes
from medkg_lab.cli.commands import (
    audit,
    backup,
    bench,
    broker,
    completion,
    dagster,
    demo,
    dev,
    doctor,
    document,
    eval,
    events,
    gate,
    graph,
    jobs,
    lab,
    ledger,
    mesh,
    metrics,
    models,
    new,
    pipeline,
    policies,
    report,
    repro,
    retention,
    screen,
    search,
    serve,
    sql,
    submit,
    verify,
)
from medkg_lab.cli.output import print_json, print_note
from medkg_lab.cli.parser import Parser
from medkg_lab.cli.streams import discard_output, usable_streams
from medkg_lab.errors import LabError
from medkg_lab.interpreter import restart_if_unsuitable
from medkg_lab.text import one_line

# What ends a command from outside: SIGTERM, and SIGHUP when its terminal closes.
ENDING = (signal.SIGTERM, signal.SIGHUP)


def end_on_signals() -> None:
    """End by SystemExit with 128 + the signal's number, as shells count it, so that cursor, files and labs are left in order.

    A signal that the parent had ignored (nohup) stays ignored.
    """
    for number in ENDING:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)


def catch_interrupts() -> None:
    """Have Ctrl-C raise KeyboardInterrupt from here on; one that the parent had ignored stays ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


TRACEBACK = "MEDKG_LAB_TRACEBACK"
"""Set, the environment variable has faults of the program printed with their traceback."""

MODULES = (
    screen,
    demo,
    dev,
    lab,
    dagster,
    submit,
    jobs,
    gate,
    events,
    sql,
    search,
    document,
    graph,
    serve,
    report,
    pipeline,
    policies,
    new,
    verify,
    audit,
    metrics,
    broker,
    mesh,
    models,
    eval,
    ledger,
    backup,
    retention,
    repro,
    bench,
    doctor,
    completion,
)

EPILOG = """exit codes: 0 done, 1 failed, 2 usage, 3 not ready, 4 gate closed or refused, 5 GPU unavailable, 130 interrupted

examples:
  medkg-lab                               the screen: starts the lab, or attaches to the one that runs
  medkg-lab demo                          everything once, on bundled documents
  medkg-lab up && medkg-lab submit ~/papers --wait
  medkg-lab search "metformin in type 2 diabetes"
"""


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = Parser(
        prog="medkg-lab",
        description="Run a complete medical-document pipeline, with its real parts, on one machine.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"medkg-lab {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command")
    common = Parser(add_help=False)
    home = "the lab's folder (default: MEDKG_LAB_HOME, else the platform's places)"
    parser.add_argument("--home", default=None, help=home)
    # Suppressed, because a command's own default would overwrite what was given before the command.
    common.add_argument("--home", default=argparse.SUPPRESS, help=home)
    common.add_argument("--json", action="store_true", help="print JSON on stdout")
    for module in MODULES:
        module.add(commands, common)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; without `argv` the process's own, which may restart the process."""
    os.umask(0o077)
    if argv is None:
        restart_if_unsuitable()
        end_on_signals()
    with usable_streams():
        try:
            return _to_the_end(argv)
        except Exception as error:  # process boundary: the user gets a sentence, a test the error
            if argv is not None or os.environ.get(TRACEBACK):
                raise
            print_note(f"medkg-lab: {_unexpected(error)}")
            return exit_codes.FAILED
        finally:
            discard_output()


def _to_the_end(argv: Sequence[str] | None) -> int:
    """Run a command until its output is written."""
    code = exit_codes.OK
    try:
        try:
            if argv is None:
                catch_interrupts()
            code = _run(argv)
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return exit_codes.INTERRUPTED
    except BrokenPipeError:
        return code  # the reader of our output (`| head`) is gone: not an error
    except OSError as error:
        # A full disk or a folder that may not be written: the system's own words say it best.
        print_note(f"medkg-lab: {error}. Make room or fix the permissions, then try again.")
        return code or exit_codes.FAILED
    return code


def _run(argv: Sequence[str] | None) -> int:
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.command is None:
        args = parser.parse_args([*(argv if argv is not None else sys.argv[1:]), "screen"])
    if not hasattr(args, "run"):
        parser.parse_args([args.command, "--help"])
    args.parser = parser
    try:
        return int(args.run(args) or exit_codes.OK)
    except LabError as error:
        if args.json:
            print_json({"ok": False, "error": {"type": type(error).__name__, "message": str(error)}})
        print_note(f"medkg-lab: {error}")
        return error.exit_code


def _unexpected(error: Exception) -> str:
    """A fault of the program in a sentence, with the place where it was found."""
    import traceback

    place = traceback.extract_tb(error.__traceback__)[-1]
    words = one_line(f"{type(error).__name__}: {error}", 300)
    where = f"{os.path.basename(place.filename)}:{place.lineno}"
    return f"{words} ({where}). This is a fault of medkg-lab; with {TRACEBACK}=1 the command prints all that is known."


if __name__ == "__main__":
    raise SystemExit(main())
