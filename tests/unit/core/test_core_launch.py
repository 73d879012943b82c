"""How processes are started: without the current folder, with folders that mean the same everywhere, and without telemetry."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from medkg_lab import launch, telemetry
from tests.static import rules

ONLY = {
    "medkg_lab/launch.py",
    "medkg_lab/interpreter.py",
    "medkg_lab/orchestration/workspace.py",
    "medkg_lab/environment.py",
    "medkg_lab/cli/commands/new.py",
}
"""The one that starts processes, one that repeats a command line as it was, one that writes down which Python made a run, and two
that name commands for a person to run."""


def test_only_one_module_makes_command_lines_of_python() -> None:
    found = {
        str(path.relative_to(rules.ROOT))
        for path in rules.python_files("medkg_lab")
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.executable"
    }
    assert found == ONLY


def test_a_module_of_the_current_folder_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("open('RAN', 'w')")
    (tmp_path / "medkg_lab.py").write_text("open('RAN', 'w')")
    done = subprocess.run(
        launch.python("medkg_lab.ledger", "--help"),
        cwd=tmp_path,
        env=launch.environment({"PYTHONPATH": os.pathsep, "PATH": os.environ["PATH"]}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "RAN").exists()


def test_the_command_line_is_safe_in_a_folder_of_modules(tmp_path: Path) -> None:
    for name in ("argparse", "json", "queue", "token", "yaml", "duckdb", "pydantic", "platformdirs"):
        (tmp_path / f"{name}.py").write_text("open('RAN', 'w')")
    console = str(Path(sys.executable).with_name("medkg-lab"))
    for command in ([console], [sys.executable, "-m", "medkg_lab.cli.main"]):
        done = subprocess.run(
            [*command, "paths", "--home", "rel"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        assert str(tmp_path / "rel") in done.stdout, "a relative home is below the current folder"
        assert not (tmp_path / "RAN").exists(), command


def test_folders_of_the_environment_are_absolute_and_nothing_means_the_current_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = launch.environment(
        {"MEDKG_LAB_CACHE": "cache", "XDG_STATE_HOME": "", "PYTHONPATH": ":own:/usr/x::", "A": "b"}
    )
    assert found["MEDKG_LAB_CACHE"] == str(tmp_path / "cache")
    assert found["PYTHONPATH"] == f"{tmp_path / 'own'}:/usr/x"
    assert (found["XDG_STATE_HOME"], found["A"], found["PYTHONSAFEPATH"]) == ("", "b", "1")


def test_whoever_imports_the_lab_has_telemetry_off() -> None:
    program = "import medkg_lab, os, json; print(json.dumps(dict(os.environ)))"
    given = {"PATH": os.environ["PATH"], "ORT_DISABLE_TELEMETRY": "0", "HAYSTACK_TELEMETRY_ENABLED": "True"}
    done = subprocess.run([sys.executable, "-c", program], env=given, capture_output=True, text=True, check=True)
    assert telemetry.OFF.items() <= json.loads(done.stdout).items()
    assert telemetry.OFF.items() <= launch.environment({}).items()
