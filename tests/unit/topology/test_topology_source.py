"""YAML from outside: places are right, and what is refused is refused with its place."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.yaml_source import MAX_BYTES, MAX_DEPTH, parse, read

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_values_are_those_of_the_yaml_library(value: object) -> None:
    text = yaml.safe_dump(value, default_flow_style=False)
    plain = yaml.safe_load(text)
    source = parse(text, "f")
    assert source.problems == []
    assert source.value == plain


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: data.decode("latin-1")))
def test_any_text_ends_in_a_value_or_in_problems(text: str) -> None:
    source = parse(text, "f")
    assert source.problems or source.value is not None or yaml.safe_load(text) is None


@given(st.binary(max_size=100))
def test_any_bytes_end_in_a_value_or_in_problems(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.yaml"
    path.write_bytes(data)
    source = read(path)
    assert all(problem.file == str(path) for problem in source.problems)


def test_places_are_lines_and_columns_from_one() -> None:
    source = parse("a: 1\nb:\n  - x\n  - {c: 2}\n", "f")
    assert source.value == {"a": 1, "b": ["x", {"c": 2}]}
    assert source.places[("b",)] == (2, 1)
    assert source.places[("b", 0)] == (3, 5)
    assert source.places[("b", 1, "c")] == (4, 6)


@pytest.mark.parametrize(
    ("text", "rule", "line", "column"),
    [
        ("a: &x [1]\nb: *x\n", "anchor", 1, 4),
        ("a: &x [1]\nb: *x\n", "alias", 2, 4),
        ("a: 1\nb: 2\na: 3\n", "duplicate-key", 3, 1),
        ("a: !!python/object:os.system 1\n", "tag", 1, 4),
        ("a: !mine {b: 1}\n", "tag", 1, 4),
        ("a: 2020-01-01\n", "scalar", 1, 1),
        ("a: .nan\n", "scalar", 1, 1),
        ("a: .inf\n", "scalar", 1, 1),
        ("a:\n  <<: {b: 1}\n", "key", 2, 3),
        ("1: a\n", "key", 1, 1),
        ("[a]: b\n", "key", 1, 1),
        ("a: 1\n b: 2\n", "yaml", 2, 3),
        ("a: 'x\n", "yaml", 2, 1),
        ("a: 1\n---\nb: 2\n", "yaml", 2, 1),
        ("a: \x07\n", "yaml", 1, 4),
        ("", "empty", 1, 1),
        ("# nothing\n", "empty", 1, 1),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "too-deep", 1, MAX_DEPTH + 1),
        ("[" * 100_000, "too-deep", 1, MAX_DEPTH + 1),
        ("# " + "x" * MAX_BYTES, "too-large", 1, 1),
    ],
)
def test_refusals(text: str, rule: str, line: int, column: int) -> None:
    found = parse(text, "f").problems
    assert (rule, line, column) in [(problem.rule, problem.line, problem.column) for problem in found]


def test_depth_at_the_limit_is_allowed() -> None:
    assert parse("[" * MAX_DEPTH + "]" * MAX_DEPTH, "f").problems == []


def test_a_long_list_of_aliases_gives_few_problems() -> None:
    assert 0 < len(parse("a: &x 1\nb: [" + "*x ," * 10_000 + "]", "f").problems) <= 50


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    assert [problem.rule for problem in read(path).problems] == ["unreadable"]
    assert [problem.rule for problem in read(tmp_path).problems] == ["unreadable"]
    path.write_bytes(b"a: \xff\n")
    assert [problem.rule for problem in read(path).problems] == ["encoding"]
    path.write_bytes(b"a: " + b"x" * MAX_BYTES)
    assert [problem.rule for problem in read(path).problems] == ["too-large"]
    path.write_bytes("﻿a: ü\n".encode())
    assert read(path).value == {"a": "ü"}


HUGE = (
    "1:" * 3000 + "1", "0x" + "f" * 5000, "0b" + "1" * 900, "9" * 5000, "9" * 900, "-" + "9" * 20, "18446744073709551616",
    "1" * 500 + ".0", "1.0e+400", "-1.0e+999999999", ".inf", "-.inf", ".nan", "1:" * 400 + "1.5", "0" * 2000, "1_" * 2000 + "1",
)  # fmt: skip


@pytest.mark.parametrize("number", HUGE, ids=lambda number: number[:12])
@pytest.mark.parametrize("form", ["a: {}\n", "- x\n- {}\n", "a: {{b: {}}}\n", "a:\n  - - {}\n"])
def test_a_number_that_no_part_can_store_is_a_problem_with_a_place(number: str, form: str) -> None:
    source = parse(form.format(number), "f")
    assert [problem.rule for problem in source.problems] in (["number"], ["scalar"])
    assert source.problems[0].line == form[: form.index("{}")].count("\n") + 1
    assert len(str(source.problems[0])) < 300


def test_numbers_up_to_64_bits_are_numbers_and_long_texts_are_texts() -> None:
    text = f"a: {2**63 - 1}\nb: {-(2**63)}\nc: '{'9' * 5000}'\nd: {'x' * 5000}\n"
    assert parse(text, "f").problems == []


@pytest.mark.parametrize(
    ("text", "line", "column"), [("a: 1\nb: x\0\n", 2, 5), ("\x07", 1, 1), ("a:\n\tb: 2\n", 2, 1), ("a: [1,\n", 2, 1)]
)
def test_what_is_not_yaml_has_a_place(text: str, line: int, column: int) -> None:
    (problem,) = parse(text, "f").problems
    assert (problem.line, problem.column) == (line, column)


def test_aliases_that_multiply_are_refused_before_they_do() -> None:
    laughs = "a: &a [x]\n" + "".join(
        f"{b}: &{b} [*{a}, *{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert {problem.rule for problem in parse(laughs, "f").problems} == {"anchor", "alias"}
