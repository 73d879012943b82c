"""Where Redpanda is on this machine, and how that copy of it has to be started.

Its program is linked against libraries under /opt/redpanda by absolute path, the loader included. A copy that lies
elsewhere is therefore started through the loader that lies beside it; its shell wrapper would start what is in /opt.
"""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from medkg_lab.broker.redpanda.errors import RedpandaNotFound, RedpandaUnloadable

STANDARD = Path("/opt/redpanda")
_PLACES = ("libexec/redpanda", "opt/redpanda/libexec/redpanda", "bin/redpanda", "redpanda")
_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Installation:
    """One Redpanda: its `program`, and the `command` that runs just that one."""

    program: Path
    command: tuple[str, ...]
    libraries: Path | None = None

    def environment(self) -> dict[str, str]:
        """The environment to start it in."""
        added = {"LD_LIBRARY_PATH": str(self.libraries)} if self.libraries else {}
        return {**os.environ, **added}

    def version(self) -> str:
        """What it says of itself. Raises RedpandaUnloadable."""
        command = [*self.command, "--version"]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_TIMEOUT_S, env=self.environment(), check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise RedpandaUnloadable(program=self.program, line=str(error)) from error
        said = (done.stdout.strip() or done.stderr.strip()).splitlines()
        if done.returncode != 0:
            raise RedpandaUnloadable(program=self.program, line=said[-1] if said else f"exit code {done.returncode}")
        return said[0] if said else "unknown"


def find(home: Path | None, binary: Path | None) -> Installation:
    """The Redpanda at `binary`, or in the folder `home`, or where its packages put it. Raises RedpandaNotFound."""
    candidates = [binary] if binary else [(home or STANDARD) / place for place in _PLACES]
    for program in candidates:
        if program.is_file() and os.access(program, os.X_OK):
            return _installation(program)
    looked = ", ".join(map(str, candidates))
    raise RedpandaNotFound(detail=f"none of {looked} is a program")


def _installation(program: Path) -> Installation:
    libraries = program.parent.parent / "lib"
    loader = libraries / "ld.so"
    if program.is_relative_to(STANDARD):
        return Installation(program, (str(program),), libraries)
    if loader.is_file():
        return Installation(program, (str(loader), "--library-path", str(libraries), str(program)))
    return Installation(program, (str(program),))
