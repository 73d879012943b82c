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


def _end_on_interrupts() -> None:
    """Until the command can catch it (`main.catch_interrupts`), Ctrl-C ends it as it ends any program: without a traceback."""
    import signal

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


if sys.argv[0] == "-m":
    # While a module is being found for `-m`; the installed command has its own folder there, and an importer's path is its own.
    _remove_current_folder()
if sys.argv[0] == "-m" or os.path.basename(sys.argv[0]) == "medkg-lab":
    _end_on_interrupts()
