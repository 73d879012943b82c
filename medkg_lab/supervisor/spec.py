"""What the supervisor knows of a process before it runs."""

from dataclasses import dataclass

LOCK = "labd.lock"
"""The file in the state folder that the lab's one supervisor has locked."""


@dataclass(frozen=True)
class ProcessSpec:
    """One process: `after` names those that must be ready first; `port` is the TCP port it listens on, if any.

    `after_outcome` names those that it comes after as well, but which may fail: it starts once each is ready, or has failed.
    `slow` says that nobody waits for it when the lab starts, nor for a process that waits for it: a model may load for minutes.
    `niceness` is how far it stands back for others when processors are short (0 to 19, as of nice(1)).
    """

    name: str
    argv: tuple[str, ...]
    after: tuple[str, ...] = ()
    port: int | None = None
    after_outcome: tuple[str, ...] = ()
    slow: bool = False
    niceness: int = 0
