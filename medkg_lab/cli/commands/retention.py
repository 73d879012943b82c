"""`medkg-lab retention show | run`."""

import argparse
import time
from typing import TYPE_CHECKING

from medkg_lab import exit_codes
from medkg_lab.cli.numbers import seconds
from medkg_lab.cli.output import clock, megabytes, print_json, print_note, print_table, print_text

if TYPE_CHECKING:
    from medkg_lab.lab.retention import Applied

_LOGS = {"log_mib", "log_files"}
_LONGEST_S = 100 * 366 * 86_400.0


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the commands."""
    group = commands.add_parser("retention", help="what the lab removes by itself, and its disk budget").add_subparsers(
        metavar="ACTION", required=True
    )
    show = group.add_parser("show", parents=[common], help="show what each part takes, and what the last time came to")
    show.set_defaults(run=_show)
    run = group.add_parser("run", parents=[common], help="remove now what may go; the lab does so by itself")
    run.add_argument(
        "--if-older", type=seconds(high=_LONGEST_S), metavar="SECONDS", help="only if the last time was longer ago"
    )
    run.set_defaults(run=_run)


def _show(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    import msgspec

    from medkg_lab.broker.topics import chosen_topics
    from medkg_lab.lab import disk_use, retention
    from medkg_lab.lab.facade import Lab

    lab = Lab.at(args.home)
    kept, topics = lab.settings.retention, chosen_topics(lab.settings)
    parts, last = disk_use.growing(lab.locations), retention.last(lab.locations)
    if args.json:
        plan = retention.plan(kept, sum(parts.values()), time.time())
        bounds = {"topics": {one.name: one.retention for one in topics}, "logs": kept.model_dump(include=_LOGS)}
        print_json({"parts": parts, "plan": asdict(plan), "last": msgspec.to_builtins(last), **bounds})
        return exit_codes.OK
    print_table(("part", "size"), ((name, megabytes(size)) for name, size in parts.items()))
    print_text("")
    rows = ((one.name, f"{one.retention_days} days", f"{one.retention_mib} MiB") for one in topics)
    print_table(("topic", "kept for", "in each partition"), rows)
    print_text(f"\neach process's log keeps {kept.log_files} files of {kept.log_mib} MiB")
    print_text(retention.budget_words(parts, kept))
    if last is not None:
        print_text(f"last {clock(last.at)}: {_words(last)}")
    return exit_codes.OK


def _run(args: argparse.Namespace) -> int:
    import msgspec

    from medkg_lab.lab import retention
    from medkg_lab.lab.facade import Lab

    lab = Lab.at(args.home)
    if args.if_older is not None and retention.is_recent(lab.locations, args.if_older, time.time()):
        if args.json:
            print_json(None)
        return exit_codes.OK
    done = retention.apply(lab)
    if args.json:
        print_json(msgspec.to_builtins(done))
        return exit_codes.OK
    print_text(_words(done))
    if done.put_off:
        print_note(f"artifacts stay until the next time: {done.put_off}")
    return exit_codes.OK


def _words(done: "Applied") -> str:
    return (
        f"{done.events} events went to the archive and {done.archive_files} files out of it; "
        f"{done.artifacts} artifacts went, {megabytes(done.bytes)}"
    )
