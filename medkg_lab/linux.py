"""What the lab asks of Linux beyond the standard library: the only module that does."""

import contextlib
import ctypes
import os
import signal
import threading
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Have the kernel send `number` to this process when the thread that started it ends (prctl(2), PR_SET_PDEATHSIG)."""
    if _libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")


def yield_to_others(niceness: int = 10) -> None:
    """Let the calling thread have the processor when the others of the lab do not need it (setpriority(2), of one thread).

    It is for readers of the log, which may lag: what they cost must not slow down what they report on.
    """
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)


def boot_id() -> str:
    """An id that changes at every boot (random(4))."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_time(pid: int) -> int | None:
    """When process `pid` started, in clock ticks since boot (proc(5), stat field 22); None when there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])


def same_process(pid: int, started: int, boot: str) -> bool:
    """Whether `pid` still is the process that had this start time in this boot."""
    return boot == boot_id() and start_time(pid) == started


def kill_group(pid: int, number: int) -> None:
    """Send a signal to the process group that `pid` leads; a group that is gone is fine."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
