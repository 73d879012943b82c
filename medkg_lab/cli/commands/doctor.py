"""`medkg-lab doctor`."""

import argparse
from dataclasses import asdict

from medkg_lab import exit_codes
from medkg_lab.cli.output import print_json, print_table, print_text


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "doctor", parents=[common], help="check that what the profile needs is here, and say how to get what is not"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check and print; exit code 3 when something is missing."""
    from medkg_lab import settings
    from medkg_lab.lab.doctor import examine
    from medkg_lab.lab.hardware import NEVER_RUN_ON_A_GPU
    from medkg_lab.locations import locate

    locations = locate(args.home)
    chosen = settings.load(locations)
    found = examine(locations, chosen)
    whole = all(one.ok for one in found)
    if args.json:
        checks = [asdict(one) for one in found]
        print_json({"ok": whole, "profile": chosen.profile, "checks": checks, "never_run_on_a_gpu": NEVER_RUN_ON_A_GPU})
        return exit_codes.OK if whole else exit_codes.NOT_READY
    print_table(("check", "state", "found"), ((one.name, "ok" if one.ok else "missing", one.found) for one in found))
    for one in found:
        if not one.ok:
            print_text(f"\n{one.name}: {one.remedy}")
    if any(one.name.startswith("GPU") for one in found):
        print_text("\nNever run on a GPU by those who wrote it; whether it works there, only your own run can show:")
        for part in NEVER_RUN_ON_A_GPU:
            print_text(f"  {part}")
    return exit_codes.OK if whole else exit_codes.NOT_READY
