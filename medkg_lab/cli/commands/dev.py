"""`medkg-lab dev PLUGIN`: what a plug-in makes of the last documents, before and after each change of its files."""

import argparse
import difflib
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from medkg_lab import exit_codes
from medkg_lab.cli.numbers import between
from medkg_lab.cli.output import print_note, print_text
from medkg_lab.errors import LabError
from medkg_lab.text import one_line

if TYPE_CHECKING:
    from medkg_lab.lab.facade import Lab
    from medkg_lab.lab.plugin_trial import Tried

LAST = 5
_LOOK_MS = 500
_SHOWN = 4
_WIDTH = 100


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "dev", parents=[common], help="show what a plug-in makes of the last documents whenever its files change"
    )
    parser.add_argument("plugin", help="its folder, or the name of the package if it was installed with pip install -e")
    parser.add_argument("--pipeline", help="the pipeline to try it with (default: the plug-in's own)")
    parser.add_argument("--last", type=between(1, 100), default=LAST, help=f"how many documents (default {LAST})")
    parser.add_argument("--once", action="store_true", help="try it once, and do not wait for changes")
    parser.add_argument(
        "--restart", action="store_true", help="restart the lab's engines after each change, to run jobs with it"
    )
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from medkg_lab.lab.facade import Lab
    from medkg_lab.lab.plugin_trial import Trial, find_plugin

    lab = Lab.at(args.home)
    lab.require_running()
    plugin = find_plugin(lab, args.plugin, args.pipeline)
    trial = Trial(lab, plugin, args.last)
    went_well = _try(trial.run(), args.json, is_first=True)
    if args.once:
        return exit_codes.OK if went_well else exit_codes.FAILED
    from watchfiles import watch

    is_told = False
    for changes in watch(plugin.folder, raise_interrupt=False, yield_on_timeout=True, rust_timeout=_LOOK_MS):
        if not is_told:
            # Only now: what is changed from here on is not missed.
            print_note(f"Watching {plugin.folder} with pipeline {plugin.pipeline.stem}. Ctrl-C ends it.")
            is_told = True
        if not changes:
            continue
        if args.restart:
            _restart(lab)
        _try(trial.run(), args.json, is_first=False)
    return exit_codes.OK


def _restart(lab: "Lab") -> None:
    for one in lab.supervisor.status().processes:
        if one.name.startswith("engine-"):
            lab.supervisor.restart(one.name)


def _try(found: Iterable["Tried"], as_json: bool, is_first: bool) -> bool:
    """Show one trial: whether it came to an end without trouble."""
    try:
        tried = list(found)
    except LabError as error:
        print_text(json.dumps({"error": str(error)})) if as_json else print_text(f"✗ {error}")
        sys.stdout.flush()
        return False
    if as_json:
        documents = [asdict(one) | {"differs": one.differs} for one in tried]
        print_text(json.dumps({"documents": documents}, ensure_ascii=False))
    else:
        _print_tried(tried, is_first)
    sys.stdout.flush()
    return not any(one.trouble for one in tried)


def _print_tried(tried: Sequence["Tried"], is_first: bool) -> None:
    for one in tried:
        if one.trouble:
            print_text(f"✗ {one.doc_id}: {one.trouble}")
        elif is_first or one.differs:
            after = one.after
            print_text(f"{one.doc_id}: {len(after.chunks)} chunks, {len(after.found)} found, {len(after.made)} made")
            for title, before, now in (
                ("made", one.before.made, after.made),
                ("chunks", one.before.chunks, after.chunks),
                ("found", one.before.found, after.found),
            ):
                for line in _changes(title, before, now):
                    print_text(line)
    if not is_first:
        print_text(f"{sum(one.differs for one in tried)} of {len(tried)} documents differ")


def _changes(title: str, before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    """The lines that went and that came, the first ones of many."""
    lines = [line for line in difflib.ndiff(before, after) if line[:1] in "+-"]
    if lines:
        yield f"  {title}: {len(before)} → {len(after)}"
    yield from (f"    {one_line(line)[:_WIDTH]}" for line in lines[:_SHOWN])
    if len(lines) > _SHOWN:
        yield f"    … {len(lines) - _SHOWN} more"
