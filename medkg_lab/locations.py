"""Where a lab keeps its files: the only module that decides on folders."""

import hashlib
import os
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from medkg_lab import exit_codes, folders, running
from medkg_lab.errors import LabError

HOME_VARIABLE = "MEDKG_LAB_HOME"
CACHE_VARIABLE = "MEDKG_LAB_CACHE"
APP = "medkg-lab"
SETTINGS = "settings.yaml"
_SPECIAL = {
    "?": "DuckDB and SQLite read it as the beginning of options",
    "*": "Dagster reads it as a pattern",
    "[": "Dagster reads it as a pattern",
    "]": "Dagster reads it as a pattern",
    "%": "SQLite's addresses read it as an escape",
    "\\": "DuckDB reads it as a separator of folders",
}
"""Characters that a library reads as something else, so that it would open or write other files."""
_CONTROLS = ("Cc", "Zl", "Zp")
"""Unicode's categories of control characters and of what ends lines."""
_LONGEST_PATH = 400
"""Bytes of a folder's path: SQLite takes 512 for a file, and the longest name below a lab's folder has some 90."""
_LONGEST_NAME = 255
_LONGEST_BASE = 70
"""Bytes of a folder for sockets: the path of a Unix socket has 108 at most (unix(7))."""


class HomeUnusable(LabError):
    """The lab cannot be kept in {path!r}: {detail}. Choose another folder with `--home` or MEDKG_LAB_HOME."""

    exit_code = exit_codes.USAGE


@dataclass(frozen=True)
class Locations:
    """The folders of one lab; `home` names it in messages; `own_folder` says that everything lies under it.

    `runtime` is where sockets go unless the lab runs and has them elsewhere; `own_cache` says that the cache is this lab's.
    """

    home: Path
    config: Path
    data: Path
    state: Path
    cache: Path
    runtime: Path
    own_folder: bool = True
    own_cache: bool = True

    def arguments(self) -> tuple[str, ...]:
        """What a process of this lab is started with so that it finds the same folders."""
        return ("--home", str(self.home)) if self.own_folder else ()

    def sockets(self) -> Path:
        """The folder of the lab's sockets: where the supervisor that runs has them, whatever this process's environment says."""
        found = running.read(self.state)
        return Path(found.runtime) if found is not None else self.runtime

    def socket(self, process: str) -> Path:
        """The Unix socket of `process`."""
        return self.sockets() / f"{process}.sock"

    def log(self, process: str) -> Path:
        """The log file of `process`."""
        return self.state / "logs" / f"{process}.log"

    def create(self) -> None:
        """Make every folder, and close those of an earlier lab, and its settings, to others.

        Raises ForeignFolder, NotAFolder, and UnsafeFolder when the runtime folder is not ours.
        """
        for folder in (self.home, self.config, self.data, self.state, self.cache, self.state / "logs"):
            folders.make(folder)
        for folder in (
            self.config,
            self.data,
            self.state,
            self.state / "logs",
            *((self.cache,) if self.own_cache else ()),
        ):
            folders.tighten(folder)
        if (self.config / SETTINGS).exists():
            folders.tighten(self.config / SETTINGS)
        folders.private_folder(self.runtime.parent)
        folders.private_folder(self.runtime)


def locate(home: str | Path | None = None) -> Locations:
    """Find the lab's folders: under `home` or MEDKG_LAB_HOME when given, else where the platform keeps such things.

    Creates nothing. The runtime folder's name is a hash of the home because a Unix socket's path may have 108 bytes at most.
    Raises HomeUnusable when the path holds what a library would read as something else.
    """
    chosen = home or os.environ.get(HOME_VARIABLE)
    if chosen:
        root = Path(chosen).expanduser().resolve()
        found = {name: root / name for name in ("config", "data", "state", "cache")}
    else:
        import platformdirs

        dirs = platformdirs.PlatformDirs(APP, appauthor=False)
        root = dirs.user_data_path
        found = {
            "config": dirs.user_config_path,
            "data": root,
            "state": dirs.user_state_path,
            "cache": dirs.user_cache_path,
        }
    if cache := os.environ.get(CACHE_VARIABLE):
        found["cache"] = Path(cache).expanduser().resolve()
    _check((root, *found.values()))
    runtime = _runtime_root() / hashlib.sha256(os.fsencode(root)).hexdigest()[:12]
    return Locations(home=root, runtime=runtime, own_folder=bool(chosen), own_cache=not cache, **found)


def _check(paths: Iterable[Path]) -> None:
    for path in paths:
        if detail := _unusable(path):
            raise HomeUnusable(path=str(path), detail=detail)


def _unusable(path: Path) -> str:
    """Why no lab can be kept at `path`; empty when one can."""
    text = str(path)
    for character, why in _SPECIAL.items():
        if character in text:
            return f"its path holds {character!r}, and {why}"
    try:
        length = len(text.encode())
    except UnicodeEncodeError:
        return "its path is not UTF-8"
    if odd := next((one for one in text if unicodedata.category(one) in _CONTROLS), None):
        return f"its path holds the control character {odd!r}"
    if any(len(part.encode()) > _LONGEST_NAME for part in path.parts):
        return f"one of its names has more than {_LONGEST_NAME} bytes, the most that file systems take"
    return f"its path has {length} bytes, and SQLite takes {_LONGEST_PATH}" if length > _LONGEST_PATH else ""


def _runtime_root() -> Path:
    """The first folder for sockets that is short enough, and this user's alone or not made yet."""
    given = Path(os.environ.get("XDG_RUNTIME_DIR") or "/nowhere")
    shared = Path("/tmp") / f"{APP}-{os.getuid()}"
    candidates: list[Path] = [*((given / APP,) if folders.is_safe(given) else ()), shared, _in_cache()]
    for one in candidates:
        if len(os.fsencode(one)) < _LONGEST_BASE and not _unusable(one) and _is_free(one):
            return one
    return shared  # making it says what is wrong with it


def _in_cache() -> Path:
    import platformdirs

    cache: Path = platformdirs.user_cache_path(APP, appauthor=False)
    return cache / "run"


def _is_free(path: Path) -> bool:
    return not os.path.lexists(path) or folders.is_private(path)
