"""What the lab and the program take on disk, and how both are removed."""

import json
import os
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from medkg_lab.environment import DISTRIBUTION, is_pipx, is_uv_tool
from medkg_lab.locations import Locations

HOLDS = {
    "config": "settings, own pipelines and policies, keys of the screen",
    "data": "documents, ledger, indexes, topics",
    "state": "logs, positions, Dagster's files",
    "cache": "models and what can be made again",
    "runtime": "sockets of the lab while it runs",
}


@dataclass(frozen=True)
class Place:
    """A folder of the lab: what is in it, and its `bytes` on disk, without those of the other named folders inside it."""

    name: str
    path: Path
    holds: str
    bytes: int


def places(locations: Locations) -> list[Place]:
    """The lab's folders with their sizes; one that is not there yet has 0 bytes."""
    folders = _folders(locations)
    return [
        Place(name, path, HOLDS[name], _size(path, {one for one in folders.values() if one != path}))
        for name, path in folders.items()
    ]


def parts(locations: Locations) -> dict[str, int]:
    """The bytes on disk of each part: `config`, `cache`, and every folder of data and state by its name, as `data/ledger`.

    Files that lie in data or state themselves are counted under that name.
    """
    folders = _folders(locations)
    found: dict[str, int] = {}
    for name in ("config", "cache", "data", "state"):
        path, others = folders[name], {one for one in folders.values() if one != folders[name]}
        inner = {one for one in path.glob("*/") if one not in others} if name in ("data", "state") else set()
        found[name] = _size(path, others | inner)
        found |= {f"{name}/{one.name}": _size(one, others) for one in sorted(inner)}
    return found


def growing(locations: Locations) -> dict[str, int]:
    """The bytes on disk of each part that grows with what the lab does: the folders of its data and of its state."""
    return {name.partition("/")[2]: size for name, size in parts(locations).items() if "/" in name}


def _folders(locations: Locations) -> dict[str, Path]:
    folders: dict[str, Path] = {name: getattr(locations, name) for name in ("config", "data", "state", "cache")}
    return folders | {"runtime": locations.sockets()}


def _size(folder: Path, others: set[Path]) -> int:
    """The bytes that the files below `folder` take on disk, without those below `others`; what is deleted meanwhile has none."""
    total = 0
    for root, names, files in os.walk(folder):
        names[:] = [name for name in names if Path(root, name) not in others]
        for name in files:
            try:
                total += os.lstat(os.path.join(root, name)).st_blocks * 512
            except FileNotFoundError:
                continue
    return total


def removal(locations: Locations) -> list[str]:
    """The commands that remove the lab with all that it holds, and then the program. Nothing else is left behind."""
    shared = set() if locations.own_cache else {locations.cache}
    folders = sorted({place.path for place in places(locations)} - shared | {locations.home})
    roots = [
        one
        for one in folders
        if one.exists() and not any(one.is_relative_to(other) for other in folders if other != one)
    ]
    home = shlex.join(["medkg-lab", "down", *locations.arguments()])
    return [home, *(shlex.join(["rm", "-r", str(one)]) for one in roots), *_program()]


def _program() -> Iterator[str]:
    """The command that removes the program, by what installed it."""
    if is_uv_tool():
        yield f"uv tool uninstall {DISTRIBUTION}"
    elif is_pipx():
        yield f"pipx uninstall {DISTRIBUTION}"
    elif not _is_checkout():
        yield f"pip uninstall {DISTRIBUTION} medkg-lab-minilm"


def _is_checkout() -> bool:
    try:
        origin = distribution(DISTRIBUTION).read_text("direct_url.json")
    except PackageNotFoundError:
        return True
    return bool(origin) and bool(json.loads(origin or "{}").get("dir_info", {}).get("editable"))


def program_bytes() -> int:
    """The bytes on disk of the environment that the program runs in."""
    return _size(Path(sys.prefix), set())
