"""The members of a consumer group, and what they ask and are answered."""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from medkg_lab.broker.embedded.codes import Code


class Handle(Protocol):
    """Something that was scheduled."""

    def cancel(self) -> None:
        """Do not call it any more."""


class Scheduler(Protocol):
    """What calls back later; an event loop is one. `call_later` takes seconds."""

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Handle:
        """Call `callback` after `delay` seconds."""


class State(Enum):
    """The states of a group, by the names that DescribeGroups shows."""

    EMPTY = "Empty"
    PREPARING = "PreparingRebalance"
    COMPLETING = "CompletingRebalance"
    STABLE = "Stable"


@dataclass(frozen=True)
class Join:
    """A JoinGroup request; times in seconds. `announce_first`: a new member is first told its id (version 4 and later)."""

    member_id: str
    instance_id: str | None
    client_id: str
    host: str
    session_seconds: float
    rebalance_seconds: float
    protocol_type: str
    protocols: tuple[tuple[str, bytes], ...]
    announce_first: bool


@dataclass(frozen=True)
class Joined:
    """The answer to a Join; `members` (id, instance id, metadata) go to the leader alone."""

    code: Code
    member_id: str
    generation: int = -1
    protocol: str | None = None
    leader: str = ""
    members: tuple[tuple[str, str | None, bytes], ...] = ()


@dataclass(frozen=True)
class Sync:
    """A SyncGroup request; `assignments` by member id come from the leader alone."""

    member_id: str
    instance_id: str | None
    generation: int
    assignments: dict[str, bytes]


@dataclass(frozen=True)
class Synced:
    """The answer to a SyncGroup request."""

    code: Code
    assignment: bytes = b""


JoinReply = Callable[[Joined], None]
SyncReply = Callable[[Synced], None]


@dataclass
class Member:
    """One member, with the answers that it waits for."""

    id: str
    join: Join
    assignment: bytes = b""
    join_reply: JoinReply | None = None
    sync_reply: SyncReply | None = None
    expiry: Handle | None = field(default=None, repr=False)

    def metadata(self, protocol: str | None) -> bytes:
        """What the member said for `protocol`."""
        return dict(self.join.protocols).get(protocol or "", b"")

    def topics(self, protocol: str | None) -> list[str]:
        """The topics in what the member said, as a consumer says it ("ConsumerProtocolSubscription": version, topics, …)."""
        data, found, position = self.metadata(protocol), [], 6
        try:
            (count,) = struct.unpack_from(">2xi", data)
            for _ in range(min(count, len(data))):
                (length,) = struct.unpack_from(">h", data, position)
                found.append(data[position + 2 : position + 2 + length].decode(errors="replace"))
                position += 2 + length
        except struct.error:
            return found  # the bytes are the clients' own business; others than consumers say other things
        return found

    def answer_join(self, answer: Joined) -> None:
        """Answer the join that the member waits for, if any."""
        reply, self.join_reply = self.join_reply, None
        if reply:
            reply(answer)

    def answer_sync(self, answer: Synced) -> None:
        """Answer the sync that the member waits for, if any."""
        reply, self.sync_reply = self.sync_reply, None
        if reply:
            reply(answer)
