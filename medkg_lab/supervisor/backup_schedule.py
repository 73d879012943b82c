"""Backups that the lab makes by itself: the command that makes one is started as often as the settings say.

The command itself sees when the last backup was made, so that a lab that was down for days makes one soon, and one that is
restarted all the time makes none too many.
"""

import logging
import subprocess
from pathlib import Path

from medkg_lab import launch, linux
from medkg_lab.locations import Locations
from medkg_lab.logs import fields
from medkg_lab.settings import BackupSettings

log = logging.getLogger(__name__)

FIRST_LOOK_S = 30.0
"""Seconds after the start of a lab at which it looks the first time: what has to catch up does so first."""
_LOOKS = 20
"""Looks within the time between two backups."""
_MOST_PAUSE_S = 3600.0
_END_S = 5.0
_HOUR_S = 3600.0


class BackupSchedule:
    """Starts the command when `step` is called often enough; one at a time."""

    def __init__(self, locations: Locations, settings: BackupSettings, now: float) -> None:
        """`now` is in seconds of the monotonic clock, as it is for `step`."""
        self._locations = locations
        self._settings = settings
        self._running: subprocess.Popen[bytes] | None = None
        pause = (settings.every_hours or 0.0) * 3600 / _LOOKS
        self._pause = min(_MOST_PAUSE_S, pause)
        self._next = now + min(FIRST_LOOK_S, self._pause)

    def step(self, now: float) -> None:
        """Start the command if it is time to, and say in the log how the last one ended if it failed."""
        if self._settings.every_hours is None:
            return
        if self._running is not None:
            if (code := self._running.poll()) is None:
                return
            if code:
                log.warning("no backup was made: exit code %d", code, extra=fields(event="backup.failed"))
            self._running = None
        if now >= self._next:
            self._next = now + self._pause
            self._running = subprocess.Popen(
                self._command(self._settings.every_hours * _HOUR_S),
                stdin=subprocess.DEVNULL,
                env=launch.environment(),
                cwd=Path(self._locations.home),
                start_new_session=True,
                preexec_fn=linux.die_with_parent,
            )

    def _command(self, seconds: float) -> list[str]:
        what = ("backup", "create", "--keep", str(self._settings.keep), "--if-older", f"{seconds:.3f}")
        return launch.python("medkg_lab.cli.main", *self._locations.arguments(), *what)

    def stop(self) -> None:
        """End a backup that is being made; what it has begun is no backup, and goes with the next one."""
        if self._running is not None and self._running.poll() is None:
            self._running.terminate()
            try:
                self._running.wait(_END_S)
            except subprocess.TimeoutExpired:
                self._running.kill()
                self._running.wait()
