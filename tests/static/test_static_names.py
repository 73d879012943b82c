"""Names are the field's: no word of a dialect of our own, and every constant of time or size says its unit."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.static.test_static_house import PRODUCT


def words(name: str) -> set[str]:
    """The words of `snake_case` and `CamelCase` names."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)}


DIALECT = words(
    "tell tells told say says said settle settles look looked keep keeps kept give gives gave given ask asks asked asking"
    " stand standing pen desk shelf keeper workshop gateway outside leg legs things moment moments tally mend goes breath"
)
"""Words that tell nothing to who knows the field: `log_`, `print_`, `to_json`, `on_…` and the field's nouns stand for them."""
ENGLISH = frozenset({"OutsideAllowedRoots"})
"""Names in which such a word is plain English."""
UNIT = re.compile(r"_(S|MS|NS|MIB|MB|BYTES|SHARE|RATIO|FACTOR|WEIGHT|PER_SECOND|CELSIUS|DAYS)$|^_?RATIO$")


def names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Each class and function of a module, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, node.name


def dialect(tree: ast.Module) -> list[str]:
    return [f"{line}: {name}" for line, name in names(tree) if name not in ENGLISH and words(name) & DIALECT]


def without_unit(tree: ast.Module) -> list[str]:
    """Constants that are seconds by their looks (a number with a point), or named after a unit or a maximum in another way."""
    found = []
    for node in tree.body:
        if not isinstance(node, ast.Assign | ast.AnnAssign):
            continue
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Name) and re.fullmatch(r"_?[A-Z][A-Z0-9_]*", target.id):
                value = node.value
                number = isinstance(value, ast.Constant) and isinstance(value.value, float) and value.value >= 1.0
                if (
                    target.id.endswith("_SECONDS")
                    or target.id.startswith(("MOST_", "_MOST_"))
                    or (number and not UNIT.search(target.id))
                ):
                    found.append(f"{node.lineno}: {target.id}")
    return found


def test_no_module_class_or_function_has_a_name_of_a_dialect() -> None:
    found = {name: dialect(module.tree) for name, module in PRODUCT.modules.items()}
    assert {name: each for name, each in found.items() if each} == {}
    assert [name for name in PRODUCT.modules if words(name.rsplit(".", 1)[-1]) & DIALECT] == []


def test_every_constant_of_time_has_its_unit() -> None:
    found = {name: without_unit(module.tree) for name, module in PRODUCT.modules.items()}
    assert {name: each for name, each in found.items() if each} == {}


@pytest.mark.parametrize(
    "source", ["def tell_of(): ...", "class Keeper: ...", "class A:\n    async def _look(self): ..."]
)
def test_a_name_of_a_dialect_is_found(source: str) -> None:
    assert dialect(ast.parse(source))


@pytest.mark.parametrize("source", ["PAUSE = 1.0", "WAIT_SECONDS = 2", "_GRACE: float = 4.0", "MOST_BYTES = 9"])
def test_a_constant_without_its_unit_is_found(source: str) -> None:
    assert without_unit(ast.parse(source))


HARD_WORDS = re.compile(
    r"\bmends?\b|turned round|[−-]\d+ events|\bin step\b|is what lies in|\bis no number\b|(?<!There )is no stage\b"
    r"|that are no text|\bgoes policy\b|^Leave it|^headless|Put something in|nothing to type|^It has completed|\bloses nothing"
    r"|put documents on the work queue|what says so|^kept at \d|fused as the settings say"
)
"""What people who read it for the first time did not understand, or would have said otherwise."""


def test_no_sentence_of_the_product_has_words_that_people_stumbled_over() -> None:
    found = {
        f"{name}:{node.lineno}": node.value
        for name, module in PRODUCT.modules.items()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and HARD_WORDS.search(node.value)
    }
    assert found == {}
