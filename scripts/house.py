"""Prints what can be counted about the house: sizes, types, import circles, small modules and names that nobody uses.

`python scripts/house.py` prints a table; `--json` the same as one JSON object, `--list NAME` the places behind one count.
The static tests hold the bounds; this shows how far the tree is from them, before a change and after it.
"""

import argparse
import ast
import json
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "medkg_lab"
LONG_FILE_LINES = 700
LONG_FUNCTION_LINES = 60
SMALL_MODULE_LINES = 80
_VULTURE_FOUND_SOME = 3
"""Vulture's exit status when it found something unused."""


@dataclass(frozen=True)
class Module:
    """A module of the product: its dotted name, its source and what it imports of the product."""

    name: str
    path: Path
    source: str
    tree: ast.Module = field(repr=False)

    @property
    def lines(self) -> int:
        """The number of lines of the file."""
        return self.source.count("\n")

    @property
    def place(self) -> str:
        """The path as it is printed."""
        return str(self.path.relative_to(ROOT))

    def origin(self, node: ast.ImportFrom) -> str:
        """The dotted name of the module that `from … import` names, relative ones included."""
        if node.level == 0:
            return node.module or ""
        parts = self.name.split(".") if self.path.stem == "__init__" else self.name.split(".")[:-1]
        return ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])


@dataclass(frozen=True)
class House:
    """All modules of the product."""

    modules: dict[str, Module]

    @classmethod
    def read(cls, folder: Path) -> "House":
        """Read every module under `folder`. Raises SyntaxError."""
        found = {}
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder.parent).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            source = path.read_text(encoding="utf-8")
            found[name] = Module(name, path, source, ast.parse(source))
        return cls(found)

    @cached_property
    def imports(self) -> dict[str, set[str]]:
        """The modules of the product that each imports, whether at its top, inside functions or for types alone."""
        return {name: set(self._imported(module)) for name, module in self.modules.items()}

    def _imported(self, module: Module) -> Iterator[str]:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names if alias.name in self.modules)
            elif isinstance(node, ast.ImportFrom):
                source = module.origin(node)
                for alias in node.names:
                    found = next((name for name in (f"{source}.{alias.name}", source) if name in self.modules), None)
                    if found is not None:
                        yield found

    def circles(self) -> list[list[str]]:
        """The groups of modules that import one another, the largest first (Tarjan's strongly connected components)."""
        return sorted((group for group in _components(self.imports) if len(group) > 1), key=len, reverse=True)

    def each(self, find: Callable[[ast.Module], Iterator[int]]) -> list[str]:
        """The places, as `path:line`, that `find` gives of every module."""
        return [f"{module.place}:{line}" for module in self.modules.values() for line in find(module.tree)]

    def long_files(self) -> list[str]:
        """The files with more than LONG_FILE_LINES lines."""
        return [f"{module.place} {module.lines}" for module in self.modules.values() if module.lines > LONG_FILE_LINES]

    def long_functions(self) -> list[str]:
        """The functions with more than LONG_FUNCTION_LINES lines."""
        return [
            f"{module.place}:{node.lineno} {node.name} {size}"
            for module in self.modules.values()
            for node in ast.walk(module.tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and (size := (node.end_lineno or node.lineno) - node.lineno + 1) > LONG_FUNCTION_LINES
        ]

    def small_with_one_importer(self) -> list[str]:
        """The modules under SMALL_MODULE_LINES lines that one other module imports: torn from it, perhaps."""
        importers = Counter(name for imported in self.imports.values() for name in imported)
        small = (
            module
            for module in self.modules.values()
            if module.lines < SMALL_MODULE_LINES and module.path.stem not in ("__init__", "__main__", "errors")
        )
        return [f"{module.place} {module.lines}" for module in small if importers[module.name] == 1]


def _components(graph: dict[str, set[str]]) -> list[list[str]]:
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in sorted(graph[name]):
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            at = stack.index(name)
            found.append(sorted(stack[at:]))
            del stack[at:]

    sys.setrecursionlimit(10_000)
    for name in graph:
        if name not in index:
            visit(name)
    return found


def untyped_dictionaries(tree: ast.Module) -> Iterator[int]:
    """The lines that write the type dict[str, Any]."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and ast.unparse(node).replace(" ", "") in ("dict[str,Any]", "Dict[str,Any]"):
            yield node.lineno


def constant_subscripts(tree: ast.Module) -> Iterator[int]:
    """The lines that subscript with a constant string."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Subscript)
            and isinstance(node.slice, ast.Constant)
            and isinstance(node.slice.value, str)
        ):
            yield node.lineno


def broad_excepts(tree: ast.Module) -> Iterator[int]:
    """The lines that catch everything."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and (
            node.type is None or (isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException"))
        ):
            yield node.lineno


def private_dagster(tree: ast.Module) -> Iterator[int]:
    """The lines that import a private part of Dagster."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            named = [node.module or ""]
        elif isinstance(node, ast.Import):
            named = [alias.name for alias in node.names]
        else:
            continue
        if any(name.startswith("dagster._") for name in named):
            yield node.lineno


def unused_names(*paths: str) -> list[str]:
    """What vulture finds that neither product nor scripts use, less what `tests/static/used.py` explains.

    A use in tests does not count. Given `paths` are read in place of those in pyproject.toml. Raises CalledProcessError where
    vulture is missing or cannot read a file.
    """
    command = [sys.executable, "-m", "vulture", *paths]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    if found.returncode not in (0, _VULTURE_FOUND_SOME):
        raise subprocess.CalledProcessError(found.returncode, command, found.stdout, found.stderr)
    published = entry_points()
    return [line for line in found.stdout.splitlines() if line.split("'")[1] not in published]


def entry_points() -> set[str]:
    """The names that pyproject.toml registers as entry points: others load them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {value.partition(":")[2] for group in project["entry-points"].values() for value in group.values()}


def places(house: House) -> dict[str, list[str]]:
    """Everything that is counted, by name: the places behind each count."""
    return {
        "dict[str, Any]": house.each(untyped_dictionaries),
        "subscripts with a constant string": house.each(constant_subscripts),
        "broad excepts": house.each(broad_excepts),
        "private parts of Dagster": house.each(private_dagster),
        "import circles": [" ".join(circle) for circle in house.circles()],
        f"files over {LONG_FILE_LINES} lines": house.long_files(),
        f"functions over {LONG_FUNCTION_LINES} lines": house.long_functions(),
        f"modules under {SMALL_MODULE_LINES} lines with one importer": house.small_with_one_importer(),
        "unused names": unused_names(),
    }


def main() -> int:
    """Print the counts, or the places behind one of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--list", metavar="NAME", help="print the places behind the count of this name")
    args = parser.parse_args()
    house = House.read(ROOT / PACKAGE)
    found = places(house)
    if args.list:
        print(*found[args.list], sep="\n")
        return 0
    counts = {"modules": len(house.modules), "lines": sum(each.lines for each in house.modules.values())}
    counts |= {name: len(where) for name, where in found.items()}
    if args.json:
        print(json.dumps(counts))
    else:
        print(*(f"{count:>8,}  {name}" for name, count in counts.items()), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
