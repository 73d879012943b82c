"""`medkg-lab up | down | status | watch | logs | restart | paths`."""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from medkg_lab import exit_codes
from medkg_lab.cli.numbers import MOST, between, seconds
from medkg_lab.cli.output import (
    clock,
    live_line,
    megabytes,
    print_json,
    print_json_line,
    print_note,
    print_styled,
    print_table,
    print_text,
    time_taken,
)
from medkg_lab.errors import LabError, LabNotRunning
from medkg_lab.logs import FORMATS

if TYPE_CHECKING:
    from medkg_lab.lab.facade import Lab
    from medkg_lab.lab.status import LabReport
    from medkg_lab.supervisor.answers import ProcessRow


class NoSuchLog(LabError):
    """There is no log of {name!r} in {folder}. It has: {known}."""

    exit_code = exit_codes.USAGE


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the commands."""
    up = commands.add_parser("up", parents=[common], help="start the lab")
    up.add_argument(
        "--timeout",
        type=float,
        metavar="SECONDS",
        help="how long to wait at most while the processes get on (default 600)",
    )
    up.add_argument(
        "--log-format", choices=FORMATS, help="how the processes log (default: logs.format in settings.yaml)"
    )
    up.set_defaults(run=_up)
    down = commands.add_parser("down", parents=[common], help="stop the lab")
    down.set_defaults(run=_down)
    status = commands.add_parser("status", parents=[common], help="show the processes, jobs and views")
    status.add_argument("--why", action="store_true", help="explain what blocked jobs are waiting for")
    status.set_defaults(run=_status)
    watch = commands.add_parser("watch", parents=[common], help="refresh the status until Ctrl-C")
    watch.add_argument(
        "--every", type=seconds(0.1), default=1.0, metavar="SECONDS", help="seconds between two looks (default 1)"
    )
    watch.set_defaults(run=_watch)
    logs = commands.add_parser("logs", parents=[common], help="show a process's log")
    logs.add_argument("name", nargs="?", help="the process; without it the last lines of every log")
    logs.add_argument("--lines", type=between(0, MOST), default=50, help="how many lines (default 50)")
    logs.set_defaults(run=_logs)
    restart = commands.add_parser("restart", parents=[common], help="restart one process of the lab")
    restart.add_argument("name", help="the process")
    restart.set_defaults(run=_restart)
    labs = commands.add_parser("labs", parents=[common], help="list the labs that you run on this machine")
    labs.set_defaults(run=_labs)
    paths = commands.add_parser(
        "paths", parents=[common], help="show the lab's folders with their sizes, and how to remove them"
    )
    paths.set_defaults(run=_paths)


def _up(args: argparse.Namespace) -> int:
    from medkg_lab.lab.facade import Lab
    from medkg_lab.lab.installation import missing_parts
    from medkg_lab.supervisor.readiness import STARTS_S

    lab = Lab.at(args.home)
    seconds = args.timeout if args.timeout is not None else STARTS_S
    lab.supervisor.up(seconds=seconds, log_format=args.log_format)
    wait_ready(lab, seconds)
    status = lab.supervisor.status()
    notes = [*status.notes, *missing_parts(lab)]
    for note in notes:
        print_note(f"medkg-lab: {note}")
    if args.json:
        facts = {"ok": True, "home": status.home, "pid": status.pid, "notes": notes, **lab.dagster.link().to_json()}
        print_json(facts)
    else:
        print_note(f"the lab at {status.home} is up")
        print_dagster(*lab.dagster.link())
    return exit_codes.OK


def wait_ready(lab: "Lab", seconds: float) -> None:
    """Wait until the lab's processes are ready, with a live line about them. Raises LabNotReady and LabStarting."""
    started = time.monotonic()
    with live_line() as line:
        lab.supervisor.wait_ready(seconds, lambda seen: line(starting_words(seen.processes, started)))


def starting_words(processes: "Sequence[ProcessRow]", started: float) -> str:
    """How many processes are ready, which are waited for, and for how long; `started` is on the monotonic clock, in seconds."""
    waiting = [one.name for one in processes if one.state != "ready"]
    words = [f"{len(processes) - len(waiting)}/{len(processes)} ready", *([", ".join(waiting)] if waiting else [])]
    return " · ".join([*words, time_taken(started)])


def _down(args: argparse.Namespace) -> int:
    from medkg_lab.lab.facade import Lab

    try:
        Lab.at(args.home).supervisor.down()
        was_running = True
    except LabNotRunning:
        was_running = False
    if args.json:
        print_json({"ok": True, "was_running": was_running})
    else:
        print_note("the lab is stopped" if was_running else "no lab was running")
    return exit_codes.OK


def _status(args: argparse.Namespace) -> int:
    from medkg_lab.lab import status
    from medkg_lab.lab.facade import Lab

    lab = Lab.at(args.home, deadline=status.TIMEOUT_S)
    found = status.status(lab)
    why = {"why": status.blockers(lab)} if args.why else {}
    if args.json:
        print_json({**found.to_json(), **why})
        return exit_codes.OK
    _print_status(found)
    for sentences in why.values():
        print_text("\n" + ("\n".join(sentences) or "Nothing is waiting."))
    return exit_codes.OK


def _watch(args: argparse.Namespace) -> int:
    from medkg_lab.lab import status
    from medkg_lab.lab.facade import Lab

    lab = Lab.at(args.home, deadline=status.TIMEOUT_S)
    while True:
        found = status.status(lab, with_link=False)
        if args.json:
            print_json_line(found.to_json())
        else:
            print_styled("\x1b[H\x1b[2J" if sys.stdout.isatty() else "")
            _print_status(found)
        time.sleep(args.every)


def _print_status(found: "LabReport") -> None:
    columns = ("process", "state", "pid", "restarts", "MB", "port", "reason")
    rows = (
        (one.name, one.state, one.pid, one.restarts, one.rss_mb, one.port, one.reason) for one in found.lab.processes
    )
    print_table(columns, rows)
    print_text(
        f"\nprofile {found.lab.profile}, {found.rss_mb} MB of memory in all, {found.disk_free_mb} MB of disk left"
    )
    print_text(found.disk.says)
    print_text(f"broker {found.broker.engine}: {found.broker.durability}")
    print_text(f"Kafka: {found.broker.bootstrap} (`medkg-lab broker access` shows how a producer logs in)")
    if access := found.broker.details.get("access"):
        print_text(f"broker access: {access}")
    for name in ("jobs", "gates", "lag"):
        if found.counted is None:
            print_text(f"{name}: not known now ({found.ledger_error or ''})")
        else:
            counts: Mapping[str, int] = getattr(found.counted, name)
            print_text(f"{name}: " + (", ".join(f"{count} {what}" for what, count in counts.items()) or "none"))
    link = found.link
    print_dagster(link.url if link else None, link.error if link else None)


def print_dagster(url: str | None, error: str | None) -> None:
    """Print how Dagster is opened, or why it cannot be now."""
    if url:
        print_text(f"Dagster: {url} (opens it once, within a minute; `medkg-lab dagster open` again)")
    else:
        print_text(f"Dagster: {error or '`medkg-lab dagster open`'}")


def _logs(args: argparse.Namespace) -> int:
    from medkg_lab.locations import locate

    folder = locate(args.home).state / "logs"
    known = {path.stem: path for path in sorted(folder.glob("*.log"))}
    if args.name is not None and args.name not in known:
        raise NoSuchLog(name=args.name, folder=folder, known=", ".join(known) or "none yet")
    chosen = {args.name: known[args.name]} if args.name else known
    lines = {name: _tail(path, args.lines) for name, path in chosen.items()}
    if args.json:
        print_json(lines)
        return exit_codes.OK
    for name, tail in lines.items():
        for line in tail:
            print_text(line if args.name else f"{name}: {line}")
    return exit_codes.OK


def _tail(path: Path, count: int) -> list[str]:
    """The last `count` lines of a log, which may go on in its older part; no more is read than they need."""
    from medkg_lab.files import last_lines

    lines = last_lines(path, count)
    if len(lines) < count and (older := path.with_name(f"{path.name}.1")).exists():
        return [*last_lines(older, count - len(lines)), *lines]
    return lines


def _restart(args: argparse.Namespace) -> int:
    from medkg_lab.lab.facade import Lab

    lab = Lab.at(args.home)
    before = lab.supervisor.restart(args.name).starts
    lab.supervisor.wait_restarted(args.name, before)
    if args.json:
        print_json({"ok": True, "name": args.name})
    else:
        print_note(f"{args.name} is running again")
    return exit_codes.OK


def _labs(args: argparse.Namespace) -> int:
    from medkg_lab.lab.labs import running_labs

    found = running_labs()
    if args.json:
        print_json([asdict(one) for one in found])
    elif not found:
        print_note("no lab of yours is running on this machine")
    else:
        rows = ((one.home, one.pid, clock(one.since), one.state) for one in found)
        print_table(("home", "pid", "since", "state"), rows, widest=200)
    return exit_codes.OK


def _paths(args: argparse.Namespace) -> int:
    from medkg_lab.lab import disk_use
    from medkg_lab.locations import locate

    locations = locate(args.home)
    places, removal = disk_use.places(locations), disk_use.removal(locations)
    if args.json:
        folders = {"home": str(locations.home), **{one.name: str(one.path) for one in places}}
        print_json({**folders, "bytes": {one.name: one.bytes for one in places}, "remove": removal})
        return exit_codes.OK
    rows = [
        ("home", locations.home, "", ""),
        *((one.name, str(one.path), megabytes(one.bytes), one.holds) for one in places),
    ]
    rows.append(("program", sys.prefix, megabytes(disk_use.program_bytes()), "the program and its libraries"))
    print_table(("what", "where", "size", "holds"), rows, widest=200)
    print_text("\nTo remove the lab and everything in it:\n" + "\n".join(f"  {one}" for one in removal))
    return exit_codes.OK
