"""`python -m medkg_lab.broker.embedded --data DIR --port N`: the embedded broker as a process.

It prints one line of JSON on stdout when clients can connect and logs to stderr. SIGTERM makes it finish, write its
checkpoints and exit with 0; exit code 78 means that starting it again cannot help, any other that the reason is on stderr.
"""

import argparse
import asyncio
import ipaddress
import os
import resource
from pathlib import Path

from medkg_lab import logs, process
from medkg_lab.broker.embedded.errors import NotLoopback
from medkg_lab.broker.embedded.limits import Limits
from medkg_lab.broker.embedded.server import Settings, lock_folder, run
from medkg_lab.credentials import LAB_ACCOUNT, PRODUCER_ACCOUNT, password


def main(arguments: list[str] | None = None) -> None:
    """Run the broker with the command line `arguments`. Raises LabError."""
    settings = _parse(arguments)
    os.umask(0o077)
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    _check_loopback(settings.host)
    with lock_folder(settings.data):
        asyncio.run(run(settings, lambda facts: process.announce("broker", **facts)))


def _parse(arguments: list[str] | None) -> Settings:
    limits = Limits()
    parser = argparse.ArgumentParser(
        "python -m medkg_lab.broker.embedded", description="The lab's Kafka-protocol broker."
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of the logs and offsets; made when it is not there"
    )
    parser.add_argument("--port", type=int, required=True, help="port to listen on; 0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1", help="loopback address to listen on")
    parser.add_argument("--max-request-bytes", type=int, default=limits.request_bytes, help="the largest request taken")
    parser.add_argument(
        "--min-free-bytes", type=int, default=limits.free_bytes, help="disk space that producing leaves"
    )
    parser.add_argument(
        "--housekeeping-seconds", type=float, default=limits.housekeeping_seconds, help="pause between checks"
    )
    parser.add_argument(
        "--max-other-bytes", type=int, default=limits.other_bytes, help="bytes of all topics that are not the lab's"
    )
    parser.add_argument("--login-seconds", type=float, default=limits.login_seconds, help="time to log in")
    parser.add_argument("--idle-seconds", type=float, default=limits.idle_seconds, help="time to ask nothing")
    parser.add_argument(
        "--no-fsync", action="store_true", help="acknowledge without syncing, to measure what syncing costs"
    )
    parser.add_argument(
        "--no-auto-create", action="store_true", help="do not make topics because a client asks for them"
    )
    process.add_log_format(parser)
    parser.add_argument("--topic-prefix", default="", help="what the names of the lab's own topics begin with")
    parser.add_argument(
        "--producer-password-file", type=Path, help=f"file with the password of account {PRODUCER_ACCOUNT}"
    )
    access = parser.add_mutually_exclusive_group(required=True)
    access.add_argument("--lab-password-file", type=Path, help=f"file with the password of account {LAB_ACCOUNT}")
    access.add_argument("--no-authentication", action="store_true", help="ask nobody to log in")
    args = parser.parse_args(arguments)
    if args.log_format:
        logs.set_up("broker", args.log_format)
    chosen = Limits(
        request_bytes=args.max_request_bytes,
        free_bytes=args.min_free_bytes,
        housekeeping_seconds=args.housekeeping_seconds,
        other_bytes=args.max_other_bytes,
        login_seconds=args.login_seconds,
        idle_seconds=args.idle_seconds,
    )
    return Settings(
        data=args.data,
        host=args.host,
        port=args.port,
        limits=chosen,
        fsync=not args.no_fsync,
        auto_create=not args.no_auto_create,
        passwords=_passwords(args),
        topic_prefix=args.topic_prefix,
    )


def _passwords(args: argparse.Namespace) -> dict[str, str] | None:
    if args.no_authentication:
        return None
    files = {LAB_ACCOUNT: args.lab_password_file, PRODUCER_ACCOUNT: args.producer_password_file}
    return {account: password(path) for account, path in files.items() if path is not None}


def _check_loopback(host: str) -> None:
    try:
        safe = ipaddress.ip_address(host).is_loopback
    except ValueError:
        safe = host == "localhost"
    if not safe:
        raise NotLoopback(host=host)


if __name__ == "__main__":
    process.run("broker", main)
