"""What the supervisor knows of a process before it runs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ProcessSpec:
    """One process: `after` names those that must be ready first; `port` is the TCP port it listens on, if any."""

    name: str
    argv: tuple[str, ...]
    after: tuple[str, ...] = ()
    port: int | None = None
