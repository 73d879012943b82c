"""The product has no import circle, long file or long function, and scripts/house.py, which counts them, finds them."""

import ast
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def load() -> ModuleType:
    """scripts/house.py, which is not part of a package."""
    spec = importlib.util.spec_from_file_location("house", ROOT / "scripts" / "house.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


house = load()
PRODUCT = house.House.read(ROOT / house.PACKAGE)


def product_of(folder: Path, **sources: str) -> Any:
    """A package `p` with a module of each source."""
    package = folder / "p"
    package.mkdir()
    for name, source in sources.items():
        (package / f"{name}.py").write_text(source)
    return house.House.read(package)


def test_no_modules_import_one_another() -> None:
    """Neither at their top, nor inside functions, nor for types alone."""
    assert len(PRODUCT.modules) > 500
    assert PRODUCT.circles() == []


@pytest.mark.parametrize(
    "hidden",
    [
        "import p.a",
        "from p import a",
        "from p.a import x",
        "from . import a",
        "from .a import x",
        "def f():\n    from p.a import x",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from p.a import x",
    ],
)
def test_a_circle_is_found_wherever_it_hides(hidden: str, tmp_path: Path) -> None:
    assert product_of(tmp_path, a="import p.b", b="from p.c import y", c=hidden).circles() == [["p.a", "p.b", "p.c"]]


def test_modules_that_only_lead_to_one_another_are_no_circle(tmp_path: Path) -> None:
    assert product_of(tmp_path, a="import p.b, p.c", b="from p.c import y", c="import os").circles() == []


def test_no_file_and_no_function_of_the_product_is_too_long() -> None:
    assert PRODUCT.long_files() == []
    assert PRODUCT.long_functions() == []


def test_what_the_product_does_not_use_is_what_others_use() -> None:
    """tests/static/used.py names that, and nothing that is used or gone; a use in tests does not count."""
    found = {line.split("'")[1]: line for line in house.unused_names(house.PACKAGE, "scripts")}
    statements = ast.parse((ROOT / "tests" / "static" / "used.py").read_text()).body[1:]
    listed = {ast.unparse(statement).removeprefix("_.") for statement in statements}
    assert len(listed) > 50
    assert [found[name] for name in found.keys() - listed] == []
    assert listed - found.keys() == set()
