"""`python -m tests.cases [lab] [security] [documents] [lab/11 …]`: runs cases and prints expected and got.

The folder of cases is found by MEDKG_SHARED_CASES. Exits with 1 when a case is wrong or a folder has no check, with 2 when
there is no such folder.
"""

import argparse
import importlib
import os
import pkgutil
import sys
import time
from pathlib import Path

from tests.cases import checks
from tests.cases.case import CASES, Case, Outcome, context


def main() -> int:
    """Run what the command line names, all of it without names."""
    parser = argparse.ArgumentParser(prog="python -m tests.cases", description=__doc__)
    parser.add_argument("names", nargs="*", help="folders of cases, or single ones such as lab/11")
    args = parser.parse_args()
    root = Path(os.environ.get("MEDKG_SHARED_CASES", ""))
    if not os.environ.get("MEDKG_SHARED_CASES") or not root.is_dir():
        print("skipped: MEDKG_SHARED_CASES names no folder of cases", file=sys.stderr)
        return 2
    for module in pkgutil.iter_modules(checks.__path__):
        importlib.import_module(f"tests.cases.checks.{module.name}")
    folders = chosen_folders(root, args.names)
    results = [run_case(name, folder) for name, folder in folders.items()]
    print(f"{results.count('right')} right, {results.count('wrong')} wrong, {results.count('skipped')} skipped")
    return int("wrong" in results or not results)


def chosen_folders(root: Path, names: list[str]) -> dict[str, Path]:
    """The folders of the cases that `names` choose, by the name that their checks have."""
    found = {
        f"{area.name}/{folder.name[:2]}": folder
        for area in sorted(root.iterdir())
        if area.is_dir()
        for folder in sorted(area.iterdir())
        if folder.is_dir()
    }
    return {name: folder for name, folder in found.items() if not names or name in names or name[:-3] in names}


def run_case(name: str, folder: Path) -> str:
    """Run one case, print how it went, and return `right`, `wrong` or `skipped`."""
    one = CASES.get(name)
    started = time.monotonic()
    verdict, outcome = judge(one, folder)
    print(f"{verdict:8} {name:14} {folder.name[3:]}  ({time.monotonic() - started:.1f} s)")
    print(f"         expected  {one.expected if one else 'a check of its own'}")
    print(f"         got       {outcome.got}", flush=True)
    return verdict


def judge(one: Case | None, folder: Path) -> tuple[str, Outcome]:
    """Whether the case is right; what a check raises is wrong."""
    if one is None:
        return "wrong", Outcome(False, "there is no check")
    if one.as_root and os.getuid() != 0:
        return "skipped", Outcome(False, "it needs root, for a second user")
    with context(folder) as args:
        try:
            outcome = one.check(args)
        except Exception as error:  # noqa: BLE001 - process boundary: one case must not end the others
            outcome = Outcome(False, f"{type(error).__name__}: {' '.join(str(error).split())[:600]}")
    return ("right" if outcome.right else "wrong"), outcome


if __name__ == "__main__":
    sys.exit(main())
