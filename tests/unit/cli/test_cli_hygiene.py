"""The command line without a lab: quick help, clear refusals, documented exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "textual",
    "dagster",
    "haystack",
    "duckdb",
    "faiss",
    "tantivy",
    "onnxruntime",
    "docvortex",
    "confluent_kafka",
    "numpy",
    "pydantic",
)


def medkg(*arguments: str, home: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "medkg_lab.cli.main", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, env={"MEDKG_LAB_HOME": str(home), "PATH": "/usr/bin:/bin"}
    )


def test_help_imports_nothing_heavy() -> None:
    program = "import sys; import medkg_lab.cli.main as m; m.build_parser().format_help(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not set(HEAVY) & set(loaded)


@pytest.mark.parametrize(
    "arguments",
    [
        ("status",), ("jobs", "list"), ("gate", "list"), ("search", "x"), ("sql", "select 1"), ("verify",),
        ("events",), ("graph", "node", "x"), ("restart", "broker"), ("dagster", "url"), ("dagster", "open"), ("dagster", "token"),
        ("broker", "topics"), ("submit", "NCT01234567"),
    ],
)  # fmt: skip
def test_without_a_lab_every_command_says_how_to_start_one(short_tmp: Path, arguments: tuple[str, ...]) -> None:
    done = medkg(*arguments, home=short_tmp)
    assert done.returncode == 3, done.stderr
    assert "medkg-lab up" in done.stderr
    assert done.stdout == ""


def test_with_json_the_error_is_json_too(short_tmp: Path) -> None:
    done = medkg("status", "--json", home=short_tmp)
    assert done.returncode == 3
    assert json.loads(done.stdout)["error"]["type"] == "LabNotRunning"


@pytest.mark.parametrize(
    "arguments", [("nonsense",), ("gate", "list", "--state", "weird"), ("jobs", "show"), ("submit",)]
)
def test_wrong_usage_is_exit_code_2(short_tmp: Path, arguments: tuple[str, ...]) -> None:
    assert medkg(*arguments, home=short_tmp).returncode == 2


def test_pipelines_and_policies_need_no_running_lab(short_tmp: Path) -> None:
    assert "pdf-two-phase" in medkg("pipeline", "list", home=short_tmp).stdout
    assert "polite-api" in medkg("policies", "list", home=short_tmp).stdout
    assert medkg("pipeline", "validate", home=short_tmp).returncode == 0


def test_a_wrong_pipeline_is_told_with_its_line(short_tmp: Path) -> None:
    path = short_tmp / "bad.yaml"
    path.write_text(
        "version: '1.0'\nname: bad\ndescription: d\napplicable_sources: []\nstages:\n  - name: x\n    type: NoStage\n"
    )
    done = medkg("pipeline", "validate", str(path), home=short_tmp)
    assert done.returncode == 1
    assert f"{path}:7:" in done.stdout
