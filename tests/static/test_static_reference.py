"""docs/reference.md is what the program says of itself, and nothing in it lacks a description."""

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import BaseModel, Field

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "make_reference.py"


@pytest.fixture(scope="module")
def findings() -> list[str]:
    """What the script finds wrong with the reference, from a process of its own: it imports every module of the lab."""
    command = [sys.executable, str(SCRIPT), "--check"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=110)
    assert "Traceback" not in result.stderr, result.stderr
    assert result.returncode == (1 if result.stdout else 0)
    return result.stdout.splitlines()


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("make_reference", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


def test_the_reference_is_current(findings: list[str]) -> None:
    assert [line for line in findings if not line.startswith("no description: ")] == []


def test_everything_in_the_reference_has_a_description(findings: list[str]) -> None:
    assert [line for line in findings if line.startswith("no description: ")] == []


def test_what_lacks_a_description_is_found(script: ModuleType) -> None:
    parser = argparse.ArgumentParser(prog="tool")
    commands = parser.add_subparsers()
    commands.add_parser("silent").add_argument("--quiet")
    commands.add_parser("told", help="says what it does").add_argument(
        "--how", help="in which way (default %(default)s)", default=3
    )
    sections = tuple(script.command_sections(parser))
    assert script.undescribed(sections) == ["`tool silent`", "`tool silent`: `--quiet QUIET`"]
    assert "| `--how HOW` | in which way (default 3) |" in script.render(sections)


def test_nested_settings_are_listed_with_type_bounds_and_default(script: ModuleType) -> None:
    class Inner(BaseModel):
        size: int = Field(default=3, ge=1, lt=9, description="How many.")
        name: str = Field(pattern="^a|b$")

    class Outer(BaseModel):
        inner: Inner

    size, name = script.field_rows(Outer)
    assert (size.name, size.facts, size.description) == ("`inner.size`", ("int, ≥ 1, < 9", "`3`"), "How many.")
    assert (name.name, name.facts, name.description) == ("`inner.name`", ("str, matches `^a|b$`", "must be given"), "")
    assert script.cell(name.facts[0]) == r"str, matches `^a\|b$`"
