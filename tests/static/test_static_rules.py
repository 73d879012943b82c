"""The whole tree keeps the house rules, and each rule is able to find what it forbids."""

import ast
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.static import rules
from tests.static.rules import ROOT


def assert_kept(paths: tuple[Path, ...], rule: Callable[[ast.Module], list[str] | list[int]]) -> None:
    """`rule` finds nothing in the files, of which there must be some."""
    assert len(paths) > 20
    found = [f"{path.relative_to(ROOT)}: {each}" for path in paths for each in rule(ast.parse(path.read_bytes()))]
    assert not found, "\n".join(found)


def test_no_file_names_a_machine_path_or_a_package_index() -> None:
    assert len(rules.files()) > 100
    found = {
        f"{path.relative_to(ROOT)}: {place}"
        for path in rules.files()
        for place in rules.foreign_places(path.read_text(encoding="utf-8", errors="replace"))
    }
    assert not found, "\n".join(sorted(found))


def test_the_only_lock_files_are_those_in_requirements() -> None:
    locks = {path.name for path in ROOT.iterdir()} | {path.name for path in rules.files()}
    assert "uv" + ".lock" not in locks
    assert {"cpu.lock", "dev.lock", "gpu.lock"} <= locks


def test_no_module_is_too_long() -> None:
    lines = {path: len(path.read_bytes().splitlines()) for path in rules.python_files()}
    long = [
        f"{path.relative_to(ROOT)}: {count} lines" for path, count in lines.items() if count > rules.MAX_MODULE_LINES
    ]
    assert not long, "\n".join(long)


def test_no_function_is_too_long() -> None:
    assert_kept(rules.python_files(), rules.long_functions)


def test_everything_public_has_a_docstring() -> None:
    assert_kept(rules.python_files("medkg_lab"), rules.undocumented)


@pytest.mark.parametrize("package", ["engine", "knowledge", "ledger", "services"])
def test_every_line_of_the_log_names_its_event(package: str) -> None:
    paths = rules.python_files(f"medkg_lab/{package}")
    found = [f"{path}:{line}" for path in paths for line in rules.unstructured_logs(ast.parse(path.read_bytes()))]
    assert paths
    assert found == []


def test_every_test_can_fail() -> None:
    assert_kept(rules.python_files("tests"), rules.tests_without_assertion)


def test_no_two_errors_have_one_name() -> None:
    """Errors travel between processes by their class's name."""
    found = rules.error_classes(ast.parse(path.read_text()) for path in rules.python_files("medkg_lab"))
    assert len(found) > 100
    assert [name for name, count in Counter(found).items() if count > 1] == []


def test_no_test_sleeps() -> None:
    # The stages of the engine's tests run in an engine, where tests/waiting.py cannot be imported.
    may_wait = {ROOT / "tests" / "waiting.py", ROOT / "tests" / "integration" / "engine" / "tiny_stages.py"}
    paths = tuple(path for path in rules.python_files("tests") if path not in may_wait)
    assert_kept(paths, rules.sleeps)


def test_only_one_module_imports_the_private_parts_of_a_library() -> None:
    """Dagster's, and of Textual the terminal parser, the footer's keys and the calling of handlers; tests say what changed."""
    known = {
        ROOT / "medkg_lab" / "orchestration" / "compat.py",
        ROOT / "medkg_lab" / "tui" / "driver.py",
        ROOT / "medkg_lab" / "tui" / "frame.py",
        ROOT / "medkg_lab" / "tui" / "key_order.py",
        ROOT / "tests" / "tui" / "test_tui_input.py",
    }
    assert all(rules.private_imports(ast.parse(path.read_text())) for path in known)
    assert_kept(tuple(path for path in rules.python_files() if path not in known), rules.private_imports)


def test_one_function_replaces_files() -> None:
    """What else gives a name to something finished: large files and folders of the ledger, logs, an imported incident, and
    what a command writes into a folder of the user's, with the user's own permissions."""
    product = ROOT / "medkg_lab"
    known = {
        product / "files.py",
        product / "artifacts" / "sweep.py",
        product / "cli" / "files.py",
        product / "bench" / "artifacts.py",
        product / "lab" / "backup.py",
        product / "lab" / "restore.py",
        product / "ledger" / "opening.py",
        product / "ledger" / "files.py",
        product / "ledger" / "maintenance.py",
        product / "ledger" / "rebuild.py",
        product / "ledger" / "recover.py",
        product / "repro" / "incident.py",
        product / "supervisor" / "rotating_log.py",
    }
    assert_kept(tuple(path for path in rules.python_files("medkg_lab") if path not in known), rules.own_replacements)


def test_one_module_reads_xml() -> None:
    reader = ROOT / "medkg_lab" / "xml_source.py"
    assert rules.own_xml_readers(ast.parse(reader.read_text()))
    assert_kept(tuple(path for path in rules.python_files("medkg_lab") if path != reader), rules.own_xml_readers)


def test_every_folder_of_tests_is_a_package() -> None:
    folders = {path.parent for path in rules.python_files("tests")}
    assert [str(folder.relative_to(ROOT)) for folder in folders if not (folder / "__init__.py").is_file()] == []


@pytest.mark.parametrize(
    "text",
    ["cd /" + "work/main", "'/" + "root/.cache'", "https://pypi" + ".org/simple", "files.python" + "hosted.org"],
)
def test_a_foreign_place_is_found(text: str) -> None:
    assert len(rules.foreign_places(text)) == 1


@pytest.mark.parametrize("text", ["a piece of /" + "workshop/x", "rules/" + "work/x", "pypi is an index"])
def test_an_innocent_text_is_left_alone(text: str) -> None:
    assert rules.foreign_places(text) == []


@pytest.mark.parametrize(
    ("rule", "source", "expected"),
    [
        (rules.long_functions, "def f():\n" + "    x = 1\n" * 80, ["f has 81 lines"]),
        (rules.long_functions, "def f():\n" + "    x = 1\n" * 79, []),
        (rules.undocumented, "def f(): ...\nclass C:\n    x = 'c'", ["the module", "f", "C"]),
        (rules.undocumented, "'m'\ndef _f(): ...\nclass C:\n    'c'", []),
        (rules.tests_without_assertion, "def test_a():\n    run()", ["test_a"]),
        (rules.tests_without_assertion, "def test_a():\n    assert run()", []),
        (rules.tests_without_assertion, "def test_a():\n    with pytest.raises(E):\n        run()", []),
        (rules.tests_without_assertion, "def same(a):\n    assert a\ndef test_a():\n    same(1)", []),
        (rules.private_imports, "from a._b import c", ["a._b.c"]),
        (rules.private_imports, "import dagster_shared.error", ["dagster_shared.error"]),
        (rules.private_imports, "def f():\n    from a.b import _c", ["a.b._c"]),
        (rules.private_imports, "import a.b\nfrom __future__ import c\nfrom . import _d", []),
        (rules.own_replacements, "os.replace(a, b)\nos.rename(a, b)\npath.replace(other)", [1, 2, 3]),
        (rules.own_replacements, "text.replace('a', 'b')\nreplace(row, x=1)\nrow._replace(x=1)", []),
        (rules.unstructured_logs, "_LOG.info('x')\nlogger.error('%s', e, exc_info=e)\nself.log.info('x')", [1, 2]),
        (rules.unstructured_logs, "log.info('x', extra=fields(event='a.b'))\nconsole.info('x')", []),
        (rules.sleeps, "import time\ntime.sleep(1)", [2]),
        (rules.sleeps, "from time import sleep", [1]),
        (rules.sleeps, "async def f():\n    await asyncio.sleep(0)\n    await asyncio.sleep(0.1)", [3]),
    ],
)
def test_a_rule_finds_what_it_forbids(
    rule: Callable[[ast.Module], list[str]], source: str, expected: list[str] | list[int]
) -> None:
    assert rule(ast.parse(source)) == expected
