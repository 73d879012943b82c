"""What the supervisor answers: the lab, and each of its processes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRow:
    """A process of the lab. `since` is when it was started (seconds since the epoch), `after` what it waits for before it starts.

    `state` is one of `decide.State`, or `decide.SILENT`; `slow` says that nobody waits for it when the lab starts.
    """

    name: str
    state: str
    pid: int | None
    restarts: int
    failures: int
    silent_seconds: float
    after: tuple[str, ...]
    rss_mb: float | None
    cpu_seconds: float | None
    port: int | None
    reason: str
    since: float | None
    slow: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LabStatus:
    """A lab that runs: its supervisor since when (seconds since the epoch), what is to be known of it, and its processes."""

    home: str
    pid: int
    since: float
    stopping: bool
    profile: str
    notes: tuple[str, ...]
    processes: tuple[ProcessRow, ...]

    def process(self, name: str) -> ProcessRow | None:
        """The process of this name."""
        return next((one for one in self.processes if one.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarting:
    """A process that is being restarted, and how often it had been started before."""

    name: str
    starts: int
