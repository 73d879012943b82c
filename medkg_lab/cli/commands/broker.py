"""`medkg-lab broker topics | groups | tail | produce | access | copy`."""

import argparse
import sys
from dataclasses import asdict, astuple
from typing import TYPE_CHECKING

from medkg_lab import exit_codes
from medkg_lab.cli.output import print_fields, print_json, print_json_line, print_note, print_table, print_text
from medkg_lab.cli.streams import standard_input
from medkg_lab.errors import LabError
from medkg_lab.text import one_line

if TYPE_CHECKING:
    from medkg_lab.broker.record import TextRecord
    from medkg_lab.lab.facade import Lab


class NothingToProduce(LabError):
    """Nothing came on standard input, so nothing was put on {topic}. Give the record's value there or as an argument."""

    exit_code = exit_codes.USAGE


CLIENTS = ("kcat", "librdkafka", "java", "confluent-kafka", "aiokafka", "kafka-python")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the commands."""
    group = commands.add_parser("broker", help="look at topics and groups, feed the queue by hand").add_subparsers(
        metavar="ACTION", required=True
    )
    group.add_parser("topics", parents=[common], help="list topics with their offsets").set_defaults(run=_topics)
    group.add_parser("groups", parents=[common], help="list consumer groups with their lag").set_defaults(run=_groups)
    tail = group.add_parser("tail", parents=[common], help="show a topic's last records, or what comes")
    tail.add_argument("topic", help="the topic's name")
    tail.add_argument("--count", type=_count, default=10, help="how many (default 10); 0: only what comes from now on")
    tail.add_argument("--follow", action="store_true", help="go on showing new ones until Ctrl-C; a JSON line each")
    tail.set_defaults(run=_tail)
    produce = group.add_parser("produce", parents=[common], help="put one record on a topic")
    produce.add_argument("topic", help="the topic's name")
    produce.add_argument("--key", help="the record's key")
    produce.add_argument("value", nargs="?", help="the record's value (default: stdin)")
    produce.set_defaults(run=_produce)
    access = group.add_parser("access", parents=[common], help="show how a program outside of the lab submits requests")
    access.add_argument("--client", choices=CLIENTS, help="only what this client is set up with, ready to paste")
    access.add_argument("--show-password", action="store_true", help="with the password itself, not only its file")
    access.set_defaults(run=_access)
    copy = group.add_parser("copy", parents=[common], help="carry all topics over to another broker engine")
    copy.add_argument(
        "--from",
        dest="source",
        metavar="ENGINE",
        required=True,
        help="the engine that has the topics, such as embedded",
    )
    copy.add_argument("--to", dest="target", metavar="ENGINE", required=True, help="the engine that gets them")
    copy.set_defaults(run=_copy)


def _lab(args: argparse.Namespace) -> "Lab":
    from medkg_lab.lab.facade import Lab

    lab = Lab.at(args.home)
    lab.require_running()
    return lab


def _topics(args: argparse.Namespace) -> int:
    from medkg_lab.broker.client import topic_listing

    found = topic_listing(_lab(args).bootstrap)
    if args.json:
        print_json([asdict(one) for one in found])
    else:
        print_table(("topic", "partition", "first", "next"), map(astuple, found))
    return exit_codes.OK


def _groups(args: argparse.Namespace) -> int:
    from medkg_lab.broker.client import group_listing

    found = group_listing(_lab(args).bootstrap)
    if args.json:
        print_json([one.fields for one in found])
    else:
        columns = ("group", "state", "topic", "partition", "committed", "lag")
        print_table(columns, (tuple(one.fields.get(name) for name in columns) for one in found))
    return exit_codes.OK


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of records")
    return int(text)


def _tail(args: argparse.Namespace) -> int:
    from medkg_lab.broker import client

    bootstrap = _lab(args).bootstrap
    if args.follow or args.count == 0:
        for record in client.follow(bootstrap, args.topic, args.count):
            print_json_line(asdict(record.as_text())) if args.json else show(record.as_text())
            sys.stdout.flush()
    found = [record.as_text() for record in client.tail(bootstrap, args.topic, args.count)]
    if args.json:
        print_json([asdict(one) for one in found])
        return exit_codes.OK
    for one in found:
        show(one)
    return exit_codes.OK


def show(record: "TextRecord") -> None:
    """Print a record on a line, and its headers below it; what a value has of line ends is made
    blanks, so that it cannot pass for further records."""
    print(one_line(f"{record.partition}@{record.offset} {_shown(record.key)}  {_shown(record.value)}"))
    for name, value in record.headers:
        print("    " + one_line(f"{name}: {_shown(value)}"))


def _shown(text: str | None) -> str:
    return "(null)" if text is None else text


def _produce(args: argparse.Namespace) -> int:
    from medkg_lab.broker.client import produce
    from medkg_lab.broker.engine import kind
    from medkg_lab.lab.disk_space import require_room

    lab = _lab(args)
    if kind(lab.settings.broker.engine).runs_here:
        require_room(lab.locations)
    value = record_value(args.value, args.topic)
    place = produce(lab.bootstrap, args.topic, value, key=None if args.key is None else args.key.encode())
    if args.json:
        print_json(asdict(place))
    else:
        print_note(f"written to partition {place.partition}, offset {place.offset}")
    return exit_codes.OK


def record_value(written: str | None, topic: str) -> bytes:
    """The value as it was `written`, else what standard input has. Raises NothingToProduce and NoStandardInput."""
    if written is not None:
        return written.encode()
    if not (read := standard_input().read()):
        raise NothingToProduce(topic=topic)
    return read


def _access(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from medkg_lab.lab.access import producer_access

    found = producer_access(_lab(args), args.show_password)
    clients = {name: text for name, text in found.clients.items() if args.client in (None, name)}
    if args.json:
        print_json({**asdict(found), "clients": clients})
    elif args.client is not None:
        print_text(clients.get(args.client, f"nothing is asked: connect to {found.bootstrap}"))
    else:
        print_fields({name: value for name, value in asdict(found).items() if name != "clients"})
        print_text(f"\n{found.clients['kcat']}\n\nFor others: --client {' | '.join(CLIENTS)}")
        if not found.lasting:
            print_note(
                "The password is new at each start; broker.producer_password_file in settings.yaml sets one that lasts."
            )
    return exit_codes.OK


def _copy(args: argparse.Namespace) -> int:
    from medkg_lab.lab.engines import move
    from medkg_lab.lab.facade import Lab

    lab = Lab.at(args.home)
    done = move(lab, args.source, args.target, lambda one: print_note(f"{one.topic}: {one.records} records"))
    if args.json:
        print_json([vars(one) for one in done])
    else:
        print_table(("topic", "partitions", "records"), ((one.topic, one.partitions, one.records) for one in done))
    if lab.settings.broker.engine != args.target:
        print_note(f"Set broker.engine to {args.target} in settings.yaml before the next start.")
    return exit_codes.OK
