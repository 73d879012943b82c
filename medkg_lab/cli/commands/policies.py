"""`medkg-lab policies list | show`."""

import argparse

from medkg_lab import exit_codes
from medkg_lab.cli.output import print_fields, print_json, print_table


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the commands."""
    group = commands.add_parser("policies", help="look at the resilience policies").add_subparsers(
        metavar="ACTION", required=True
    )
    group.add_parser("list", parents=[common], help="list policies").set_defaults(run=_list)
    show = group.add_parser("show", parents=[common], help="show one policy")
    show.add_argument("name", help="the policy")
    show.set_defaults(run=_show)


def _list(given: argparse.Namespace) -> int:
    from medkg_lab.lab.facade import Lab

    policies = Lab.at(given.home).catalog.policies().policies
    if given.json:
        print_json([one.model_dump(mode="json") for one in policies])
        return exit_codes.OK
    columns = ("policy", "attempts", "backoff", "timeout s", "rate /s", "breaker", "description")
    rows = (
        (
            one.name, one.max_attempts, one.backoff_strategy.value, one.timeout_seconds, one.rate_limit_per_second,
            one.circuit_breaker.failure_threshold if one.circuit_breaker else None, one.description,
        )
        for one in policies
    )  # fmt: skip
    print_table(columns, rows)
    return exit_codes.OK


def _show(given: argparse.Namespace) -> int:
    from medkg_lab.lab.facade import Lab

    policy = Lab.at(given.home).catalog.policies().get(given.name)
    if given.json:
        print_json(policy.model_dump(mode="json"))
    else:
        print_fields(policy.model_dump(mode="json"))
    return exit_codes.OK
