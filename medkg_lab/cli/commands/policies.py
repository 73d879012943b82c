"""`medkg-lab policies list | show | edit | rehearse`."""

import argparse

from medkg_lab import exit_codes
from medkg_lab.cli.commands import editing, rehearse
from medkg_lab.cli.output import clock, print_fields, print_json, print_table, print_text


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the commands."""
    group = commands.add_parser("policies", help="look at the resilience policies").add_subparsers(
        metavar="ACTION", required=True
    )
    group.add_parser("list", parents=[common], help="list policies, and the breakers of a running lab").set_defaults(
        run=_list
    )
    show = group.add_parser("show", parents=[common], help="show one policy")
    show.add_argument("name", help="the policy")
    show.set_defaults(run=_show)
    rehearse.add_policies(group, common)
    editing.add_policies(group, common)


def _list(args: argparse.Namespace) -> int:
    from medkg_lab.lab.facade import Lab
    from medkg_lab.ledger.answers import to_json

    lab = Lab.at(args.home)
    policies = lab.catalog.policies().policies
    circuits = lab.ledger.breakers() if lab.supervisor.is_running() else []
    if args.json:
        of = {one.name: [to_json(each) for each in circuits if each.policy == one.name] for one in policies}
        print_json([{**one.model_dump(mode="json"), "breakers": of[one.name]} for one in policies])
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
    if circuits:
        print_text("\nBreakers that have opened, or have failures in a row:")
        told = (
            (one.policy, one.key, one.state, one.failures, clock(one.opened_at), clock(one.until)) for one in circuits
        )
        print_table(("policy", "key", "state", "failures", "opened", "until"), told)
    return exit_codes.OK


def _show(args: argparse.Namespace) -> int:
    from medkg_lab.lab.facade import Lab

    policy = Lab.at(args.home).catalog.policies().get(args.name)
    if args.json:
        print_json(policy.model_dump(mode="json"))
    else:
        print_fields(policy.model_dump(mode="json"))
    return exit_codes.OK
