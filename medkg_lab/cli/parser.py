"""The parser of the command line: arguments are text, its errors are one safe sentence."""

import argparse
import contextlib
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

from medkg_lab import exit_codes
from medkg_lab.text import one_line


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose untyped arguments must be UTF-8, and whose errors hold no control characters."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.register("type", None, text)

    def add_subparsers(self, **options: Any) -> Any:
        """Subcommands; what follows one is for its own parser to check."""
        action = super().add_subparsers(**options)
        action.type = str
        return action

    def error(self, message: str) -> NoReturn:
        """End with exit code 2, the usage and `message`."""
        self.print_usage(sys.stderr)
        self.exit(exit_codes.USAGE, f"{self.prog}: error: {one_line(message)}\n")

    def _print_message(self, message: str, file: Any = None) -> None:
        # argparse hides what goes wrong here; a help that could not be written is a failure as every output is.
        with contextlib.suppress(OSError) if file is not sys.stdout else contextlib.nullcontext():
            (file or sys.stderr).write(message)


def text(given: str) -> str:
    """A type for `add_argument`: text that is UTF-8, or that the locale's encoding can read."""
    if given.isascii():
        return given
    raw = os.fsencode(given)
    for encoding in ("utf-8", _locale_encoding()):
        try:
            return raw.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    raise argparse.ArgumentTypeError(f"{raw!r} is not UTF-8; type it again in UTF-8")


def text_path(given: str) -> Path:
    """A type for `add_argument`: a path that a process of the lab is given, and therefore UTF-8."""
    try:
        return Path(os.fsencode(given).decode())
    except UnicodeDecodeError:
        raise argparse.ArgumentTypeError(f"{os.fsencode(given)!r} is not UTF-8; choose another path") from None


def text_or_file(given: str) -> str:
    """A type for `add_argument`: text, or the path of a file that exists, whatever its bytes."""
    return given if os.path.lexists(given) else text(given)


def _locale_encoding() -> str:
    import locale

    return locale.getencoding()
