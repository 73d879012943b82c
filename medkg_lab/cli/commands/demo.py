"""`medkg-lab demo`."""

import argparse
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from medkg_lab import exit_codes
from medkg_lab.cli.commands.lab import print_dagster, wait_ready
from medkg_lab.cli.output import print_json, print_note, print_table, print_text
from medkg_lab.cli.streams import unfiltered

if TYPE_CHECKING:
    from medkg_lab.lab.demo import Demo, DemoHit
    from medkg_lab.lab.facade import Lab
    from medkg_lab.lab.wait import Progress


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = commands.add_parser("demo", parents=[common], help="run everything once on the bundled documents")
    parser.add_argument("--keep", action="store_true", help="leave the lab running afterwards")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Start a lab in a scratch folder (or `--home`), run the demo in it, print the summary."""
    from msgspec import to_builtins

    from medkg_lab.lab import demo
    from medkg_lab.lab.facade import Lab

    lab = Lab.at(demo.home_for(Path(args.home) if args.home else None))
    with _running(lab, keep=args.keep), _Display() as display:
        result = demo.run(lab, print_note, display.show)
    if args.json:
        print_json(to_builtins(result))
    else:
        _print_summary(result, args.keep)
    return exit_codes.OK if result.ok else exit_codes.FAILED


@contextlib.contextmanager
def _running(lab: "Lab", keep: bool) -> Iterator[None]:
    """A lab that is up; afterwards it is stopped unless it is kept. A lab that ran already is left as it was."""
    from medkg_lab.supervisor.readiness import STARTS_S

    ran_before = lab.supervisor.is_running()
    print_note(f"starting the lab in {lab.locations.home}")
    lab.supervisor.up(die_with_parent=not keep)
    done = False
    try:
        wait_ready(lab, STARTS_S)
        yield
        done = True
    finally:
        if not ran_before and not (keep and done):
            print_note("stopping the lab")
            lab.supervisor.down()


class _Display:
    """The progress of the jobs on stderr: a bar on a terminal, lines elsewhere."""

    def __enter__(self) -> "_Display":
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._console = Console(file=unfiltered(sys.stderr))
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bars = Progress(*columns, console=self._console, transient=True, disable=not self._console.is_terminal)
        self._bars.start()
        self._bar = self._bars.add_task("documents")
        self._told = ""
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def show(self, progress: "Progress") -> None:
        """Show where the jobs stand."""
        done = len(progress.states) - len(progress.unfinished())
        told = ", ".join(f"{count} {state}" for state, count in sorted(progress.counts().items()))
        self._bars.update(self._bar, total=len(progress.states), completed=done, description=told)
        if not self._console.is_terminal and told != self._told:
            print_note(told)
            self._told = told


def _print_summary(demo: "Demo", kept: bool) -> None:
    states = ", ".join(f"{count} {state}" for state, count in sorted(demo.jobs.items()))
    print_text(f"\n{'Every expectation held.' if demo.ok else 'Not as expected:'}  {states}  in {demo.seconds} s")
    for sentence in demo.unmet:
        print_text(f"  - {sentence}")
    print_text("\nDocuments that failed, as they should:")
    print_table(("document", "kind", "reason"), ((one.doc_id, one.kind, one.reason) for one in demo.failures))
    print_text("\nStages (milliseconds per document):")
    stages = demo.stages.items()
    print_table(("stage", "p50", "p95", "n"), ((name, one.p50_ms, one.p95_ms, one.n) for name, one in stages))
    gates = demo.gates
    print_text(
        f"\nGates: {gates.opened_by_condition} opened by themselves, {gates.opened_by_hand} by hand; "
        f"half of them within {gates.wait_p50_ms} ms"
    )
    print_text("Knowledge: " + ", ".join(f"{count} {name}" for name, count in demo.counts.items()))
    for answer in demo.searches:
        print_text(f"\nSearch: {answer.query}")
        print_table(("score", "bm25", "dense", "document", "title"), (_hit_row(hit) for hit in answer.hits))
    _print_places(demo, kept)


def _hit_row(hit: "DemoHit") -> tuple[object, ...]:
    return (hit.score, hit.ranks.get("bm25"), hit.ranks.get("dense"), hit.doc_id, hit.title)


def _print_places(demo: "Demo", kept: bool) -> None:
    home = demo.home
    print_text(f"\nData: {home}")
    if kept:
        print_dagster(demo.dagster_url, demo.dagster_error)
        print_text(
            f"The lab is running. Look at it with `medkg-lab watch --home {home}`, stop it with `medkg-lab down --home {home}`"
        )
    else:
        print_text(
            f"The lab is stopped. Start it again with `medkg-lab up --home {home}`, "
            f"and open Dagster with `medkg-lab dagster open --home {home}`"
        )
