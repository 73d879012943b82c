"""The environment that the lab is installed in, and the command that puts another package into it."""

import shlex
import shutil
import sys
from importlib.metadata import PackageNotFoundError, requires
from importlib.util import find_spec
from pathlib import Path

DISTRIBUTION = "medkg-lab"
_EXTRA = "; extra == "


def is_uv_tool() -> bool:
    """Whether `uv tool install` made the environment."""
    return Path(sys.prefix, "uv-receipt.toml").exists()


def is_pipx() -> bool:
    """Whether pipx made the environment."""
    return Path(sys.prefix, "pipx_metadata.json").exists()


def install_command(*what: str) -> str:
    """The command that installs `what` (requirements and options of pip) here, whatever made this environment.

    A plain `pip` would be another environment's for a tool of uv or pipx, and a checkout's environment has none. `pipx runpip`
    takes paths from another folder than the one that it is called in.
    """
    if find_spec("pip") is not None:
        start = [sys.executable, "-m", "pip", "install"]
    else:
        start = [_uv(), "pip", "install", "--python", sys.executable]
    return shlex.join([*start, *what])


def extra_command(extra: str) -> str:
    """The command that installs what the extra `extra` of medkg-lab needs; medkg-lab itself stays as it is."""
    try:
        listed = requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        listed = []
    ends = tuple(f"{_EXTRA}{quote}{extra}{quote}" for quote in "'\"")
    needed = [one.removesuffix(end) for one in listed for end in ends if one.endswith(end)]
    return install_command(*(needed or [f"{DISTRIBUTION}[{extra}]"]))


def _uv() -> str:
    """The uv that the scripts put into a checkout's environment, where there is none on the PATH."""
    own = Path(sys.prefix, "uv", "bin", "uv")
    return str(own) if shutil.which("uv") is None and own.exists() else "uv"
