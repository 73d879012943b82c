"""`tests/first_use.md` names tests that there are, and leaves none of what was found out."""

import ast
import re
from functools import cache

import pytest

from tests.static.rules import ROOT, functions

LIST = (ROOT / "tests" / "first_use.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(test_\w+)`", LIST)))


@cache
def names_in(path: str) -> set[str]:
    return {each.name for each in functions(ast.parse((ROOT / "tests" / path).read_text(encoding="utf-8")))}


@pytest.mark.parametrize(("path", "test"), NAMED)
def test_a_test_that_is_named_exists(path: str, test: str) -> None:
    assert test in names_in(path)


def test_every_finding_and_every_wish_has_a_test() -> None:
    lines = [line.split("|")[1:4] for line in LIST.splitlines() if line.startswith("| ")]
    numbered = [(number.strip(), held) for number, _, held in lines if number.strip().isdigit()]
    assert [number for number, _ in numbered] == [*map(str, range(1, 23)), *map(str, range(1, 6))]
    assert all("::test_" in held for _, held in numbered)
