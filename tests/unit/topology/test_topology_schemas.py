"""The published JSON Schemas are those of the models, and the bundled files keep to them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[3]
BUNDLED = ROOT / "bundled_pipelines"


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((BUNDLED / "schemas" / f"{name}.schema.json").read_text())
    return found


def test_the_schemas_are_current() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "make_schemas.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"run scripts/make_schemas.py; not current: {done.stdout}{done.stderr}"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        *((path, "topology") for path in sorted((BUNDLED / "pipelines").glob("*.yaml"))),
        (ROOT / "tests" / "unit" / "topology" / "data" / "pdf-two-phase-original.yaml", "topology"),
        (BUNDLED / "policies.yaml", "policies"),
        *((path, "profile") for path in sorted((BUNDLED / "profiles").glob("*.yaml"))),
    ],
    ids=lambda value: value.name if isinstance(value, Path) else value,
)
def test_bundled_files_keep_to_their_schema(path: Path, name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(name))
    validator = jsonschema.Draft202012Validator(schema(name))
    assert [error.message for error in validator.iter_errors(yaml.safe_load(path.read_text()))] == []


def test_a_wrong_file_does_not() -> None:
    wrong = {"version": "1.0", "name": "a", "stages": [{"name": "x", "type": "NoStage"}]}
    assert not jsonschema.Draft202012Validator(schema("topology")).is_valid(wrong)


def test_submissions() -> None:
    validator = jsonschema.Draft202012Validator(schema("ingest-request"))
    assert validator.is_valid({"source": "pmc", "key": "PMC1"})
    assert not validator.is_valid({"source": "pmc", "kee": "PMC1"})
