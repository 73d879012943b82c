"""Starting the command line, or using a client, loads no heavy library."""

import subprocess
import sys

import pytest

HEAVY = (
    "confluent_kafka",
    "dagster",
    "docvortex",
    "duckdb",
    "faiss",
    "haystack",
    "numpy",
    "onnxruntime",
    "tantivy",
    "textual",
)
PROGRAM = """
import importlib, sys
importlib.import_module(sys.argv[1])
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


@pytest.mark.parametrize(
    "module", ["medkg_lab.cli.main", "medkg_lab.rpc", "medkg_lab.ledger.client", "medkg_lab.knowledge.client"]
)
def test_importing_the_module_loads_nothing_heavy(module: str) -> None:
    command = [sys.executable, "-c", PROGRAM, module]
    result = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert result.returncode == 0, result.stderr
    loaded = set(result.stdout.split())
    assert "medkg_lab" in loaded
    assert loaded & set(HEAVY) == set()
