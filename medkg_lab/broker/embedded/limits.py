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
    """Those that are let in."""
    reserved_connections: int = 64
    """Of these, what only the lab's own account gets."""
    waiting_connections: int = 64
    """Those that are not let in yet."""
    login_seconds: float = 10.0
    """A connection that is not let in within this time is closed."""
    idle_seconds: float = 600.0
    """One that asks nothing for this long, and waits for no answer, is closed."""
    pipeline: int = 16
    """Requests of one connection that may be unanswered; beyond it the broker stops reading from that connection."""
    in_flight_bytes: int = 32 * MIB
    """Bytes of one connection's requests that may be unanswered; beyond it the next one is not read."""
    frame_seconds: float = 30.0
    """A frame that was begun must be complete within this time."""
    partitions: int = 2000
    partitions_per_topic: int = 256
    other_bytes: int = 4096 * MIB
    """All topics together that are not the lab's; beyond it nothing more is taken for them."""
    auto_topic_bytes: int = 256 * MIB
    """`retention.bytes` of a topic that was made because a client asked for it."""
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
