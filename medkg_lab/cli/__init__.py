"""The command line: stdout is data, stderr is the rest; heavy imports happen inside the command that needs them."""

import os
import sys


def _remove_current_folder() -> None:
    """Take the current folder off the path, where `python -m` puts it; a checkout that the package itself comes from stays.

    Only what Python has loaded by now may be used here: anything else could come from that folder.
    """
    try:
        here = os.getcwd()
    except OSError:  # it was removed: nothing can come from it
        here = ""
    package_parent = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    if sys.path and not sys.flags.safe_path and sys.path[0] in ("", here) and here != package_parent:
        del sys.path[0]


if sys.argv[0] == "-m":
    # While a module is being found for `-m`; the installed command has its own folder there, and an importer's path is its own.
    _remove_current_folder()
