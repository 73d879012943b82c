"""The bounds that keep the broker's memory, disk and file descriptors finite."""

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """Every bound in one place; sizes in bytes, times in seconds."""

    request_bytes: int = 16 * MIB
    fetch_bytes: int = 16 * MIB
    """Record bytes in one Fetch answer, except that the first batch is always sent whole."""
    connections: int = 256
    pipeline: int = 16
    """Requests of one connection that may be unanswered; beyond it the broker stops reading from that connection."""
    frame_seconds: float = 30.0
    """A frame that was begun must be complete within this time."""
    partitions: int = 2000
    partitions_per_topic: int = 256
    groups: int = 10_000
    group_members: int = 256
    offset_metadata: int = 4096
    producers_per_partition: int = 10_000
    free_bytes: int = 64 * MIB
    """Below this much free disk space produce requests are refused; reads go on."""
    min_session_seconds: float = 1.0
    max_session_seconds: float = 1800.0
    initial_rebalance_seconds: float = 0.15
    housekeeping_seconds: float = 1.0
