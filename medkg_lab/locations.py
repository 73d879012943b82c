"""Where a lab keeps its files: the only module that decides on folders."""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from medkg_lab.errors import LabError

HOME_VARIABLE = "MEDKG_LAB_HOME"
CACHE_VARIABLE = "MEDKG_LAB_CACHE"
APP = "medkg-lab"


class UnsafeFolder(LabError):
    """{path} belongs to another user or is open to others, so sockets and tokens would not be safe in it. Remove it or set
    XDG_RUNTIME_DIR to a folder that only you can use."""


@dataclass(frozen=True)
class Locations:
    """The folders of one lab; `home` names it in messages; `own_folder` says that everything lies under it."""

    home: Path
    config: Path
    data: Path
    state: Path
    cache: Path
    runtime: Path
    own_folder: bool = True

    def arguments(self) -> tuple[str, ...]:
        """What a process of this lab is started with so that it finds the same folders."""
        return ("--home", str(self.home)) if self.own_folder else ()

    def socket(self, process: str) -> Path:
        """The Unix socket of `process`."""
        return self.runtime / f"{process}.sock"

    def log(self, process: str) -> Path:
        """The log file of `process`."""
        return self.state / "logs" / f"{process}.log"

    def create(self) -> None:
        """Make every folder, each readable by its owner alone. Raises UnsafeFolder when the runtime folder is not ours."""
        for folder in (self.home, self.config, self.data, self.state, self.cache, self.state / "logs"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        private_folder(self.runtime.parent)
        private_folder(self.runtime)


def private_folder(path: Path) -> None:
    """Make `path` with mode 0700, or check that it is one. Raises UnsafeFolder."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise UnsafeFolder(path=path)


def locate(home: str | Path | None = None) -> Locations:
    """Find the lab's folders: under `home` or MEDKG_LAB_HOME when given, else where the platform keeps such things.

    Creates nothing. The runtime folder's name is a hash of the home because a Unix socket's path may have 108 bytes at most.
    """
    chosen = home or os.environ.get(HOME_VARIABLE)
    if chosen:
        root = Path(chosen).expanduser().resolve()
        folders = {name: root / name for name in ("config", "data", "state", "cache")}
    else:
        import platformdirs

        dirs = platformdirs.PlatformDirs(APP, appauthor=False)
        root = dirs.user_data_path
        folders = {
            "config": dirs.user_config_path,
            "data": root,
            "state": dirs.user_state_path,
            "cache": dirs.user_cache_path,
        }
    if cache := os.environ.get(CACHE_VARIABLE):
        folders["cache"] = Path(cache).expanduser().resolve()
    runtime = _runtime_root() / hashlib.sha256(bytes(root)).hexdigest()[:12]
    return Locations(home=root, runtime=runtime, own_folder=bool(chosen), **folders)


def _runtime_root() -> Path:
    base = os.environ.get("XDG_RUNTIME_DIR")
    if base and len(base) < 60 and os.path.isdir(base):
        return Path(base) / APP
    return Path("/tmp") / f"{APP}-{os.getuid()}"
