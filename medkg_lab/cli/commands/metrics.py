"""`medkg-lab metrics where | prometheus | alerts | dashboard`."""

import argparse

from medkg_lab import exit_codes
from medkg_lab.cli.output import print_fields, print_file, print_json


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the commands."""
    metrics = commands.add_parser("metrics", help="set up Prometheus and Grafana for this lab")
    actions = metrics.add_subparsers(title="commands", metavar="COMMAND", required=True)
    where = actions.add_parser("where", parents=[common], help="show the address, and the file with the token")
    where.set_defaults(run=_where)
    config = actions.add_parser(
        "prometheus", parents=[common], help="print a configuration of Prometheus that scrapes this lab"
    )
    config.set_defaults(run=_prometheus)
    alerts = actions.add_parser("alerts", parents=[common], help="print alert rules for Prometheus")
    alerts.set_defaults(run=_alerts)
    dashboard = actions.add_parser("dashboard", parents=[common], help="print a dashboard for Grafana")
    dashboard.set_defaults(run=_dashboard)


def _where(args: argparse.Namespace) -> int:
    from medkg_lab import credentials
    from medkg_lab.lab.facade import Lab
    from medkg_lab.metrics import shipped

    lab = Lab.at(args.home)
    lab.locations.create()
    token = str(credentials.metrics_token_file(lab.locations))
    told = {
        "enabled": lab.settings.metrics.enabled,
        "url": f"http://{shipped.address(lab.settings)}/metrics",
        "token_file": token,
    }
    if args.json:
        print_json(told)
    else:
        print_fields(told)
    return exit_codes.OK


def _prometheus(args: argparse.Namespace) -> int:
    from medkg_lab.lab.facade import Lab
    from medkg_lab.metrics import shipped

    lab = Lab.at(args.home)
    lab.locations.create()
    return _print(args, shipped.scrape_config(lab.locations, lab.settings))


def _alerts(args: argparse.Namespace) -> int:
    from medkg_lab.metrics import shipped

    return _print(args, shipped.alerts())


def _dashboard(args: argparse.Namespace) -> int:
    from medkg_lab.metrics import shipped

    return _print(args, shipped.dashboard())


def _print(args: argparse.Namespace, text: str) -> int:
    if args.json:
        print_json({"text": text})
    else:
        print_file(text)
    return exit_codes.OK
