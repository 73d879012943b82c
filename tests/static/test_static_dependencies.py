"""What pyproject.toml declares and what the product imports are the same."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from importlib.metadata import packages_distributions
from itertools import chain

import pytest

from medkg_lab.stages.embed import weights
from tests.static import rules

SEVERAL = {"faiss": {"faiss-cpu", "faiss-gpu"}}
"""Packages that more than one distribution brings, of which one at most is installed."""


def declared(requirements: Iterable[str]) -> set[str]:
    """The names of distributions, normalised (PEP 503)."""
    return {normal(re.match(r"[\w.-]+", one)[0]) for one in requirements}  # type: ignore[index]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(tree: ast.Module) -> set[str]:
    """The packages of others that a module imports, inside functions too."""
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {
        node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module and not node.level
    }
    return {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names) - {"medkg_lab"}


def brought_by(package: str, installed: Mapping[str, Iterable[str]]) -> set[str]:
    """The distributions that may bring a package; one that is not installed is taken to have its name."""
    return SEVERAL.get(package) or set(map(normal, installed.get(package) or [package]))


def differences(requirements: set[str], packages: set[str], installed: Mapping[str, Iterable[str]]) -> list[str]:
    """What is declared and not imported, and what is imported and not declared."""
    bringers = {package: brought_by(package, installed) for package in packages}
    unused = requirements - set().union(*bringers.values())
    undeclared = {package for package, found in bringers.items() if not found & requirements}
    return [
        *(f"nothing imports {one}" for one in sorted(unused)),
        *(f"{one} is not declared" for one in sorted(undeclared)),
    ]


def test_every_declared_dependency_is_imported_and_every_import_declared() -> None:
    project = tomllib.loads((rules.ROOT / "pyproject.toml").read_text())["project"]
    requirements = declared(chain(project["dependencies"], *project["optional-dependencies"].values()))
    assert len(requirements) > 20
    packages = set().union(*(imported(ast.parse(path.read_text())) for path in rules.python_files("medkg_lab")))
    read_as_data = {
        node.value
        for path in (rules.ROOT / "medkg_lab" / "mesh").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert differences(requirements - read_as_data - {weights.DISTRIBUTION}, packages, packages_distributions()) == []


@pytest.mark.parametrize(
    ("requirements", "source", "expected"),
    [
        (["pyyaml>=6"], "import yaml", []),
        (["PyYAML>=6", "left_over==1"], "def f():\n    import yaml.nodes", ["nothing imports left-over"]),
        ([], "from torch.nn import Module\nfrom . import x\nimport os, medkg_lab.errors", ["torch is not declared"]),
        (["faiss-cpu==1", "faiss-gpu==1"], "import faiss", []),
    ],
)
def test_a_difference_is_found(requirements: list[str], source: str, expected: list[str]) -> None:
    assert differences(declared(requirements), imported(ast.parse(source)), {"yaml": ["PyYAML"]}) == expected
