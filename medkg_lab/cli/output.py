"""How results are printed: JSON on request, else plain tables; foreign text is made safe on the way."""

import contextlib
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from medkg_lab.cli.colour import BOLD, STATES, is_coloured, paint
from medkg_lab.cli.streams import unfiltered
from medkg_lab.text import one_line, sanitize

NARROWEST = 8


def print_json(value: Any) -> None:
    """Print `value` as one JSON document on stdout, in ASCII without control characters."""
    print(_escaped(value, indent=2), flush=True)  # a command that goes on, as `serve` does, is read meanwhile


def print_json_line(value: Any) -> None:
    """Print `value` as JSON on one line."""
    print(_escaped(value), flush=True)


def _escaped(value: Any, indent: int | None = None) -> str:
    # JSON escapes all control characters but this one; it can only stand inside a string.
    return json.dumps(value, ensure_ascii=True, indent=indent, default=str).replace("\x7f", "\\u007f")


def print_note(text: str) -> None:
    """Tell the person something that is not data."""
    with contextlib.suppress(OSError):  # a stderr that cannot be written must not hide how the command ended
        print(sanitize(text), file=sys.stderr, flush=True)


@contextlib.contextmanager
def live_line() -> Iterator[Callable[[str], None]]:
    """One line on a terminal's stderr that is written anew each time, and gone in the end; elsewhere nothing is written."""
    shown = 0

    def show(text: str) -> None:
        nonlocal shown
        if sys.stderr.isatty():
            line = one_line(text, max(1, shutil.get_terminal_size().columns - 1))
            with contextlib.suppress(OSError):
                print(f"\r{line.ljust(shown)}", end="", file=sys.stderr, flush=True)
            shown = len(line)

    try:
        yield show
    finally:
        if shown:
            with contextlib.suppress(OSError):
                print("\r" + " " * shown + "\r", end="", file=sys.stderr, flush=True)


def print_text(text: str) -> None:
    """Print text, made safe, on stdout."""
    print(sanitize(text))


def print_file(text: str) -> None:
    """Print the text of a file: made safe on a terminal, elsewhere in UTF-8 whatever the locale, as its format says."""
    if sys.stdout.isatty():
        sys.stdout.write(text)
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8", "replace"))


def print_styled(text: str) -> None:
    """Print text with our own control sequences on stdout; what is foreign in it was made safe before."""
    sys.stdout.flush()
    print(text, end="", file=unfiltered(sys.stdout), flush=True)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], widest: int = 72) -> None:
    """Print an aligned table; cells are cut to `widest` characters, on a terminal also to what its width leaves them."""
    cells = [[one_line(_cell(value), widest) for value in row] for row in rows]
    widths = [max([len(name), *(len(row[number]) for row in cells)]) for number, name in enumerate(columns)]
    widths = fit(widths, shutil.get_terminal_size().columns) if sys.stdout.isatty() else widths
    coloured = is_coloured(sys.stdout)
    for number, line in enumerate(([name.upper() for name in columns], *cells)):
        fitted = [one_line(value, width).ljust(width) for value, width in zip(line, widths, strict=True)]
        if coloured:
            painted = (paint(cell, BOLD if number == 0 else STATES.get(cell.rstrip())) for cell in fitted)
            print_styled("  ".join(painted).rstrip() + "\n")
        else:
            print("  ".join(fitted).rstrip())


def fit(widths: Sequence[int], room: int) -> list[int]:
    """Make columns narrower, always the widest one, until they fit into `room` with two blanks between them.

    No column gets narrower than eight characters: a table that still does not fit is left to the terminal.
    """
    fitted = list(widths)
    while sum(fitted) + 2 * (len(fitted) - 1) > room and max(fitted) > NARROWEST:
        fitted[fitted.index(max(fitted))] -= 1
    return fitted


def print_fields(fields: Mapping[str, object]) -> None:
    """Print names and values, a line each; what is None is skipped."""
    shown = {name: value for name, value in fields.items() if value is not None}
    width = max(map(len, shown), default=0)
    for name, value in shown.items():
        print(f"{name.ljust(width)}  {sanitize(_cell(value))}")


def time_taken(started: float) -> str:
    """Minutes and seconds since `started`, which is in seconds of the monotonic clock."""
    minutes, seconds = divmod(int(time.monotonic() - started), 60)
    return f"{minutes}:{seconds:02}"


def megabytes(size: int) -> str:
    """A size in bytes as megabytes."""
    return f"{size / 1e6:,.1f} MB"


def clock(seconds: float | None) -> str:
    """A moment in local time, to the second."""
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S") if seconds else ""


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
