"""One consumer group: who is in it, who owns what, and how it comes to agree on that.

This is the classic group protocol (JoinGroup, SyncGroup, Heartbeat, LeaveGroup) as "Consumer Group Protocol" in the Kafka
documentation, KIP-394 (a member learns its id before it joins) and KIP-345 (static members) describe it. The machine has no
I/O: time comes from `Scheduler`, and answers go to callbacks.
"""

import uuid
from collections import Counter
from collections.abc import Callable

from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.limits import Limits
from medkg_lab.broker.embedded.members import (
    Handle,
    Join,
    Joined,
    JoinReply,
    Member,
    Scheduler,
    State,
    Sync,
    Synced,
    SyncReply,
)


class Group:
    """The state of the group `id`. Every public method is one request."""

    def __init__(self, group_id: str, scheduler: Scheduler, limits: Limits) -> None:
        self.id = group_id
        self.state = State.EMPTY
        self.generation = 0
        self.protocol: str | None = None
        self.protocol_type = ""
        self.leader: str | None = None
        self.members: dict[str, Member] = {}
        self._static: dict[str, str] = {}
        self._announced: dict[str, Handle] = {}
        self._scheduler = scheduler
        self._limits = limits
        self._timer: Handle | None = None
        self._gathering = False

    def __repr__(self) -> str:
        return f"<Group {self.id} {self.state.value} generation {self.generation} of {len(self.members)}>"

    @property
    def is_idle(self) -> bool:
        """Whether nobody is in the group or about to join it."""
        return not self.members and not self._announced

    def subscribed(self) -> set[str]:
        """The topics that members say they read."""
        return {topic for member in self.members.values() for topic in member.topics(self.protocol)}

    # --- joining

    def join(self, ask: Join, reply: JoinReply) -> None:
        """Take a member in, or back; `reply` is called once the group has a new generation, or at once with an error."""
        code = self._why_not(ask)
        if code:
            reply(Joined(code, ask.member_id))
        elif not ask.member_id and ask.instance_id in self._static:
            self._replace_static(ask, reply)
        elif not ask.member_id:
            self._join_new(ask, reply)
        elif ask.member_id in self._announced:
            self._announced.pop(ask.member_id).cancel()
            self._admit(ask.member_id, ask, reply)
        else:
            self._join_again(self.members[ask.member_id], ask, reply)

    def _why_not(self, ask: Join) -> Code:
        code = Code.NONE
        if not self._limits.min_session_seconds <= ask.session_seconds <= self._limits.max_session_seconds:
            code = Code.INVALID_SESSION_TIMEOUT
        elif ask.member_id and ask.member_id not in self._announced:
            code = self._known(ask.member_id, ask.instance_id)
        if code:
            return code
        others = [member for member in self.members.values() if not self._is_same(member, ask)]
        if not ask.protocols or not ask.protocol_type or (others and ask.protocol_type != self.protocol_type):
            return Code.INCONSISTENT_GROUP_PROTOCOL
        if others and not self._common(others) & {name for name, _ in ask.protocols}:
            return Code.INCONSISTENT_GROUP_PROTOCOL
        if len(others) + len(self._announced) >= self._limits.group_members:
            return Code.GROUP_MAX_SIZE_REACHED
        return Code.NONE

    def _is_same(self, member: Member, ask: Join) -> bool:
        return member.id == ask.member_id or (
            ask.instance_id is not None and self._static.get(ask.instance_id) == member.id
        )

    @staticmethod
    def _common(members: list[Member]) -> set[str]:
        return set.intersection(*({name for name, _ in member.join.protocols} for member in members))

    def _join_new(self, ask: Join, reply: JoinReply) -> None:
        member_id = f"{ask.instance_id or ask.client_id or 'member'}-{uuid.uuid4()}"
        if ask.announce_first and ask.instance_id is None:
            self._announced[member_id] = self._scheduler.call_later(
                ask.session_seconds, lambda: self._forget(member_id)
            )
            reply(Joined(Code.MEMBER_ID_REQUIRED, member_id))
        else:
            self._admit(member_id, ask, reply)

    def _forget(self, member_id: str) -> None:
        self._announced.pop(member_id, None)
        self._complete_when_all_joined()

    def _admit(self, member_id: str, ask: Join, reply: JoinReply) -> None:
        if not self.members:
            self.protocol_type = ask.protocol_type
        self.members[member_id] = Member(member_id, ask, join_reply=reply)
        if ask.instance_id is not None:
            self._static[ask.instance_id] = member_id
        self._prepare()
        self._complete_when_all_joined()

    def _replace_static(self, ask: Join, reply: JoinReply) -> None:
        """A static member came back under a new id: the old id is fenced, and what it owned stays with the instance."""
        assert ask.instance_id is not None, "only static members are replaced"
        old = self._drop(self._static[ask.instance_id], Code.FENCED_INSTANCE_ID)
        member_id = f"{ask.instance_id}-{uuid.uuid4()}"
        member = self.members[member_id] = Member(member_id, ask, assignment=old.assignment)
        self._static[ask.instance_id] = member_id
        if self.state is State.STABLE and old.join.protocols == ask.protocols:
            former_leader = self.leader or ""
            if self.leader == old.id:
                self.leader = member_id
            self._touch(member)
            # Answered with the former leader's id, the member does not take itself for the leader and assigns nothing.
            reply(Joined(Code.NONE, member_id, self.generation, self.protocol, former_leader))
            return
        member.join_reply = reply
        self._prepare()
        self._complete_when_all_joined()

    def _join_again(self, member: Member, ask: Join, reply: JoinReply) -> None:
        changed = member.join.protocols != ask.protocols
        member.join = ask
        member.answer_join(Joined(Code.REBALANCE_IN_PROGRESS, member.id))
        settled = self.state is State.COMPLETING or (self.state is State.STABLE and member.id != self.leader)
        if settled and not changed:
            self._touch(member)
            reply(self._answer(member))
            return
        member.join_reply = reply
        self._prepare()
        self._complete_when_all_joined()

    # --- agreeing

    def _prepare(self) -> None:
        """Begin a rebalance, unless one is being prepared."""
        if self.state is State.PREPARING:
            return
        for member in self.members.values():
            member.answer_sync(Synced(Code.REBALANCE_IN_PROGRESS))
        self._gathering = self.state is State.EMPTY
        self.state = State.PREPARING
        self._schedule(self._limits.initial_rebalance_seconds if self._gathering else self._patience(), self._complete)

    def _patience(self) -> float:
        return max((member.join.rebalance_seconds for member in self.members.values()), default=0.0)

    def _schedule(self, delay: float, callback: Callable[[], None]) -> None:
        self._unschedule()
        self._timer = self._scheduler.call_later(delay, callback)

    def _unschedule(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _complete_when_all_joined(self) -> None:
        if self.state is not State.PREPARING or self._gathering or self._announced:
            return
        if all(member.join_reply for member in self.members.values()):
            self._complete()

    def _complete(self) -> None:
        """Close the generation over those who joined; static members keep their place until their session ends."""
        for member in list(self.members.values()):
            if not member.join_reply and member.join.instance_id is None:
                self._drop(member.id, Code.UNKNOWN_MEMBER_ID)
        joined = [member for member in self.members.values() if member.join_reply]
        if not self.members:
            self._become_empty()
            return
        if not joined:
            self._schedule(self._patience(), self._complete)
            return
        self._gathering = False
        self.generation += 1
        self.state = State.COMPLETING
        if self.leader not in {member.id for member in joined}:
            self.leader = joined[0].id
        self.protocol = self._vote()
        for member in joined:
            member.assignment = b""
            self._touch(member)
            member.answer_join(self._answer(member))
        self._schedule(self._patience(), self._drop_unsynced)

    def _vote(self) -> str:
        members = list(self.members.values())
        common = self._common(members)
        votes = Counter(next(name for name, _ in member.join.protocols if name in common) for member in members)
        return votes.most_common(1)[0][0]

    def _answer(self, member: Member) -> Joined:
        leading = member.id == self.leader
        others = tuple((one.id, one.join.instance_id, one.metadata(self.protocol)) for one in self.members.values())
        return Joined(
            Code.NONE, member.id, self.generation, self.protocol, self.leader or "", others if leading else ()
        )

    def _drop_unsynced(self) -> None:
        """The rebalance took too long: go on without those who did not ask for their assignment."""
        for member in [one for one in self.members.values() if not one.sync_reply]:
            self._drop(member.id, Code.UNKNOWN_MEMBER_ID)
        if self.members:
            self._prepare()
        else:
            self._become_empty()

    def sync(self, ask: Sync, reply: SyncReply) -> None:
        """Ask for the assignment, or, as the leader, hand in everyone's."""
        code = self.check(ask.member_id, ask.instance_id, ask.generation)
        if not code and self.state is State.PREPARING:
            code = Code.REBALANCE_IN_PROGRESS
        if code:
            reply(Synced(code))
            return
        member = self.members[ask.member_id]
        self._touch(member)
        if self.state is State.STABLE:
            reply(Synced(Code.NONE, member.assignment))
            return
        member.answer_sync(Synced(Code.REBALANCE_IN_PROGRESS))
        member.sync_reply = reply
        if member.id == self.leader:
            self._assign(ask.assignments)

    def _assign(self, assignments: dict[str, bytes]) -> None:
        self._unschedule()
        self.state = State.STABLE
        for member in self.members.values():
            member.assignment = assignments.get(member.id, b"")
            self._touch(member)
            member.answer_sync(Synced(Code.NONE, member.assignment))

    # --- staying and going

    def heartbeat(self, member_id: str, instance_id: str | None, generation: int) -> Code:
        """Note that the member lives; says whether it has to join again."""
        code = self.check(member_id, instance_id, generation)
        if not code:
            self._touch(self.members[member_id])
            if self.state is State.PREPARING:
                code = Code.REBALANCE_IN_PROGRESS
        return code

    def check(self, member_id: str, instance_id: str | None, generation: int) -> Code:
        """Whether this is a member of this generation."""
        code = self._known(member_id, instance_id)
        if not code and generation != self.generation:
            code = Code.ILLEGAL_GENERATION
        return code

    def check_commit(self, member_id: str, instance_id: str | None, generation: int) -> Code:
        """Whether this sender may commit offsets: a member of the generation, or anybody while the group is empty."""
        if generation < 0 and not member_id:
            return Code.UNKNOWN_MEMBER_ID if self.members else Code.NONE
        code = self.check(member_id, instance_id, generation)
        if not code:
            self._touch(self.members[member_id])
            if self.state is State.COMPLETING:
                code = Code.REBALANCE_IN_PROGRESS
        return code

    def _known(self, member_id: str, instance_id: str | None) -> Code:
        if instance_id is not None and self._static.get(instance_id, member_id) != member_id:
            return Code.FENCED_INSTANCE_ID
        return Code.NONE if member_id in self.members else Code.UNKNOWN_MEMBER_ID

    def leave(self, member_id: str, instance_id: str | None = None) -> Code:
        """Let a member go, named by its id or, for a static one, by its instance id alone."""
        if instance_id is not None and not member_id:
            member_id = self._static.get(instance_id, "")
        if member_id in self._announced:
            self._announced.pop(member_id).cancel()
            self._complete_when_all_joined()
            return Code.NONE
        code = self._known(member_id, instance_id)
        if not code:
            self._remove(member_id)
        return code

    def _touch(self, member: Member) -> None:
        if member.expiry:
            member.expiry.cancel()
        member.expiry = self._scheduler.call_later(member.join.session_seconds, lambda: self._expire(member))

    def _expire(self, member: Member) -> None:
        if self.members.get(member.id) is not member:
            return
        if member.join_reply or member.sync_reply:
            self._touch(member)  # it waits for us, not we for it
        else:
            self._remove(member.id)

    def _remove(self, member_id: str) -> None:
        self._drop(member_id, Code.UNKNOWN_MEMBER_ID)
        if not self.members:
            self._become_empty()
            return
        self._prepare()
        self._complete_when_all_joined()

    def _drop(self, member_id: str, code: Code) -> Member:
        member = self.members.pop(member_id)
        if member.expiry:
            member.expiry.cancel()
        member.answer_join(Joined(code, member_id))
        member.answer_sync(Synced(code))
        if member.join.instance_id is not None:
            self._static.pop(member.join.instance_id, None)
        return member

    def _become_empty(self) -> None:
        self._unschedule()
        self.state = State.EMPTY
        self.generation += 1
        self.leader = None
        self.protocol = None
