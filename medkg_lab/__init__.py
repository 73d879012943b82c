"""medkg-lab: runs a complete medical-document pipeline on one machine.

From Python: `from medkg_lab import Lab`; `docs/how-to/use-from-python.md` shows how.
"""

from importlib import import_module
from typing import Any

from medkg_lab import telemetry

# Their types are in the stub beside this file: imported here, they would make a circle.
__all__ = ["Lab", "LabError", "__version__"]
__version__ = "0.1.0"
_HOMES = {"Lab": "medkg_lab.sdk.lab", "LabError": "medkg_lab.errors"}

# Before any library is imported that would report its use.
telemetry.switch_off()


def __getattr__(name: str) -> Any:
    """The API's names, imported when they are first asked for: importing the package alone loads nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
