"""What ends a command from outside: SIGTERM, and SIGHUP when its terminal closes."""

import signal
from types import FrameType

ENDING = (signal.SIGTERM, signal.SIGHUP)


def end_on_signals() -> None:
    """End by SystemExit with 128 + the signal's number, as shells count it, so that cursor, files and labs are left in order.

    A signal that the parent had ignored (nohup) stays ignored.
    """
    for number in ENDING:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)


def catch_interrupts() -> None:
    """Have Ctrl-C raise KeyboardInterrupt from here on; one that the parent had ignored stays ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)
