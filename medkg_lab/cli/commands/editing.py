"""`medkg-lab pipeline edit | apply | restore` and `policies edit`: changing definitions from the command line."""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from medkg_lab import exit_codes
from medkg_lab.cli.output import print_json, print_note, print_text
from medkg_lab.errors import LabError

if TYPE_CHECKING:
    from medkg_lab.lab.definitions import Saved


class EditorFailed(LabError):
    """The editor {command!r} could not be used: {detail}. Set VISUAL or EDITOR to one that works; the draft lies in {draft}."""


class DraftSaved(LabError):
    """Nothing was saved: the draft has {count} problem(s). It lies in {draft}; `medkg-lab pipeline apply {name} {draft}` saves it
    once they are fixed."""


def add(group: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the commands that change a pipeline."""
    edit = group.add_parser("edit", parents=[common], help="change a pipeline in your editor; saved when it is valid")
    edit.add_argument("name", help="the pipeline; a new name begins a new one")
    edit.set_defaults(run=lambda args: _edit(args, "pipeline", args.name))
    apply = group.add_parser("apply", parents=[common], help="make a file the new version of a pipeline")
    apply.add_argument("name", help="the pipeline")
    apply.add_argument("file", type=Path, help="its new text")
    apply.set_defaults(run=_apply)
    restore = group.add_parser("restore", parents=[common], help="make an earlier version the newest again")
    restore.add_argument("name", help="the pipeline")
    restore.add_argument("version", help="the version, or how it begins, as `history` shows it")
    restore.set_defaults(run=_restore)


def add_policies(group: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the command that changes the policies."""
    edit = group.add_parser(
        "edit", parents=[common], help="change the policies in your editor; saved when they are valid"
    )
    edit.set_defaults(run=lambda args: _edit(args, "policies", ""))


def _edit(args: argparse.Namespace, kind: str, name: str) -> int:
    from medkg_lab.lab.definitions import Definition, Kind, opened, save
    from medkg_lab.lab.facade import Lab
    from medkg_lab.topology.errors import DefinitionInvalid

    lab, which = Lab.at(args.home), Definition(Kind(kind), name)
    start = opened(lab, which)
    draft = Path(tempfile.mkdtemp(prefix="medkg-lab-")) / Path(which.file).name
    draft.write_text(start.text, encoding="utf-8")
    while True:
        _open_editor(draft)
        text = draft.read_text(encoding="utf-8", errors="replace")
        if text == start.text:
            shutil.rmtree(draft.parent)
            print_note("Nothing was changed.")
            return exit_codes.OK
        try:
            saved = save(lab, which, text, start.digest)
        except DefinitionInvalid as error:
            print_text("\n".join(map(str, error.problems)))
            if not _again():
                raise DraftSaved(count=len(error.problems), draft=draft, name=which) from None
        else:
            shutil.rmtree(draft.parent)
            return _print_saved(saved, args.json)


def _open_editor(draft: Path) -> None:
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        code = subprocess.run([*shlex.split(command), str(draft)], check=False).returncode
    except (OSError, ValueError) as error:
        raise EditorFailed(command=command, detail=str(error), draft=draft) from None
    if code:
        raise EditorFailed(command=command, detail=f"it ended with {code}", draft=draft)


def _again() -> bool:
    """Whether the person wants to go on editing; without a terminal nobody can be asked."""
    if sys.stdin is None or not sys.stdin.isatty():
        return False
    print_note("Enter edits again, q leaves it.")
    return sys.stdin.readline().strip().lower() not in {"q", "n", "no"}


def _apply(args: argparse.Namespace) -> int:
    from medkg_lab.files import read_text
    from medkg_lab.lab.definitions import Definition, Kind, save
    from medkg_lab.lab.facade import Lab
    from medkg_lab.topology.errors import Problem, TopologyInvalid

    which = Definition(Kind.PIPELINE, args.name)
    try:
        text = read_text(args.file)
    except (OSError, UnicodeDecodeError) as error:
        raise TopologyInvalid(
            str(args.file), [Problem(str(args.file), 1, 1, "unreadable", f"the file cannot be read: {error}")]
        ) from None
    return _print_saved(save(Lab.at(args.home), which, text, None), args.json)


def _restore(args: argparse.Namespace) -> int:
    from medkg_lab.lab.definitions import Definition, Kind, save, text_of
    from medkg_lab.lab.facade import Lab

    lab, which = Lab.at(args.home), Definition(Kind.PIPELINE, args.name)
    return _print_saved(save(lab, which, text_of(lab, which, args.version), None), args.json)


def _print_saved(saved: "Saved", as_json: bool) -> int:
    if as_json:
        print_json(
            {
                "version": saved.version,
                "before": saved.before,
                "changes": list(saved.changes),
                "file": str(saved.path),
            }
        )
    else:
        print_text("\n".join(saved.changes) or "no difference")
        print_text(f"Version {saved.version} is in use: new jobs take it, those under way finish on theirs.")
    return exit_codes.OK
