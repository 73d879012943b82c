"""The house rules that no tool checks, as functions over source texts: each gives what breaks the rule."""

import ast
import re
import subprocess
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAX_MODULE_LINES = 700
MAX_FUNCTION_LINES = 80

Function = ast.FunctionDef | ast.AsyncFunctionDef

# Written in pieces, so that this file does not hold what it forbids.
_FORBIDDEN = "|".join(
    (
        r"(?<![\w.])/" + r"(?:work|root)/",
        r"pypi" + r"\.org",
        r"python" + r"hosted",
        r"registry" + r"\.npmjs",
        r"deb" + r"\.debian",
    )
)


@cache
def files() -> tuple[Path, ...]:
    """Every file of the project: those under version control and the new ones that are not ignored."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    paths = {ROOT / name for name in listed.split("\0") if name}
    return tuple(sorted(path for path in paths if path.is_file()))


def python_files(folder: str = "") -> tuple[Path, ...]:
    """The Python files of the project, or of one of its folders."""
    return tuple(path for path in files() if path.suffix == ".py" and path.is_relative_to(ROOT / folder))


def foreign_places(text: str) -> list[str]:
    """The machine paths and package index hosts that a text names."""
    return re.findall(_FORBIDDEN, text)


def functions(tree: ast.AST) -> Iterator[Function]:
    """All functions and methods of a module, nested ones too."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def long_functions(tree: ast.AST) -> list[str]:
    """The functions with more than MAX_FUNCTION_LINES lines, with their numbers of lines."""
    sizes = {each.name: (each.end_lineno or each.lineno) - each.lineno + 1 for each in functions(tree)}
    return [f"{name} has {lines} lines" for name, lines in sizes.items() if lines > MAX_FUNCTION_LINES]


def unstructured_logs(tree: ast.AST) -> list[int]:
    """The lines that log without `extra`, which names the event."""
    levels = {"debug", "info", "warning", "error", "exception", "critical"}
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in levels
        and ast.unparse(node.func.value).strip("_").lower() in ("log", "logger")
        and not any(each.arg == "extra" for each in node.keywords)
    ]


def undocumented(tree: ast.Module) -> list[str]:
    """The module itself, and its public classes and functions, where they have no docstring."""
    public = (node for node in tree.body if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"))
    missing = [] if ast.get_docstring(tree) else ["the module"]
    return missing + [node.name for node in public if not ast.get_docstring(node)]


def tests_without_assertion(tree: ast.Module) -> list[str]:
    """The tests that neither assert, expect an error, wait for a condition, nor call a helper of the module that does."""
    checking = {"raises", "warns", "fail", "validate", "wait_until", "until", "sees", "misses"}
    return [
        each.name
        for each in functions(tree)
        if each.name.startswith("test_") and not _checks(each, checking | _checking_helpers(tree, checking))
    ]


def _checking_helpers(tree: ast.Module, checking: set[str]) -> set[str]:
    return {each.name for each in functions(tree) if not each.name.startswith("test_") and _checks(each, checking)}


def _checks(function: Function, checking: set[str]) -> bool:
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            name = called(node).rpartition(".")[2]
            if name in checking or name.startswith(("assert_", "expect_")):
                return True
    return False


def called(node: ast.Call) -> str:
    """The dotted name that a call calls, as far as it is one."""
    return ast.unparse(node.func)


def sleeps(tree: ast.Module) -> list[int]:
    """The lines that sleep; `asyncio.sleep(0)` only lets others run and is none."""
    lines = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in ("time", "asyncio"):
            lines += [node.lineno for alias in node.names if alias.name == "sleep"]
        elif isinstance(node, ast.Call) and called(node) in ("time.sleep", "asyncio.sleep"):
            yields = called(node) == "asyncio.sleep" and ast.unparse(node.args[0]) == "0"
            lines += [] if yields else [node.lineno]
    return lines


def error_classes(trees: Iterable[ast.Module]) -> list[str]:
    """The names of the classes that derive from LabError, each as often as it is defined."""
    classes = [
        (node.name, {ast.unparse(base) for base in node.bases})
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    ]
    known = {"LabError"}
    while more := {name for name, bases in classes if bases & known} - known:
        known |= more
    return sorted(name for name, bases in classes if bases & known)


def private_imports(tree: ast.Module) -> list[str]:
    """The imports of what another package keeps to itself: a module or name with an underscore first, or a shared part of it."""
    imported = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names] + [
        f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and not node.level
        for alias in node.names
    ]
    return [name for name in imported if _PRIVATE.search(name) and not name.startswith("medkg_lab")]


_PRIVATE = re.compile(r"^dagster_shared\b|\._(?!_)")


def own_replacements(tree: ast.Module) -> list[int]:
    """The lines that put a file in another's place themselves: os.replace, os.rename, or a path's method of that name."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and (
            called(node) in ("os.replace", "os.rename")
            or (node.func.attr in ("replace", "rename") and len(node.args) == 1 and not node.keywords)
        )
    ]


def own_xml_readers(tree: ast.Module) -> list[int]:
    """The lines that read XML by a parser of their own."""
    readers = ("XMLParser", "fromstring", "iterparse", "parse", "XML", "XMLPullParser")
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and called(node) in {f"etree.{name}" for name in readers}
    ]
