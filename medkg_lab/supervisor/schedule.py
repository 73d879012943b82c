"""What the lab does by itself from time to time: a command of its own is started as often as the settings say.

The command itself sees when it was done last, so that a lab that was down for days does it soon, and one that is restarted all
the time not too often.
"""

import logging
import subprocess
from collections.abc import Sequence
from pathlib import Path

from medkg_lab import launch, linux
from medkg_lab.locations import Locations
from medkg_lab.logs import fields
from medkg_lab.settings import Settings

log = logging.getLogger(__name__)

FIRST_BACKUP_S = 30.0
FIRST_REMOVAL_S = 300.0
"""Seconds after the start of a lab at which it looks the first time: what has to catch up does so first."""
IF_OLDER = "--if-older"
_LOOKS = 20
"""Looks within the time between two runs."""
_MAX_PAUSE_S = 3600.0
_END_S = 5.0
_HOUR_S = 3600.0


class Schedule:
    """Starts a command when `step` is called often enough; one at a time."""

    def __init__(
        self, locations: Locations, words: Sequence[str], every_hours: float, first_s: float, now: float
    ) -> None:
        """`words` are the command's, to which `--if-older` is added; the first look is within `first_s` seconds from `now`, which
        is of the monotonic clock."""
        self._locations = locations
        self._argv = launch.python(
            "medkg_lab.cli.main", *locations.arguments(), *words, IF_OLDER, f"{every_hours * _HOUR_S:.3f}"
        )
        self._what = words[0]
        self._running: subprocess.Popen[bytes] | None = None
        pause = every_hours * _HOUR_S / _LOOKS
        self._pause = min(_MAX_PAUSE_S, pause)
        self._next = now + min(first_s, self._pause)

    def step(self, now: float) -> None:
        """Start the command if it is time to, and say in the log how the last one ended if it failed."""
        if self._running is not None:
            if (code := self._running.poll()) is None:
                return
            if code:
                event = f"{self._what}.failed"
                log.warning("the scheduled %s ended with exit code %d", self._what, code, extra=fields(event=event))
            self._running = None
        if now >= self._next:
            self._next = now + self._pause
            self._running = subprocess.Popen(
                self._argv,
                stdin=subprocess.DEVNULL,
                env=launch.environment(),
                cwd=Path(self._locations.home),
                start_new_session=True,
                preexec_fn=linux.die_with_parent,
            )

    def stop(self) -> None:
        """End a command that runs; whatever it has begun is left as if it were killed, which it bears."""
        if self._running is not None and self._running.poll() is None:
            self._running.terminate()
            try:
                self._running.wait(_END_S)
            except subprocess.TimeoutExpired:
                self._running.kill()
                self._running.wait()


def schedules(locations: Locations, settings: Settings, now: float) -> tuple[Schedule, ...]:
    """All that the lab does by itself: backups, if they are wanted, and removing what may go."""
    every = settings.backup.every_hours
    backup = ("backup", "create", "--keep", str(settings.backup.keep))
    return (
        *(() if every is None else (Schedule(locations, backup, every, FIRST_BACKUP_S, now),)),
        Schedule(locations, ("retention", "run"), settings.retention.every_hours, FIRST_REMOVAL_S, now),
    )
