"""`medkg-lab broker topics | groups | tail | produce | copy`."""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from medkg_lab import exit_codes
from medkg_lab.cli.output import print_json, print_table, print_text, say

if TYPE_CHECKING:
    from medkg_lab.lab.facade import Lab


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the commands."""
    group = commands.add_parser("broker", help="look at topics and groups, feed the queue by hand").add_subparsers(
        metavar="ACTION", required=True
    )
    group.add_parser("topics", parents=[common], help="list topics with their offsets").set_defaults(run=_topics)
    group.add_parser("groups", parents=[common], help="list consumer groups with their lag").set_defaults(run=_groups)
    tail = group.add_parser("tail", parents=[common], help="show the last records of a topic")
    tail.add_argument("topic", help="the topic's name")
    tail.add_argument("--count", type=int, default=10, help="how many (default 10)")
    tail.set_defaults(run=_tail)
    produce = group.add_parser("produce", parents=[common], help="put one record on a topic")
    produce.add_argument("topic", help="the topic's name")
    produce.add_argument("--key", help="the record's key")
    produce.add_argument("value", nargs="?", help="the record's value (default: stdin)")
    produce.set_defaults(run=_produce)
    copy = group.add_parser("copy", parents=[common], help="carry all topics over to another broker engine")
    engines = ("embedded", "redpanda", "external")
    copy.add_argument("--from", dest="source", choices=engines, required=True, help="the engine that has the topics")
    copy.add_argument("--to", dest="target", choices=engines, required=True, help="the engine that gets them")
    copy.set_defaults(run=_copy)


def _lab(given: argparse.Namespace) -> "Lab":
    from medkg_lab.lab.facade import Lab

    lab = Lab.at(given.home)
    lab.require_running()
    return lab


def _topics(given: argparse.Namespace) -> int:
    from medkg_lab.broker.client import topic_listing

    found = topic_listing(_lab(given).bootstrap)
    if given.json:
        print_json(found)
    else:
        print_table(
            ("topic", "partition", "first", "next"),
            ((o["topic"], o["partition"], o["first"], o["next"]) for o in found),
        )
    return exit_codes.OK


def _groups(given: argparse.Namespace) -> int:
    from medkg_lab.broker.client import group_listing

    found = group_listing(_lab(given).bootstrap)
    if given.json:
        print_json(found)
    else:
        columns = ("group", "state", "topic", "partition", "committed", "lag")
        print_table(columns, (tuple(one.get(name) for name in columns) for one in found))
    return exit_codes.OK


def _tail(given: argparse.Namespace) -> int:
    from medkg_lab.broker.client import tail

    records = tail(_lab(given).bootstrap, given.topic, given.count)
    shown = [one.as_text() for one in records]
    if given.json:
        print_json(shown)
        return exit_codes.OK
    show(shown)
    return exit_codes.OK


def show(records: list[dict[str, Any]]) -> None:
    """Print records as `Record.as_text` gives them, each with its headers below it."""
    for one in records:
        print_text(f"{one['partition']}@{one['offset']} {one['key']}  {one['value']}")
        for name, value in one["headers"]:
            print_text(f"    {name}: {value}")


def _produce(given: argparse.Namespace) -> int:
    from medkg_lab.broker.client import produce

    value = sys.stdin.buffer.read() if given.value is None else given.value.encode()
    place = produce(_lab(given).bootstrap, given.topic, value, key=given.key.encode() if given.key else None)
    if given.json:
        print_json(place)
    else:
        say(f"kept at {place['partition']}@{place['offset']}")
    return exit_codes.OK


def _copy(given: argparse.Namespace) -> int:
    from medkg_lab.lab.engines import move
    from medkg_lab.lab.facade import Lab

    lab = Lab.at(given.home)
    done = move(lab, given.source, given.target, lambda one: say(f"{one.topic}: {one.records} records"))
    if given.json:
        print_json([vars(one) for one in done])
    else:
        print_table(("topic", "partitions", "records"), ((one.topic, one.partitions, one.records) for one in done))
    if lab.settings.broker.engine != given.target:
        say(f"Set broker.engine to {given.target} in settings.yaml before the next start.")
    return exit_codes.OK
