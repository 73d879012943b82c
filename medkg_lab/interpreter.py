"""The Python that runs a command or a process of the lab: with its docstrings, which are the lab's messages, and with UTF-8 for
files and arguments, whatever the environment asks for."""

import locale
import os
import sys

from medkg_lab import exit_codes

_RESTARTED = "MEDKG_LAB_RESTARTED"
"""Set for the moment of the restart; its value is the PYTHONIOENCODING that the environment had."""
_STREAMS = "PYTHONIOENCODING"
_REFUSAL = "medkg-lab: Python runs with -O or -OO, which removes messages and checks. Start it without that option."


def restart_if_unsuitable() -> None:
    """Replace this process by a suitable Python, once: PYTHONOPTIMIZE unset, UTF-8 mode (PEP 540) where the locale has no UTF-8.

    The standard streams keep the encoding that they have. Ends with exit code 2 when -O was given on the command line.
    """
    restarted = os.environ.pop(_RESTARTED, None)
    if restarted is not None:
        _restore(_STREAMS, restarted)
        if sys.flags.optimize:
            os.write(2, f"{_REFUSAL}\n".encode())
            raise SystemExit(exit_codes.USAGE)
        return
    if not sys.executable or (not sys.flags.optimize and sys.getfilesystemencoding().lower() == "utf-8"):
        return
    os.environ.pop("PYTHONOPTIMIZE", None)
    os.environ[_RESTARTED] = os.environ.get(_STREAMS, "")
    if sys.getfilesystemencoding().lower() != "utf-8":
        os.environ["PYTHONUTF8"] = "1"
        os.environ[_STREAMS] = os.environ.get(_STREAMS) or f"{locale.getencoding()}:backslashreplace"
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _restore(name: str, value: str) -> None:
    if value:
        os.environ[name] = value
    else:
        os.environ.pop(name, None)
