"""`medkg-lab dagster open | url | token`."""

import argparse

from medkg_lab import exit_codes
from medkg_lab.cli.output import print_json, print_note, print_text


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the command."""
    dagster = commands.add_parser("dagster", help="open Dagster's pages")
    actions = dagster.add_subparsers(title="commands", metavar="COMMAND", required=True)
    page = argparse.ArgumentParser(add_help=False)
    page.add_argument("page", nargs="?", default="/", help="the page, such as /runs (default: the first one)")
    opened = actions.add_parser("open", parents=[common, page], help="open a page in the browser")
    opened.set_defaults(run=_open)
    url = actions.add_parser(
        "url", parents=[common, page], help="print an address that opens a page once, within a minute"
    )
    url.set_defaults(run=_url)
    token = actions.add_parser(
        "token", parents=[common], help="print the token that programs send as `Authorization: Bearer`"
    )
    token.set_defaults(run=_token)


def _open(args: argparse.Namespace) -> int:
    from medkg_lab.lab.dagster_access import open_in_browser
    from medkg_lab.lab.facade import Lab

    url = Lab.at(args.home).dagster.url(args.page)
    opened = open_in_browser(url)
    if args.json:
        print_json({"ok": True, "opened": opened, "url": url})
    elif opened:
        print_note("Dagster is opened in the browser")
    else:
        print_text(url)
    return exit_codes.OK


def _url(args: argparse.Namespace) -> int:
    from medkg_lab.lab.facade import Lab

    url = Lab.at(args.home).dagster.url(args.page)
    if args.json:
        print_json({"url": url})
    else:
        print_text(url)
    return exit_codes.OK


def _token(args: argparse.Namespace) -> int:
    from medkg_lab.lab.facade import Lab

    dagster = Lab.at(args.home).dagster
    if args.json:
        print_json({"token": dagster.token(), "address": dagster.address})
    else:
        print_text(dagster.token())
    return exit_codes.OK
