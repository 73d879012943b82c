"""Whether a lab that starts will be ready: it is waited for while its processes get on, and not for what can never come. Pure."""

from collections.abc import Sequence

from medkg_lab.supervisor.answers import ProcessRow
from medkg_lab.supervisor.errors import LabNotReady, LabStarting

STARTS_S = 600.0
"""Seconds in which a lab starts at most, unless a person says otherwise."""
STALLED_S = 90.0
"""Seconds without any progress after which nobody waits any longer."""
MAX_FAILURES = 5
"""Ends of one process, one after the other, after which nobody waits for it: it fails in the same way each time."""


class Readiness:
    """Judges one status after another. Progress is a process that reached another state or spent time on a processor."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._began: float | None = None
        self._progress = 0.0
        self._seen: object = None

    def reached(self, processes: Sequence[ProcessRow], now: float) -> bool:
        """Whether all that are waited for are ready. Raises LabNotReady or LabStarting when waiting longer is no use."""
        if self._began is None:
            self._began = self._progress = now
        waiting = [one for one in processes if one.state != "ready" and not one.slow]
        if not waiting:
            return True
        if lost := hopeless(processes):
            raise LabNotReady(processes="; ".join(_sentence(one, now, self._began) for one in lost))
        signs = [(one.name, one.state, one.pid, one.cpu_seconds) for one in waiting]
        if signs != self._seen:
            self._seen, self._progress = signs, now
        if now - self._began >= self._seconds or now - self._progress >= STALLED_S:
            listed = "; ".join(_sentence(one, now, self._began) for one in waiting)
            raise LabStarting(seconds=round(now - self._began), processes=listed)
        return False


def hopeless(processes: Sequence[ProcessRow]) -> list[ProcessRow]:
    """The processes that will not become ready, with those that wait for one of them; servers of the profile aside."""
    lost = {one.name for one in processes if not one.slow and _is_lost(one)}
    while more := {
        one.name for one in processes if one.state == "absent" and lost & set(one.after) and one.name not in lost
    }:
        lost |= more
    return [one for one in processes if one.name in lost]


def _is_lost(one: ProcessRow) -> bool:
    return one.state == "given_up" or (one.state == "exited" and one.failures >= MAX_FAILURES)


def _sentence(one: ProcessRow, now: float, began: float) -> str:
    reason = one.reason or f"for {now - began:.0f} s by now"
    return f"{one.name} ({one.state}: {reason})"
